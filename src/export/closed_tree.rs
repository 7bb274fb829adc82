//! The tree of formats `dir` and `nfs`, in a folder that only root may enter.
//!
//! A tree has the root's own set-uid programs and device nodes. Its top has the mode that nodes
//! see, so the folder around it is what keeps other users of this host away. The files beside
//! it stay open: servers of kernels and images don't run as root.
//!
//! ```text
//! OUT/NAME/tree/        mode 0700
//! OUT/NAME/tree/root/   the tree
//! OUT/NAME/root         a link to that, for root's convenience
//! ```

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::Error;
use crate::plan::{TREE, TREE_LINK};

/// Makes the closed folder in `bundle`; returns where the tree goes.
pub fn make(bundle: &Path) -> Result<PathBuf, Error> {
    let tree = bundle.join(TREE);
    let around = tree.parent().unwrap_or(bundle);
    let made = DirBuilder::new().mode(0o700).create(around);
    made.and_then(|()| symlink(TREE, bundle.join(TREE_LINK)))
        .map_err(Error::io("make", &tree))?;
    Ok(tree)
}

/// The tree of an export that is there. Exports of older versions have it in the link's place.
pub fn find(bundle: &Path) -> PathBuf {
    let tree = bundle.join(TREE);
    match fs::symlink_metadata(&tree) {
        Ok(_) => tree,
        Err(_) => bundle.join(TREE_LINK),
    }
}

/// Whether other users can't enter the tree of `bundle`.
pub fn is_closed(bundle: &Path) -> io::Result<bool> {
    let tree = bundle.join(TREE);
    let around = fs::symlink_metadata(tree.parent().unwrap_or(bundle))?;
    Ok(around.is_dir() && around.mode() & 0o077 == 0)
}
