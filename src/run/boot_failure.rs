//! Why a root's own system did not do what it was booted for.

use std::fmt;

/// What the system did when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Up,
    Script,
    Down,
}

/// Why a root's own system did not do what it was booted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootFailure {
    /// There is no systemd in the root.
    NoInit,
    /// It ended before it was up, or went into its emergency mode.
    NotUp,
    /// It was booted anew before the script had ended.
    Again,
    /// It ended before the script had, or otherwise than the script.
    Gone,
    Late {
        seconds: u64,
        doing: Doing,
    },
}

impl fmt::Display for BootFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BootFailure::NoInit => write!(f, "the root has no systemd that could boot it"),
            BootFailure::NotUp => write!(f, "the root's system did not come up"),
            BootFailure::Again => {
                write!(f, "the root's system rebooted before the script had ended")
            }
            BootFailure::Gone => write!(f, "the root's system did not shut down as it should"),
            BootFailure::Late { seconds, doing } => {
                let what = match doing {
                    Doing::Up => "the root's system was not up",
                    Doing::Script => "the script in the root's system had not ended",
                    Doing::Down => "the root's system had not shut down",
                };
                write!(f, "{what} after {seconds} s")
            }
        }
    }
}

impl BootFailure {
    /// What hung or failed, from the lines that [`told`] finds.
    pub fn cause(&self, output: &[String]) -> Option<String> {
        let units = |kind: &str| -> Vec<String> {
            let mut names: Vec<String> = Vec::new();
            for line in output {
                if let Some(name) = line.strip_prefix(kind).map(str::trim)
                    && !names.iter().any(|known| known == name)
                {
                    names.push(name.to_owned());
                }
            }
            names
        };
        let list = |names: &[String]| {
            let quoted = names.iter().take(UNITS).map(|name| {
                let unit = name.split(' ').next().unwrap_or_default();
                format!("`{unit}`")
            });
            quoted.collect::<Vec<_>>().join(", ")
        };
        let (waiting, failed) = (units("waiting:"), units("failed:"));
        let mut parts = Vec::new();
        if let BootFailure::Late { doing, .. } = self
            && !waiting.is_empty()
        {
            let what = match doing {
                Doing::Down => "stopped",
                Doing::Up | Doing::Script => "started",
            };
            parts.push(format!("still being {what}: {}", list(&waiting)));
        }
        if !failed.is_empty() {
            parts.push(format!("failed: {}", list(&failed)));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    pub fn help(&self) -> String {
        match self {
            BootFailure::NoInit => {
                "install it in a step before this one; what needs no running system can be said with `nspawn_run`"
            }
            BootFailure::NotUp => "the log has what the system printed; mend or mask what failed",
            BootFailure::Again => "let the script end by itself: the system is shut down then",
            BootFailure::Gone => "the log has what the system printed",
            BootFailure::Late { .. } => {
                "mend or mask what hangs; or give it more time, in seconds: `timeout: 600`"
            }
        }
        .to_owned()
    }
}

/// How many units a cause names.
const UNITS: usize = 4;

/// The lines of an output in which the booted system says what hangs, what has failed and
/// which errors its journal has.
pub fn told(output: &[String]) -> impl Iterator<Item = String> {
    let kinds = ["waiting: ", "failed: ", "journal: "];
    let told = move |line: &&String| kinds.iter().any(|kind| line.starts_with(kind));
    output.iter().filter(told).cloned()
}
