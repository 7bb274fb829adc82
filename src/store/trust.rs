//! Whether a store is this user's alone. Anyone who can write to it can put files into every root
//! that is built from it, and anyone who can read it finds secrets and set-uid programs of layers.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::owners::{self, in_namespace};
use super::there;

/// Why a store is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the store can be replaced by another user: {path} belongs to user {owner}", path = path.display())]
    Owner { path: PathBuf, owner: u32 },
    #[error("others can write to the store: {path} has mode {mode:04o}", path = path.display())]
    Writable { path: PathBuf, mode: u32 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl OpenError {
    /// The command that cures it, where one does.
    pub fn cure(&self) -> Option<String> {
        match self {
            OpenError::Owner { .. } | OpenError::Io(_) => None,
            OpenError::Writable { path, .. } => Some(format!("chmod go-w {}", path.display())),
        }
    }
}

/// Refuses a store that somebody else owns or can write to, or that stands in a folder of
/// which that holds; then makes it private.
pub fn make_private(store: &Path, folders: &[&str]) -> Result<(), OpenError> {
    let given = std::path::absolute(store)?;
    let real = fs::canonicalize(store)?;
    for path in given.ancestors().chain(real.ancestors()) {
        let metadata = fs::symlink_metadata(path)?;
        let is_above = path != given && path != real;
        // The host's root, mostly, is one of those that the namespace doesn't know.
        match is_above && in_namespace() && metadata.uid() == owners::UNKNOWN {
            true => check_mode(path, &metadata, true)?,
            false => check(path, &metadata, is_above)?,
        }
    }
    for folder in folders {
        let folder = real.join(folder);
        if let Some(metadata) = there(fs::symlink_metadata(&folder))? {
            check(&folder, &metadata, false)?;
        }
    }
    if fs::metadata(&real)?.mode() & 0o077 != 0 {
        fs::set_permissions(&real, PermissionsExt::from_mode(0o700))?;
    }
    Ok(())
}

/// In a folder with the sticky bit, such as /tmp, nobody can replace what is another's.
fn check(path: &Path, metadata: &Metadata, sticky_will_do: bool) -> Result<(), OpenError> {
    let owner = metadata.uid();
    if !trusted(owner) {
        let path = path.to_owned();
        return Err(OpenError::Owner { path, owner });
    }
    check_mode(path, metadata, sticky_will_do)
}

fn check_mode(path: &Path, metadata: &Metadata, sticky_will_do: bool) -> Result<(), OpenError> {
    let mode = metadata.mode() & 0o7777;
    let path = path.to_owned();
    let sticky = sticky_will_do && mode & 0o1000 != 0;
    match metadata.is_dir() && mode & 0o022 != 0 && !sticky {
        true => Err(OpenError::Writable { path, mode }),
        false => Ok(()),
    }
}

/// Root, this user, and a user who became root with sudo(8) or in a user namespace.
fn trusted(owner: u32) -> bool {
    if in_namespace() && owner == owners::USER {
        return true;
    }
    let by_sudo = std::env::var("SUDO_UID").ok();
    owner == 0
        || owner == rustix::process::geteuid().as_raw()
        || by_sudo.and_then(|uid| uid.parse().ok()) == Some(owner)
}
