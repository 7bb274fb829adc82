//! Booting a root: the folder that its container sees, and what came of it.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fs_err as fs;

use super::output::Log;
use crate::plan::Run;
use crate::plan::command::{BOOT_STDIN, Mode, SHELL_RUNTIME, boot_files};

/// The file of [`Control`] that boots the root.
const BOOT: &str = "boot.sh";

/// A folder on a tmpfs of the build's own, with what the booted system runs and says.
pub struct Control(tempfile::TempDir);

impl Control {
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn new(run: &Run, stdin: Option<&str>) -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        for (name, content) in boot_files(run) {
            fs::write(folder.path().join(name), content)?;
        }
        let script = format!("{SHELL_RUNTIME}\nboot_in_root \"$@\"\n");
        fs::write(folder.path().join(BOOT), script)?;
        if let Some(stdin) = stdin {
            let path = folder.path().join(BOOT_STDIN);
            fs::write(&path, stdin)?;
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        }
        Ok(Control(folder))
    }

    /// The command line that boots the root mounted at `root`.
    ///
    /// # Errors
    /// When the root cannot be opened.
    pub fn argv(&self, run: &Run, timeout: u64, root_path: &Path) -> std::io::Result<Vec<String>> {
        let inside = pathrs::Root::open(root_path).map_err(std::io::Error::other)?;
        // A root may have none, or a link that leads nowhere.
        let etc = inside.resolve("/etc").ok();
        let etc = etc.as_ref().map(super::resolver::handle_path).transpose()?;
        let etc = etc.map(|path| path.display().to_string());
        let root = root_path.display().to_string();
        let mut argv = ["bash", "-euo", "pipefail"].map(str::to_owned).to_vec();
        argv.push(self.0.path().join(BOOT).display().to_string());
        argv.push(timeout.to_string());
        argv.push(root);
        argv.push(etc.unwrap_or_default());
        argv.push(self.0.path().display().to_string());
        argv.extend(super::container::argv(run, Mode::Boot, root_path, &[]));
        Ok(argv)
    }

    /// Adds what the system printed on its console to the step's log.
    pub fn keep_console(&self, log: &Path) {
        let Ok(bytes) = fs::read(self.0.path().join("console")) else {
            return;
        };
        let mut log = Log::open(log);
        for line in String::from_utf8_lossy(&bytes).lines() {
            log.line(&format!("# console: {}", line.trim_end()));
        }
    }

    /// What is wrong with the system, whatever its command did.
    pub fn failure(&self, seconds: u64) -> Option<BootFailure> {
        let read = |name: &str| fs::read_to_string(self.0.path().join(name)).ok();
        let stage = read("stage").unwrap_or_default();
        let late = read("late").is_some();
        match stage.trim() {
            "down" => None,
            "no-init" => Some(BootFailure::NoInit),
            "again" => Some(BootFailure::Again),
            "script" if late => Some(BootFailure::Late {
                seconds,
                doing: Doing::Script,
            }),
            "ended" if late => Some(BootFailure::Late {
                seconds,
                doing: Doing::Down,
            }),
            _ if late => Some(BootFailure::Late {
                seconds,
                doing: Doing::Up,
            }),
            "script" | "ended" => Some(BootFailure::Gone),
            _ => Some(BootFailure::NotUp),
        }
    }
}

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
