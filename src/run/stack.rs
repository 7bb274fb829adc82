//! A root as it is after some layers, with a fresh layer on top.

use std::cell::RefCell;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use tempfile::TempDir;

use super::Error;
use super::mount::Mounted;
use super::process::Process;
use super::user_namespace::{self, UserNamespace};
use crate::plan::Key;
use crate::plan::tool::{self, ToolPart};
use crate::store::Store;

/// Layers that one overlay is given at most; the kernel takes 500, and kernels before 6.5
/// as many as fit on a page of options.
const MOST: usize = 150;
/// As many of the lowest layers are merged into one where there are more.
const MERGED: usize = 100;

/// A mounted root whose changes go to a fresh layer.
pub struct OpenRoot {
    /// Where it is mounted.
    path: PathBuf,
    lower: Vec<PathBuf>,
    /// `None` while nothing is mounted, between two mounts or after one has failed.
    mounted: RefCell<Option<Mounted>>,
    closed: FreshLayer,
}

/// A root for commands: its files belong to the IDs of their user namespace. It is mounted as
/// before when this is dropped; [`ConfinedRoot::release`] reports whether that worked.
#[must_use]
pub struct ConfinedRoot<'a> {
    root: &'a OpenRoot,
    ids: Option<Arc<UserNamespace>>,
}

/// The fresh layer, after its root was unmounted.
pub struct FreshLayer {
    /// The folder that becomes the layer.
    made: PathBuf,
    folder: TempDir,
}

/// Mounts the layers `below`, the lowest first, with a fresh one on top.
///
/// # Errors
/// When a layer is not what was committed, a folder cannot be made, or the kernel refuses the
/// overlay.
pub fn open(store: &Store, below: &[Key], work: &Path) -> Result<OpenRoot, Error> {
    for key in below {
        if store.has_changed(key).map_err(Error::store)? {
            return Err(Error::Layer { key: key.clone() });
        }
    }
    let lower = trees(store, below, work)?;
    open_trees(&lower, work)
}

/// The same, for any trees.
///
/// # Errors
/// As [`open`].
pub fn open_trees(lower: &[PathBuf], work: &Path) -> Result<OpenRoot, Error> {
    let folder = TempDir::with_prefix_in("step-", work).map_err(Error::store)?;
    let made = folder.path().join("layer");
    let upper = made.join("fs");
    fs::create_dir_all(&upper).map_err(Error::store)?;
    root_attributes(lower.last(), &upper).map_err(Error::store)?;
    let mounted = Mounted::overlay(lower, &upper, folder.path(), None)?;
    Ok(OpenRoot {
        path: mounted.path().to_owned(),
        lower: lower.to_vec(),
        mounted: RefCell::new(Some(mounted)),
        closed: FreshLayer { made, folder },
    })
}

impl OpenRoot {
    /// A folder in the place of a mount, for tests without privileges.
    #[cfg(test)]
    pub fn of_folder() -> std::io::Result<Self> {
        let folder = TempDir::new()?;
        let made = folder.path().to_owned();
        fs::create_dir(made.join("fs"))?;
        Ok(OpenRoot {
            path: made.join("fs"),
            lower: Vec::new(),
            mounted: RefCell::new(None),
            closed: FreshLayer { made, folder },
        })
    }

    /// Where the root is. Its files have the owners that they have on disk, except while it is
    /// a [`ConfinedRoot`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The fresh layer's tree. It is read only while the root is mounted.
    pub fn upper(&self) -> PathBuf {
        self.closed.tree()
    }

    /// Mounts the root for commands, in the same place. No file in it may be open.
    ///
    /// # Errors
    /// When the kernel refuses the mount, or there is no user namespace.
    pub fn confine(&self) -> Result<ConfinedRoot<'_>, Error> {
        let ids = user_namespace::current()?;
        let confined = ConfinedRoot { root: self, ids };
        if confined.shifts() {
            self.mount(confined.ids.as_deref())?;
        }
        Ok(confined)
    }

    fn mount(&self, ids: Option<&UserNamespace>) -> Result<(), Error> {
        let mut mounted = self.mounted.borrow_mut();
        if let Some(before) = mounted.take() {
            before.settle().map_err(Error::store)?;
        }
        let (upper, folder) = (self.upper(), self.closed.folder.path());
        *mounted = Some(Mounted::overlay(&self.lower, &upper, folder, ids)?);
        Ok(())
    }

    /// Brings the fresh layer into a state that does not depend on this mount.
    ///
    /// # Errors
    /// When the tree cannot be read, a file not be copied up, or nothing is mounted.
    pub fn settle(&self) -> Result<(), Error> {
        match &*self.mounted.borrow() {
            Some(mounted) => mounted.settle().map_err(Error::store),
            None => Err(Error::store(std::io::ErrorKind::NotConnected.into())),
        }
    }

    pub fn unmount(self) -> FreshLayer {
        drop(self.mounted);
        self.closed
    }
}

impl ConfinedRoot<'_> {
    /// The namespace of the commands; `None` where they run unconfined.
    pub fn ids(&self) -> Option<&UserNamespace> {
        self.ids.as_deref()
    }

    /// Mounts the root as it was.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn release(mut self) -> Result<(), Error> {
        self.put_back()
    }

    fn shifts(&self) -> bool {
        self.ids.as_ref().is_some_and(|ids| ids.shifts())
    }

    fn put_back(&mut self) -> Result<(), Error> {
        let shifted = self.shifts();
        self.ids = None;
        match shifted {
            true => self.root.mount(None),
            false => Ok(()),
        }
    }
}

impl Drop for ConfinedRoot<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.put_back() {
            tracing::warn!("{error}");
        }
    }
}

impl FreshLayer {
    /// The folder that becomes the layer; `fs` in it is the tree.
    pub fn made(&self) -> &Path {
        &self.made
    }

    /// What was changed.
    pub fn tree(&self) -> PathBuf {
        self.made.join("fs")
    }
}

/// The trees of `below`, at most [`MOST`] of them.
fn trees(store: &Store, below: &[Key], work: &Path) -> Result<Vec<PathBuf>, Error> {
    if below.len() <= MOST {
        return Ok(below.iter().map(|key| store.layer_fs(key)).collect());
    }
    // The same cuts for every height: what is merged once serves all that stands on it.
    let cut = (below.len() - 1) / MERGED * MERGED;
    let (low, high) = below.split_at(cut);
    let mut trees = vec![merged(store, low, work)?];
    trees.extend(high.iter().map(|key| store.layer_fs(key)));
    Ok(trees)
}

/// One tree that is the same as all of `low`, a multiple of [`MERGED`].
fn merged(store: &Store, low: &[Key], work: &Path) -> Result<PathBuf, Error> {
    let Some(top) = low.last() else {
        return Err(Error::store(std::io::ErrorKind::InvalidInput.into()));
    };
    if let Some(tree) = store.merged(top) {
        return Ok(tree);
    }
    let (lowest, rest) = low.split_at(low.len() - MERGED);
    let mut trees = match lowest {
        [] => Vec::new(),
        _ => vec![merged(store, lowest, work)?],
    };
    trees.extend(rest.iter().map(|key| store.layer_fs(key)));
    let open = open_trees(&trees, work)?;
    let folder = TempDir::with_prefix_in("merge-", work).map_err(Error::store)?;
    let tree = folder.path().join("fs");
    fs::create_dir(&tree).map_err(Error::store)?;
    let argv = tool::resolved(&tool::copy(), |part| match part {
        ToolPart::Output => tree.display().to_string(),
        _ => open.path().display().to_string(),
    });
    let confined = open.confine()?;
    let copy = Process::new(argv).changes_root(open.path()).writes(&tree);
    let copied = copy.capture(1 << 20).map_err(Error::store)?;
    confined.release()?;
    if !copied.ended.status.success() {
        let said = copied.stderr();
        return Err(Error::store(std::io::Error::other(said.trim().to_owned())));
    }
    let committed = store.commit_merged(top, folder.path());
    committed.map_err(Error::store)
}

/// The directory `/` itself is the topmost layer's: mode and owner go on from the layer
/// below, and start as 0755, root's, whatever this process's umask is.
fn root_attributes(below: Option<&PathBuf>, upper: &Path) -> std::io::Result<()> {
    let mut mode = 0o755;
    if let Some(below) = below {
        let metadata = fs::metadata(below)?;
        mode = metadata.mode() & 0o7777;
        chown(upper, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    fs::set_permissions(upper, PermissionsExt::from_mode(mode))
}
