//! Which exports were booted, and came up as their recipe expects.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Store, now, read_json};
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
        read_json::<BootRecord>(&self.folder("boots").join(key.as_str())).is_some()
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
        self.write_json(&self.folder("boots"), key.as_str(), &record)
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

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
        store.forget_gone("boots").unwrap();
        assert!(store.has_booted(&key));
        fs::remove_dir(&export).unwrap();
        store.forget_gone("boots").unwrap();
        assert!(!store.has_booted(&key));
    }
}
