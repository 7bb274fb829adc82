//! Layers on disk, by the key of what they were made from, and what belongs to them.
//!
//! ```text
//! STORE/layers/KEY/fs/        what the steps changed, as an overlay's upper directory
//! STORE/layers/KEY/layer.json what made it
//! STORE/layers/KEY/sum.json   its size, and a digest for `cache verify`
//! STORE/states/KEY            the archives' state that a layer was last made with
//! STORE/builds/RECIPE/OPTIONS what was built last, for reasons and for collection
//! STORE/exports/KEY           where an export of a layer was written
//! STORE/boots/KEY             that an export has booted as its recipe expects
//! STORE/merged/KEY/fs/        many layers as one, where an overlay cannot take them all
//! STORE/packages/POOL/        downloads of package managers, by SHA-256
//! STORE/tmp/NAME/             work of a running build, locked while it lives
//! STORE/failed/KEY/           the layer of a step that failed, for inspection
//! STORE/logs/BUILD/           one log a step, and the journal of commands
//! STORE/captures/KEY          what `capture` saw
//! STORE/fetch/sha256/DIGEST   fetched files
//! STORE/keyrings/NAME         keys that packages are checked with, by their fingerprints
//! STORE/checks/              what checks before a build have downloaded
//! STORE/versions.json         what programs of the host said their versions are
//! ```

mod boot_record;
mod build_record;
mod checksum;
mod collect;
mod layer;
mod outline;
pub mod owners;
mod pool;
mod trust;

use std::collections::BTreeSet;
use std::io::{self, BufRead};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fs_err as fs;
use rustix::fs::FlockOperation;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub use build_record::{Built, BuiltLayer};
pub use checksum::{CHANGED, Damage, LayerSum};
pub use collect::{Collected, Entry, EntryKind, Hold, Limits};
pub use layer::{ArchiveDigest, ArchiveState, ArchiveStates, LayerInfo};
pub use pool::{Downloaded, Offer, Offers};
pub use trust::OpenError;

use crate::plan::Key;

const FOLDERS: &[&str] = &[
    "layers", "states", "builds", "exports", "merged", "packages", "tmp", "failed", "logs",
    "locks", "captures", "fetch", "checks", "keyrings", "boots",
];

/// How long to wait between two looks at a lock that somebody else holds.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// Layers that this process has found to be what was committed.
    found_good: Arc<Mutex<BTreeSet<Key>>>,
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
    /// Opens the store, makes it private, and removes what killed builds have left.
    ///
    /// # Errors
    /// When its folders can't be made, or it isn't this user's alone.
    pub fn open(root: &Path) -> Result<Self, OpenError> {
        if !root.exists() {
            fs::create_dir_all(root)?;
        }
        trust::make_private(root, FOLDERS)?;
        for folder in FOLDERS {
            fs::create_dir_all(root.join(folder))?;
        }
        let store = Store {
            root: fs::canonicalize(root)?,
            found_good: Arc::default(),
        };
        store.remove_stale()?;
        Ok(store)
    }

    /// The store, if there is one; changes nothing.
    pub fn existing(root: &Path) -> Option<Self> {
        root.join("layers").is_dir().then(|| Store {
            root: root.to_owned(),
            found_good: Arc::default(),
        })
    }

    /// The place of a downloaded file, by its SHA-256.
    pub fn download(&self, sha256: &str) -> PathBuf {
        self.root.join("fetch").join("sha256").join(sha256)
    }

    /// Where things of a kind are.
    fn folder(&self, kind: &str) -> PathBuf {
        self.root.join(kind)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    fn remove_stale(&self) -> io::Result<()> {
        let _guard = self.guard()?;
        for entry in fs::read_dir(self.root.join("tmp"))? {
            let path = entry?.path();
            // Nobody makes a folder without its lock while the guard is held.
            let lock = there(fs::File::open(path.join("lock")))?;
            if lock.is_none_or(|lock| is_free(&lock)) {
                // The process that holds it may be removing it, too.
                there(fs::remove_dir_all(&path))?;
            }
        }
        Ok(())
    }

    /// Held for moments only: while it is, nobody else makes or removes folders of work,
    /// and nobody collects.
    fn guard(&self) -> io::Result<KeyLock> {
        let _file = locked(&self.root.join("locks/guard"))?;
        Ok(KeyLock { _file })
    }

    /// A fresh folder for work.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn work(&self) -> io::Result<Work> {
        self.claim(&[])
    }

    /// A fresh folder for work that needs these layers: they are not collected while it is
    /// held.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn claim(&self, keys: &[&Key]) -> io::Result<Work> {
        let _guard = self.guard()?;
        self.claimed_work(keys, None)
    }

    /// The same, and a folder for logs, which stay as long, too.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn begin(&self, keys: &[&Key]) -> io::Result<(Work, PathBuf)> {
        let _guard = self.guard()?;
        let logs = TempDir::with_prefix_in("build-", self.root.join("logs"))?.keep();
        Ok((self.claimed_work(keys, Some(&logs))?, logs))
    }

    /// The guard is held: a collector sees the folder with its claims, or not at all.
    fn claimed_work(&self, keys: &[&Key], logs: Option<&Path>) -> io::Result<Work> {
        let folder = TempDir::with_prefix_in("build-", self.root.join("tmp"))?;
        let _lock = locked(&folder.path().join("lock"))?;
        let logs = logs.and_then(Path::file_name).unwrap_or_default();
        let mut claims: Vec<String> = keys.iter().map(ToString::to_string).collect();
        claims.push(logs.to_string_lossy().into_owned());
        fs::write(folder.path().join("claims"), claims.join("\n"))?;
        let path = folder.keep();
        Ok(Work { path, _lock })
    }

    /// Waits until no other build makes the layer of `key`. `waiting` is asked again and
    /// again while one does; that it says `false` ends the wait.
    ///
    /// # Errors
    /// When the lock's file cannot be made.
    pub fn lock(
        &self,
        key: &Key,
        waiting: &mut dyn FnMut() -> bool,
    ) -> io::Result<Option<KeyLock>> {
        let path = self.root.join("locks").join(key.as_str());
        let mut file = fs::File::create(&path)?;
        loop {
            match rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive) {
                // The file may have been removed while this process waited for it.
                Ok(()) if is_named(&file, &path) => return Ok(Some(KeyLock { _file: file })),
                Ok(()) => file = fs::File::create(&path)?,
                Err(rustix::io::Errno::WOULDBLOCK) if waiting() => std::thread::sleep(LOOK_EVERY),
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What `capture` saw for a key.
    pub fn captured(&self, key: &Key) -> Option<String> {
        fs::read_to_string(self.root.join("captures").join(key.as_str())).ok()
    }

    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, key: &Key, output: &str) -> io::Result<()> {
        let folder = self.folder("captures");
        self.write(&folder, key.as_str(), output.as_bytes())
    }

    /// Writes a file that is there whole or not at all: a folder that others look through never
    /// has a part of it, whatever its name.
    fn write(&self, folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
        let work = self.work()?;
        let draft = work.path().join("draft");
        let mut file = fs::File::create_new(&draft)?;
        io::Write::write_all(&mut file, content)?;
        file.sync_data()?;
        // A collector sees the old file or the new one, not one after the other.
        let _guard = self.guard()?;
        fs::rename(draft, folder.join(name))
    }

    /// Writes a value as JSON, likewise.
    fn write_json(&self, folder: &Path, name: &str, value: &impl Serialize) -> io::Result<()> {
        self.write(folder, name, &serde_json::to_vec(value)?)
    }
}

fn is_named(file: &fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => inode(open) == inode(named),
        _ => false,
    }
}

/// The value in a file of JSON; `None` where it is not there or another one.
fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// A file's SHA-256, in hexadecimal.
///
/// # Errors
/// When the file can't be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut file = io::BufReader::with_capacity(1 << 16, fs::File::open(path)?);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            let digest = hasher.finalize();
            return Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(bytes);
        let read = bytes.len();
        file.consume(read);
    }
}

/// A new file, locked.
fn locked(path: &Path) -> io::Result<fs::File> {
    let file = fs::File::create(path)?;
    rustix::fs::flock(file.as_fd(), FlockOperation::LockExclusive)?;
    Ok(file)
}

/// Whether nobody else holds the file's lock; then this process does.
fn is_free(file: &fs::File) -> bool {
    rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// `None` for what is not there, or not any more: a running build may have taken it away.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
