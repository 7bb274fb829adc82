//! Changes to files inside of a root, each resolved inside of it and nowhere else.
//!
//! What is written appears whole or not at all, so a full disk leaves the old content.

mod accounts;
mod copy;
mod draft;
mod error;
mod fetch;
mod file_content;
pub mod glob;
mod kernel;
mod paths;
mod remove;
pub mod tree;
mod write;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::plan::{Op, Resolve, Source};

pub use accounts::Account;
pub use error::Error;
pub use fetch::{FetchLimits, download};
pub use file_content::{attributes, same_bytes, sha256};
pub use kernel::{newest_kernel, version_order};
pub use tree::Tree;

/// What the operations need beside the root.
pub struct FileContext<'a> {
    /// What texts stand for.
    pub values: &'a dyn Resolve,
    /// Where the source of a copy is.
    pub source: &'a dyn Fn(&Source) -> Option<PathBuf>,
}

impl fmt::Debug for FileContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileContext").finish_non_exhaustive()
    }
}

/// Carries `op` out in the root that is mounted at `root`. Parent directories that are
/// missing are made with mode 0755, root's.
///
/// # Errors
/// What went wrong, with paths as inside of the root. Commands and exports are not for
/// this function ([`Error::NotAFileOperation`]).
pub fn apply(root: &Path, op: &Op, context: &FileContext<'_>) -> Result<(), Error> {
    let tree = Tree::open(root)?;
    match op {
        Op::WriteFile(op) => write::write(&tree, op, context),
        Op::AppendFile(op) => write::append(&tree, op, context),
        Op::EditFile(op) => write::edit(&tree, op),
        Op::CopyIn(op) => copy::copy_in(&tree, op, context),
        Op::MakeDir(op) => paths::make_dir(&tree, op),
        Op::Symlink(op) => paths::symlink(&tree, op),
        Op::RemovePath(op) => remove::path(&tree, op),
        Op::MovePath(op) => paths::rename(&tree, op),
        Op::SetMode(op) => paths::set_mode(&tree, op),
        Op::SetOwner(op) => paths::set_owner(&tree, op),
        Op::RequirePaths(op) => paths::require(&tree, op),
        Op::Run(_) => Err(Error::NotAFileOperation { op: "run" }),
        Op::Export(_) => Err(Error::NotAFileOperation { op: "export" }),
        Op::ExpectBoot(_) => Err(Error::NotAFileOperation { op: "expect_boot" }),
    }
}
