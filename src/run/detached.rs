//! Mounts that are not attached yet: copies of what is mounted elsewhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::mount::{MoveMountFlags, OpenTreeFlags};

/// Copies what is at `source`.
///
/// # Errors
/// When it is not there; the error names it.
pub fn copy(source: &Path) -> std::io::Result<OwnedFd> {
    open_tree(source, OpenTreeFlags::empty())
}

/// The same, with everything that is mounted below it.
///
/// # Errors
/// When it is not there; the error names it.
pub fn copy_all(source: &Path) -> std::io::Result<OwnedFd> {
    open_tree(source, OpenTreeFlags::AT_RECURSIVE)
}

fn open_tree(source: &Path, more: OpenTreeFlags) -> std::io::Result<OwnedFd> {
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let copy = rustix::mount::open_tree(rustix::fs::CWD, source, clone | more);
    copy.map_err(|error| {
        let error = std::io::Error::from(error);
        std::io::Error::new(error.kind(), format!("{}: {error}", source.display()))
    })
}

/// Maps the owners of a copy by a user namespace.
///
/// # Errors
/// When the kernel, or the file system, can't.
pub fn map_owners(copy: &OwnedFd, namespace: impl AsFd) -> std::io::Result<()> {
    composefs_ioctls::mount::mount_setattr_idmap(copy, namespace)
}

/// Attaches a mount over `target`, whose last component is not followed.
///
/// # Errors
/// When `target` is not there, or the kernel refuses.
pub fn attach(mount: BorrowedFd<'_>, target: &Path) -> rustix::io::Result<()> {
    let from_mount = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(mount, "", rustix::fs::CWD, target, from_mount)
}
