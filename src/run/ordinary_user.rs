//! The user whose build this is, where that isn't root.

use std::path::Path;
use std::sync::OnceLock;

use super::own_thread::in_own_thread;
use crate::store::owners::{USER, in_namespace};

/// Programs that look at who the user is behind root, git among them, know this variable.
const SUDO: (&str, &str) = ("SUDO_UID", "65536");

/// Set when this process has become root of a namespace.
static BECAME_ROOT: OnceLock<()> = OnceLock::new();

/// Notes that this process has become root of a user namespace.
pub fn became_root() {
    let _ = BECAME_ROOT.set(());
}

/// Whether somebody who is not root started this.
pub fn is_ordinary_user() -> bool {
    let inside = || std::env::var(SUDO.0).is_ok_and(|id| id == SUDO.1);
    !rustix::process::geteuid().is_root()
        || BECAME_ROOT.get().is_some()
        || (in_namespace() && inside())
}

/// What the process inside has in its environment.
pub fn environment() -> Option<(&'static str, &'static str)> {
    is_ordinary_user().then_some(SUDO)
}

/// Calls `work` with the user's own rights to files: a folder of another group than the user's own
/// gives the namespace's root none.
pub fn as_user<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if !is_ordinary_user() || !in_namespace() {
        return work();
    }
    in_own_thread(|| {
        nix::unistd::setfsgid(USER.into());
        nix::unistd::setfsuid(USER.into());
        work()
    })
}

/// Gives a file or folder to the user.
///
/// # Errors
/// When the kernel refuses.
pub fn give_to_user(path: &Path) -> std::io::Result<()> {
    match is_ordinary_user() {
        true => std::os::unix::fs::lchown(path, Some(USER), Some(USER)),
        false => Ok(()),
    }
}
