//! Layers on disk, by the key of what they were made from.
//!
//! ```text
//! STORE/layers/KEY/fs/        what the step changed, as an overlay's upper directory
//! STORE/layers/KEY/layer.json what made it
//! STORE/tmp/NAME/             work of a running build, locked while it lives
//! STORE/failed/KEY/           the layer of a step that failed, for inspection
//! STORE/logs/BUILD/           one log a step, and the journal of commands
//! STORE/captures/KEY          what `capture` saw
//! STORE/fetch/DIGEST          fetched files
//! ```

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use crate::plan::Key;

/// What a layer was made from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayerInfo {
    pub parent: Option<Key>,
    pub label: String,
    /// How long the step took, in seconds.
    pub seconds: f64,
}

#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// A folder for work that is not finished. Locked while it is held; removed when it is
/// dropped, or by the next build when its process was killed.
pub struct Work {
    path: PathBuf,
    _lock: fs::File,
}

impl Work {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Holds a key's lock; released when it is dropped, or when the process dies.
pub struct KeyLock {
    _file: fs::File,
}

impl Store {
    /// Opens the store, and removes what killed builds have left.
    ///
    /// # Errors
    /// When its folders cannot be made.
    pub fn open(root: &Path) -> io::Result<Self> {
        if !root.exists() {
            fs::create_dir_all(root)?;
            // Old set-uid programs of layers are for nobody else to run.
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            fs::set_permissions(root, private)?;
        }
        for folder in [
            "layers", "tmp", "failed", "logs", "locks", "captures", "fetch",
        ] {
            fs::create_dir_all(root.join(folder))?;
        }
        let store = Store {
            root: fs::canonicalize(root)?,
        };
        store.remove_stale()?;
        Ok(store)
    }

    /// The store, if there is one; changes nothing.
    pub fn existing(root: &Path) -> Option<Self> {
        root.join("layers").is_dir().then(|| Store {
            root: root.to_owned(),
        })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    fn remove_stale(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.root.join("tmp"))? {
            let path = entry?.path();
            let Ok(lock) = fs::File::open(path.join("lock")) else {
                continue;
            };
            if rustix::fs::flock(lock.as_fd(), FlockOperation::NonBlockingLockExclusive).is_ok() {
                fs::remove_dir_all(&path)?;
            }
        }
        Ok(())
    }

    /// A fresh folder for work.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn work(&self) -> io::Result<Work> {
        let folder = tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(self.root.join("tmp"))?;
        let lock = fs::File::create(folder.path().join("lock"))?;
        rustix::fs::flock(lock.as_fd(), FlockOperation::LockExclusive)?;
        Ok(Work {
            path: folder.keep(),
            _lock: lock,
        })
    }

    fn layer(&self, key: &Key) -> PathBuf {
        self.root.join("layers").join(key.as_str())
    }

    /// The tree of a committed layer.
    pub fn layer_fs(&self, key: &Key) -> PathBuf {
        self.layer(key).join("fs")
    }

    pub fn has(&self, key: &Key) -> bool {
        self.layer(key).join("layer.json").is_file()
    }

    /// Waits until no other build makes the layer of `key`.
    ///
    /// # Errors
    /// When the lock's file cannot be made.
    pub fn lock(&self, key: &Key) -> io::Result<KeyLock> {
        let file = fs::File::create(self.root.join("locks").join(key.as_str()))?;
        rustix::fs::flock(file.as_fd(), FlockOperation::LockExclusive)?;
        Ok(KeyLock { _file: file })
    }

    /// Makes `made`, a folder with `fs` in it, the layer of `key`: written out, then renamed,
    /// so that a layer is there whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written out or renamed.
    pub fn commit(&self, key: &Key, made: &Path, info: &LayerInfo) -> io::Result<()> {
        let json = serde_json::to_vec_pretty(info)?;
        fs::write(made.join("layer.json"), json)?;
        rustix::fs::syncfs(fs::File::open(made)?.as_fd())?;
        fs::rename(made, self.layer(key))?;
        fs::File::open(self.root.join("layers"))?.sync_all()
    }

    /// Keeps the layer of a step that failed, in the place of an older one.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn keep_failed(&self, key: &Key, made: &Path) -> io::Result<PathBuf> {
        let kept = self.root.join("failed").join(key.as_str());
        if kept.exists() {
            fs::remove_dir_all(&kept)?;
        }
        fs::rename(made, &kept)?;
        Ok(kept)
    }

    /// A folder for the logs of one build.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn logs(&self) -> io::Result<PathBuf> {
        let folder = tempfile::Builder::new()
            .prefix("build-")
            .tempdir_in(self.root.join("logs"))?;
        Ok(folder.keep())
    }

    /// The file of a fetched file with this sha256 digest.
    pub fn fetched(&self, sha256: &str) -> PathBuf {
        self.root.join("fetch").join(sha256)
    }

    /// What `capture` saw for a key.
    pub fn captured(&self, key: &Key) -> Option<String> {
        fs::read_to_string(self.root.join("captures").join(key.as_str())).ok()
    }

    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, key: &Key, output: &str) -> io::Result<()> {
        let folder = self.root.join("captures");
        let mut file = tempfile::NamedTempFile::new_in(&folder)?;
        io::Write::write_all(&mut file, output.as_bytes())?;
        file.persist(folder.join(key.as_str()))?;
        Ok(())
    }
}
