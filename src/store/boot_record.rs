//! Which exports were booted, and came up as their recipe expects.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::{Store, now, write_atomically};
use crate::plan::Key;

/// A boot that went as it was expected to.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct BootRecord {
    /// The export; what is known of it goes when it does.
    path: PathBuf,
    /// In seconds since 1970.
    booted: u64,
}

impl Store {
    /// Whether the boot that `key` stands for has gone well.
    pub fn has_booted(&self, key: &Key) -> bool {
        let text = fs::read(self.boots().join(key.as_str()));
        text.is_ok_and(|text| serde_json::from_slice::<BootRecord>(&text).is_ok())
    }

    /// Remembers that the export at `path` came up.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record_boot(&self, key: &Key, path: &Path) -> io::Result<()> {
        let record = BootRecord {
            path: path.to_owned(),
            booted: now(),
        };
        write_atomically(&self.boots(), key.as_str(), &serde_json::to_vec(&record)?)
    }

    /// Forgets boots of exports that are gone.
    pub(super) fn forget_boots(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.boots())? {
            let path = entry?.path();
            let there = fs::read(&path)
                .ok()
                .and_then(|text| serde_json::from_slice::<BootRecord>(&text).ok())
                .is_some_and(|record| record.path.exists());
            if !there {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn boots(&self) -> PathBuf {
        self.root.join("boots")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_known_for_as_long_as_its_export_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let export = folder.path().join("nodes");
        fs::create_dir(&export).unwrap();
        let (key, other) = (Key::of(&["a"]), Key::of(&["b"]));
        store.record_boot(&key, &export).unwrap();
        assert!(store.has_booted(&key) && !store.has_booted(&other));
        store.forget_boots().unwrap();
        assert!(store.has_booted(&key));
        fs::remove_dir(&export).unwrap();
        store.forget_boots().unwrap();
        assert!(!store.has_booted(&key));
    }
}
