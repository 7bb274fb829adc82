//! Why a root's own system did not do what it was booted for.

/// What the system did when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum BootStage {
    #[strum(to_string = "the root's system was not up")]
    Up,
    #[strum(to_string = "the script in the root's system had not ended")]
    Script,
    #[strum(to_string = "the root's system had not shut down")]
    Down,
}

/// Why a root's own system did not do what it was booted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootFailure {
    #[error("the root has no systemd that could boot it")]
    NoInit,
    /// It ended before it was up, or went into its emergency mode.
    #[error("the root's system did not come up")]
    NotUp,
    /// It was booted anew before the script had ended.
    #[error("the root's system rebooted before the script had ended")]
    Again,
    /// It ended before the script had, or otherwise than the script.
    #[error("the root's system did not shut down as it should")]
    Gone,
    #[error("{doing} after {seconds} s")]
    Late { seconds: u64, doing: BootStage },
}

impl BootFailure {
    /// What hung or failed, from the lines that [`told`] finds.
    pub fn cause(&self, output: &[String]) -> Option<String> {
        let units = |kind: &str| {
            let mut names: Vec<&str> = Vec::new();
            for name in output.iter().filter_map(|line| line.strip_prefix(kind)) {
                if !names.contains(&name.trim()) {
                    names.push(name.trim());
                }
            }
            let units = names.iter().take(UNITS).map(|name| {
                let unit = name.split(' ').next().unwrap_or_default();
                format!("`{unit}`")
            });
            units.collect::<Vec<_>>().join(", ")
        };
        let (waiting, failed) = (units("waiting:"), units("failed:"));
        let mut parts = Vec::new();
        if let BootFailure::Late { doing, .. } = self
            && !waiting.is_empty()
        {
            let what = match doing {
                BootStage::Down => "stopped",
                BootStage::Up | BootStage::Script => "started",
            };
            parts.push(format!("still being {what}: {waiting}"));
        }
        if !failed.is_empty() {
            parts.push(format!("failed: {failed}"));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    pub fn help(&self) -> &'static str {
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
