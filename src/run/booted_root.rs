//! Booting a root: the folder that its container sees, and what came of it.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fs_err as fs;
use fs_err::os::unix::fs::OpenOptionsExt;

use super::boot_failure::{BootFailure, BootStage};
use super::container::Lent;
use super::output::Log;
use super::secrets::Secrets;
use super::user_namespace::first;
use crate::plan::Run;
use crate::plan::command::{BOOT_STDIN, Mode, SHELL_RUNTIME, boot_files};

/// A folder on a tmpfs of the build's own, with what the booted system runs and says. That system
/// may put anything there: what it says is read as [`Control::said`] does it.
pub struct Control {
    folder: tempfile::TempDir,
    /// The script that boots the root, which the root does not see.
    boot: tempfile::NamedTempFile,
}

/// As much of what the system says is read.
const CONSOLE: u64 = 4 << 20;
const STAGE: u64 = 100;

impl Control {
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn new(run: &Run, stdin: Option<&[u8]>) -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        for (name, content) in boot_files(run) {
            fs::write(folder.path().join(name), content)?;
        }
        let script = format!("{SHELL_RUNTIME}\nboot_in_root \"$@\"\n");
        let boot = tempfile::NamedTempFile::new()?;
        fs::write(boot.path(), script)?;
        if let Some(stdin) = stdin {
            let path = folder.path().join(BOOT_STDIN);
            fs::write(&path, stdin)?;
            fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        }
        Ok(Control { folder, boot })
    }

    /// The command line that boots the root mounted at `root`.
    ///
    /// # Errors
    /// When the root cannot be opened.
    pub fn argv(
        &self,
        lent: &Lent<'_>,
        run: &Run,
        timeout: u64,
        root: &Path,
    ) -> std::io::Result<Vec<String>> {
        if lent.is_held() {
            // Root in the container writes there.
            std::os::unix::fs::chown(self.folder.path(), Some(first()), Some(first()))?;
        }
        let inside = pathrs::Root::open(root).map_err(std::io::Error::other)?;
        // A root may have none, or a link that leads nowhere.
        let etc = inside.resolve("/etc").ok();
        let etc = etc.as_ref().map(super::resolver::handle_path).transpose()?;
        let word = |path: &Path| path.display().to_string();
        let mut argv = ["bash", "-euo", "pipefail"].map(str::to_owned).to_vec();
        argv.extend([word(self.boot.path()), timeout.to_string()]);
        argv.extend([word(root), etc.as_deref().map_or_else(String::new, word)]);
        argv.push(word(self.folder.path()));
        argv.extend(lent.argv(run, Mode::Boot, root, &[]));
        Ok(argv)
    }

    /// Adds what the system printed on its console to the step's log.
    pub fn keep_console(&self, secrets: &Secrets, log: &Path) {
        let Some(bytes) = self.said("console", CONSOLE) else {
            return;
        };
        let mut log = Log::open(log);
        let mut redactor = secrets.redactor();
        let mut text = redactor.add(&bytes);
        text.extend(redactor.end());
        for line in String::from_utf8_lossy(&text).lines() {
            log.line(&format!("# console: {}", line.trim_end()));
        }
    }

    /// What is wrong with the system, whatever its command did.
    pub fn failure(&self, seconds: u64) -> Option<BootFailure> {
        let stage = self.said("stage", STAGE).unwrap_or_default();
        let stage = String::from_utf8_lossy(&stage);
        let doing = match stage.trim() {
            "down" => return None,
            "no-init" => return Some(BootFailure::NoInit),
            "again" => return Some(BootFailure::Again),
            "script" => BootStage::Script,
            "ended" => BootStage::Down,
            _ => BootStage::Up,
        };
        Some(match (self.said("late", STAGE), doing) {
            (Some(_), doing) => BootFailure::Late { seconds, doing },
            (None, BootStage::Up) => BootFailure::NotUp,
            (None, BootStage::Script | BootStage::Down) => BootFailure::Gone,
        })
    }

    /// The beginning of a file that the system may have made: a plain file, behind no link.
    fn said(&self, name: &str, most: u64) -> Option<Vec<u8>> {
        let mut options = fs::File::options();
        // A pipe would be waited for.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let options = options.read(true).custom_flags(flags);
        let file = options.open(self.folder.path().join(name)).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}
