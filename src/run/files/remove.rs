//! `RemovePath`, and removing trees without following links.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::error::Error;
use super::glob;
use super::tree::{self, Tree, failed_to, kind_of, names, open_dir_at, stat_at};
use crate::plan::RemovePath;

/// Removes what the path names, links themselves and not what they lead to.
pub fn path(tree: &Tree, op: &RemovePath) -> Result<(), Error> {
    let failed = |error| failed_to("remove", op.path.as_ref(), error);
    tree::checked(&op.path)?;
    let found = glob::expand(tree, &op.path).map_err(failed)?;
    if found.is_empty() && !op.missing_ok && !glob::is_pattern(&op.path) {
        return Err(Error::Missing {
            doing: "remove",
            path: op.path.clone(),
        });
    }
    for path in found {
        let place = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => tree.find(parent).map_err(failed)?.zip(Some(name)),
            // `/` and what ends in `..`.
            _ => {
                return Err(Error::Kind {
                    doing: "remove",
                    path: op.path.clone(),
                    what: "not a name in a directory",
                });
            }
        };
        if let Some((dir, name)) = place {
            self::tree(&dir, name).map_err(|error| failed_to("remove", &path, error))?;
        }
    }
    Ok(())
}

/// Removes `name` and all below it; it is no error if it is gone.
pub fn tree(dir: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let Some(stat) = stat_at(dir, name)? else {
        return Ok(());
    };
    let flags = if kind_of(&stat) == FileType::Directory {
        let inner = open_dir_at(dir, name)?;
        for entry in names(&inner)? {
            tree(&inner, &entry)?;
        }
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    match rustix::fs::unlinkat(dir, name, flags) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
