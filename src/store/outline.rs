//! Whether a layer is still what was committed, as far as names, kinds, modes, owners, sizes
//! and times show it: cheap enough for every use. Contents are for `cache verify`.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::sync::{MutexGuard, PoisonError};

use super::Store;
use super::checksum::entry_facts;
use crate::plan::Key;

/// The digest of a tree's outline.
///
/// # Errors
/// When a folder can't be read.
pub fn outline(tree: &Path) -> io::Result<Key> {
    let mut hasher = blake3::Hasher::new();
    for entry in walkdir::WalkDir::new(tree).sort_by_file_name() {
        // A directory's size depends on the file system. Links are not counted: while a layer is
        // committed, the overlay's index still has one to each file of several names.
        let size = |metadata: &Metadata| metadata.len() * u64::from(!metadata.is_dir());
        entry_facts(&mut hasher, tree, &entry?, size)?;
    }
    Ok(Key::of(&[hasher.finalize().as_bytes()]))
}

impl Store {
    /// Whether a layer is not what was committed any more. One that this process has found
    /// good is not looked at again.
    ///
    /// # Errors
    /// When the layer can't be read.
    pub fn has_changed(&self, key: &Key) -> io::Result<bool> {
        if self.found_good().contains(key) {
            return Ok(false);
        }
        let committed = self.info(key).and_then(|info| info.outline);
        if let Some(committed) = committed
            && outline(&self.layer_fs(key))? != committed
        {
            return Ok(true);
        }
        self.found_good().insert(key.clone());
        Ok(false)
    }

    fn found_good(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        let lock = self.found_good.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }
}
