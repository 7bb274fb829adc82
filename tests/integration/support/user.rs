//! An ordinary user, with subordinate IDs, of a host that has one more user than this one.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::project::Run;
use super::run;

/// The user's and the group's number, which no user of a fresh host has.
pub const ID: u32 = 54_321;
/// The first subordinate ID.
pub const FIRST: u32 = 7_000_000;

/// The user in a mount namespace with a private /etc: the host's has no such user.
pub struct User {
    folder: tempfile::TempDir,
}

impl User {
    pub fn new() -> Self {
        let user = User {
            folder: tempfile::tempdir().unwrap(),
        };
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(user.folder.path(), mode).unwrap();
        run(Command::new("cp").args(["-a", "/etc"]).arg(user.etc()));
        user.add(
            "passwd",
            &format!("builder:x:{ID}:{ID}::{}:/bin/sh\n", user.home().display()),
        );
        user.add("group", &format!("builder:x:{ID}:\n"));
        user.ids(&format!("builder:{FIRST}:65536\n"));
        std::fs::create_dir(user.home()).unwrap();
        user.own(&user.home());
        // By another program: what this process has open for writing, a command that another
        // test starts may inherit, and a program that is open so does not run.
        run(Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_rootwright"))
            .arg(user.program()));
        user
    }

    /// What subuid(5) and subgid(5) are to say.
    pub fn ids(&self, text: &str) {
        for name in ["subuid", "subgid"] {
            std::fs::write(self.etc().join(name), text).unwrap();
        }
    }

    fn add(&self, name: &str, line: &str) {
        let path = self.etc().join(name);
        let text = std::fs::read_to_string(&path).unwrap() + line;
        std::fs::write(path, text).unwrap();
    }

    fn etc(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("rootwright")
    }

    /// Gives a tree to the user.
    pub fn own(&self, path: &Path) {
        for entry in walkdir::WalkDir::new(path) {
            chown(entry.unwrap().path(), Some(ID), Some(ID)).unwrap();
        }
    }

    /// The same command of rootwright, by the user.
    pub fn runs(&self, command: Run) -> Run {
        command.instead(self.command(self.program().as_ref()))
    }

    /// A program, by the user.
    pub fn command(&self, program: &std::ffi::OsStr) -> Command {
        let script = "mount --bind \"$1\" /etc && shift && exec setpriv --reuid=54321 --regid=54321 --clear-groups -- \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--", "sh", "-euc", script, "sh"])
            .arg(self.etc())
            .arg(program)
            .env("HOME", self.home());
        command
    }
}
