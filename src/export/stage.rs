//! A copy of the root for tools that take a tree: without what is left out, and with
//! times clamped. Both are tar's doing, so that a pattern means the same in every format.

use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};

use super::error::Error;
use super::root::ExportRoot;
use super::tools::ToolPaths;
use crate::plan::Export;
use crate::plan::tool::{ToolPart, tar_copy};

/// Removed when it is dropped.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    mounted: bool,
    _folder: tempfile::TempDir,
}

impl Staged {
    /// A copy in `folder`.
    pub fn new(export: &Export, root: ExportRoot<'_>, folder: &Path) -> Result<Staged, Error> {
        let staged = Staged::empty(folder)?;
        copy(export, root, &staged.path)?;
        Ok(staged)
    }

    /// A copy in memory, where the order in which a directory is read depends only on the
    /// order in which it was filled.
    pub fn in_memory(export: &Export, root: ExportRoot<'_>) -> Result<Staged, Error> {
        // Where the build keeps what is its own: a tmpfs maps no owners before Linux 6.3.
        let mut staged = Staged::empty(&std::env::temp_dir())?;
        let (name, options) = ("rootwright-stage", c"mode=0755,size=100%,nr_inodes=0");
        rustix::mount::mount(
            name,
            &staged.path,
            "tmpfs",
            MountFlags::NODEV,
            Some(options),
        )
        .map_err(io::Error::from)
        .map_err(Error::io("mount a tmpfs on", &staged.path))?;
        staged.mounted = true;
        copy(export, root, &staged.path)?;
        Ok(staged)
    }

    fn empty(folder: &Path) -> Result<Staged, Error> {
        let failed = Error::io("make a folder in", folder);
        let made = tempfile::TempDir::with_prefix_in("stage-", folder).map_err(failed)?;
        let path = made.path().join("root");
        std::fs::create_dir(&path).map_err(failed)?;
        Ok(Staged {
            path,
            mounted: false,
            _folder: made,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.mounted
            && let Err(error) = rustix::mount::unmount(&self.path, UnmountFlags::DETACH)
        {
            tracing::warn!("cannot unmount {}: {error}", self.path.display());
        }
    }
}

/// Fills the empty folder `dest`.
pub fn copy(export: &Export, root: ExportRoot<'_>, dest: &Path) -> Result<(), Error> {
    let places = ToolPaths::of_root(export, root, dest);
    let tools = tar_copy(export, ToolPart::Output).map(|words| places.argv(&words));
    places.copy(tools.iter().map(|argv| places.process(argv)).collect())
}
