//! Whether a layer is still what was committed, as far as names, kinds, modes, owners, sizes
//! and times show it: cheap enough for every use. Contents are for `cache verify`.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::PoisonError;

use super::{Damage, Store};
use crate::plan::Key;

/// The digest of a tree's outline.
///
/// # Errors
/// When a folder can't be read.
pub fn outline(tree: &Path) -> io::Result<Key> {
    let mut hasher = blake3::Hasher::new();
    for entry in walkdir::WalkDir::new(tree).sort_by_file_name() {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let name = entry.path().strip_prefix(tree).unwrap_or(entry.path());
        hasher.update(name.as_os_str().as_bytes());
        // No name has this byte in it.
        hasher.update(&[0]);
        let size = if metadata.is_dir() { 0 } else { metadata.len() };
        let facts = [
            u64::from(metadata.mode()),
            u64::from(metadata.uid()),
            u64::from(metadata.gid()),
            metadata.rdev(),
            size,
            metadata.mtime().cast_unsigned(),
            metadata.mtime_nsec().cast_unsigned(),
        ];
        for fact in facts {
            hasher.update(&fact.to_le_bytes());
        }
    }
    Ok(Key::of(&[hasher.finalize().as_bytes()]))
}

impl Store {
    /// Looks once whether a layer is what was committed; gives what is wrong with it.
    ///
    /// # Errors
    /// When the layer can't be read.
    pub fn changed(&self, key: &Key) -> io::Result<Option<Damage>> {
        let mut looked_at = self
            .looked_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let committed = self.info(key).and_then(|info| info.outline);
        let Some(committed) = committed.filter(|_| !looked_at.contains(key)) else {
            return Ok(None);
        };
        if outline(&self.layer_fs(key))? == committed {
            looked_at.insert(key.clone());
            return Ok(None);
        }
        Ok(Some(Damage {
            path: format!("layers/{key}"),
            what: "its files are not those that were committed".to_owned(),
        }))
    }
}
