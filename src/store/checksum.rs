//! The size of a layer, and a digest over everything that it holds.

use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::{Store, read_json, sha256};
use crate::plan::Key;

/// Taken once, when a layer was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSum {
    /// Names, kinds, modes, owners, times, extended attributes and contents.
    pub digest: Key,
    /// Bytes on the disk.
    pub bytes: u64,
    pub files: u64,
}

/// Something in the store that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Relative to the store.
    pub path: String,
    pub what: String,
}

/// What is wrong with a layer whose digest or outline is another one now.
pub const CHANGED: &str = "its files are not those that were committed";

impl LayerSum {
    /// # Errors
    /// When something cannot be read.
    pub fn of(tree: &Path) -> io::Result<LayerSum> {
        let mut hasher = blake3::Hasher::new();
        let (mut bytes, mut files) = (0, 0);
        for entry in walkdir::WalkDir::new(tree).sort_by_file_name() {
            let entry = entry?;
            let links = |metadata: &Metadata| metadata.nlink() * u64::from(metadata.is_file());
            let metadata = entry_facts(&mut hasher, tree, &entry, links)?;
            let kind = metadata.file_type();
            let mut names: Vec<_> = xattr::list(entry.path())?.collect();
            names.sort();
            for name in names {
                let value = xattr::get(entry.path(), &name)?.unwrap_or_default();
                part(&mut hasher, name.as_bytes());
                part(&mut hasher, &value);
            }
            if kind.is_file() {
                files += 1;
                hasher.update(&metadata.len().to_le_bytes());
                hasher.update_reader(fs::File::open(entry.path())?)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path())?;
                part(&mut hasher, target.as_os_str().as_bytes());
            }
            bytes += metadata.blocks() * 512;
        }
        let digest = Key::of(&[hasher.finalize().as_bytes()]);
        Ok(LayerSum {
            digest,
            bytes,
            files,
        })
    }
}

/// Hashes what shows of an entry without opening it: its name below `tree`, its kind, mode,
/// owner and times, and what `own` takes of the metadata besides.
///
/// # Errors
/// When they cannot be read.
pub(super) fn entry_facts(
    hasher: &mut blake3::Hasher,
    tree: &Path,
    entry: &walkdir::DirEntry,
    own: impl Fn(&Metadata) -> u64,
) -> io::Result<Metadata> {
    let metadata = entry.metadata()?;
    let kind = metadata.file_type();
    let name = entry.path().strip_prefix(tree).unwrap_or(entry.path());
    part(hasher, name.as_os_str().as_bytes());
    let facts = [
        u64::from(metadata.mode()),
        u64::from(metadata.uid()),
        u64::from(metadata.gid()),
        own(&metadata),
        metadata.rdev() * u64::from(kind.is_char_device() || kind.is_block_device()),
        metadata.mtime().cast_unsigned(),
        metadata.mtime_nsec().cast_unsigned(),
    ];
    for fact in facts {
        hasher.update(&fact.to_le_bytes());
    }
    Ok(metadata)
}

fn part(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

impl Store {
    /// The sum that was taken of a layer.
    pub fn sum(&self, key: &Key) -> Option<LayerSum> {
        read_json(&self.layer(key).join("sum.json"))
    }

    /// Takes the sum of a layer, and writes it down.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub fn take_sum(&self, key: &Key) -> io::Result<LayerSum> {
        let sum = LayerSum::of(&self.layer_fs(key))?;
        self.write_json(&self.layer(key), "sum.json", &sum)?;
        Ok(sum)
    }

    /// Reads everything that has a digest, and says what does not fit it any more. `see`
    /// gets each key before it is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verify(&self, see: &mut dyn FnMut(&Key)) -> io::Result<Vec<Damage>> {
        let mut damage = Vec::new();
        let keys = self.layers()?;
        // A collector leaves them alone meanwhile. A full disk has no room to say so.
        let _claimed = self.claim(&keys.iter().collect::<Vec<_>>()).ok();
        let there = |key: &Key| self.layer(key).exists();
        for key in keys.into_iter().filter(there) {
            see(&key);
            let path = format!("layers/{key}");
            let what = self.layer_damage(&key)?;
            damage.extend(what.map(|what| Damage { path, what }));
        }
        damage.extend(self.verify_downloads()?);
        Ok(damage)
    }

    fn layer_damage(&self, key: &Key) -> io::Result<Option<String>> {
        if self.info(key).is_none() {
            let what = "its layer.json is missing or cannot be read";
            return Ok(Some(what.to_owned()));
        }
        Ok(match (LayerSum::of(&self.layer_fs(key)), self.sum(key)) {
            (Err(error), _) => Some(format!("it cannot be read: {error}")),
            (Ok(now), Some(then)) if now.digest != then.digest => Some(CHANGED.to_owned()),
            (Ok(_), Some(_)) => None,
            // Its build ended before the sum was taken.
            (Ok(_), None) => self.take_sum(key).map(|_| None)?,
        })
    }

    /// The digests of downloads stand in their names.
    fn verify_downloads(&self) -> io::Result<Vec<Damage>> {
        let mut damage = Vec::new();
        for entry in walkdir::WalkDir::new(self.root.join("packages")) {
            let entry = entry?;
            if !entry.file_type().is_file() {
                continue;
            }
            let digest = sha256(entry.path())?;
            let name = entry.file_name().to_string_lossy();
            if name.split_once('-').map(|(digest, _)| digest) != Some(digest.as_str()) {
                let path = entry.path();
                let path = path.strip_prefix(&self.root).unwrap_or(path);
                damage.push(Damage {
                    path: path.display().to_string(),
                    what: "its content is not what was downloaded".to_owned(),
                });
            }
        }
        Ok(damage)
    }

    /// The keys of the layers that are there.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn layers(&self) -> io::Result<Vec<Key>> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(self.root.join("layers"))? {
            keys.extend(entry?.file_name().to_str().and_then(Key::parse));
        }
        keys.sort();
        Ok(keys)
    }
}
