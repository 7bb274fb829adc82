//! What the store holds, and what of it can go.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator;

use super::{Store, Work, is_free, now, read_json, there};
use crate::plan::Key;

/// One thing that the store holds.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    pub kind: EntryKind,
    /// Below the folder of its kind.
    pub name: String,
    #[serde(skip)]
    path: PathBuf,
    /// What it is, for people.
    pub label: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When it was made and when it was last used, in seconds since 1970.
    pub made: u64,
    pub used: u64,
    /// The recipes whose last builds have it, and exports that are kept.
    pub users: Vec<String>,
    /// Why it cannot go, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Hold>,
}

/// What the store holds, by the folder that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display, strum::EnumIter)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum EntryKind {
    Layers,
    Packages,
    Failed,
    Merged,
    Fetch,
    Checks,
    Keyrings,
    Logs,
}

/// Why an entry cannot be removed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hold {
    #[error("a running build needs it")]
    Build,
    /// Which downloads and merged layers it takes is not known.
    #[error("a running build may need it")]
    MaybeBuild,
    #[error("the export {} was made from it", .0.display())]
    Export(PathBuf),
}

impl Hold {
    /// Whether a running build is the reason. An export can be made again.
    pub fn is_build(&self) -> bool {
        matches!(self, Hold::Build | Hold::MaybeBuild)
    }
}

/// In words.
impl Serialize for Hold {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How much may stay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Bytes of everything together.
    pub keep: Option<u64>,
    /// Seconds since the last use.
    pub max_age: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub struct Collected {
    pub removed: Vec<Entry>,
    pub kept_bytes: u64,
}

/// Where the artifact of an export was written.
#[derive(Debug, Serialize, Deserialize)]
struct ExportRecord {
    path: PathBuf,
    /// Records of boots have none.
    #[serde(default)]
    layers: Vec<Key>,
}

impl Store {
    /// Remembers that the artifact at `path` was made from these layers; they stay while
    /// it is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record_export(&self, path: &Path, layers: &[Key]) -> io::Result<()> {
        let record = ExportRecord {
            path: path.to_owned(),
            layers: layers.to_vec(),
        };
        let name = Key::of(&[path.as_os_str().as_encoded_bytes()]);
        self.write_json(&self.folder("exports"), name.short(), &record)
    }

    /// Everything that could be removed, the least recently used first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut users: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
        for build in self.all_recorded() {
            for layer in &build.layers {
                let users = users.entry(layer.key.clone()).or_default();
                users.insert(build.plan.recipe.path.clone());
            }
        }
        let mut held = self.claimed()?;
        let building = (!held.is_empty()).then_some(Hold::MaybeBuild);
        for (path, layers) in self.kept_exports()? {
            for key in layers {
                let hold = held.entry(key.to_string());
                hold.or_insert_with(|| Hold::Export(path.clone()));
                users
                    .entry(key)
                    .or_default()
                    .insert(path.display().to_string());
            }
        }
        let mut entries = Vec::new();
        for key in self.layers()? {
            let info = self.info(&key).unwrap_or_default();
            let path = self.layer(&key);
            let bytes = match self.sum(&key) {
                Some(sum) => sum.bytes,
                None => bytes_below(&path)?,
            };
            let used = fs::metadata(path.join("layer.json")).map_or(0, |m| seconds(m.mtime()));
            entries.push(Entry {
                kind: EntryKind::Layers,
                name: key.to_string(),
                label: info.labels.join("; "),
                bytes,
                made: info.made,
                used,
                users: users.remove(&key).unwrap_or_default().into_iter().collect(),
                held: held.remove(key.as_str()),
                path,
            });
        }
        for kind in EntryKind::iter() {
            let folder = self.folder(&kind.to_string());
            let held = |name: &str| match kind {
                EntryKind::Logs => held.get(name).cloned(),
                EntryKind::Failed => None,
                _ => building.clone(),
            };
            match kind {
                EntryKind::Layers => {}
                EntryKind::Packages => {
                    for pool in fs::read_dir(folder)? {
                        let pool = pool?;
                        for file in fs::read_dir(pool.path())? {
                            let Some(mut entry) = there(other(kind, &file?.path(), held))? else {
                                continue;
                            };
                            let file = entry.name.split_once('-').map_or("", |(_, file)| file);
                            entry.label = format!("{file} ({})", pool.file_name().display());
                            entries.push(entry);
                        }
                    }
                }
                _ => {
                    for entry in fs::read_dir(folder)? {
                        entries.extend(there(other(kind, &entry?.path(), held))?);
                    }
                }
            }
        }
        // A layer is used whenever one above it is; among equals, those above go first.
        entries.sort_by_key(|entry| (entry.used, std::cmp::Reverse(entry.made)));
        Ok(entries)
    }

    /// Removes what has not been used for longest, down to the limits. What a running
    /// build or a kept export needs stays.
    ///
    /// # Errors
    /// When the store cannot be read, or something not be removed.
    pub fn collect(&self, limits: Limits) -> io::Result<Collected> {
        let Ok(collected) = self.sweep::<Infallible>(|entries| {
            let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
            Ok(entries.into_iter().partition(|entry| {
                let age = now().saturating_sub(entry.used);
                let over = limits.keep.is_some_and(|keep| total > keep)
                    || limits.max_age.is_some_and(|max| age > max);
                let goes = over && entry.held.is_none();
                total -= u64::from(goes) * entry.bytes;
                goes
            }))
        })?;
        Ok(collected)
    }

    /// Removes one entry, whatever its age; those above a layer go with it.
    ///
    /// # Errors
    /// When something cannot be removed. An entry that is held is given back.
    pub fn remove(&self, names: &[String]) -> io::Result<Result<Collected, Box<Entry>>> {
        self.sweep(|entries| {
            let mut doomed: BTreeSet<String> = names.iter().cloned().collect();
            let is_layer = |entry: &&Entry| entry.kind == EntryKind::Layers;
            // A layer without those below is of no use.
            loop {
                let before = doomed.len();
                for entry in entries.iter().filter(is_layer) {
                    let key = Key::parse(&entry.name);
                    let parent = key.and_then(|key| self.info(&key)?.parent);
                    if parent.is_some_and(|parent| doomed.contains(parent.as_str())) {
                        doomed.insert(entry.name.clone());
                    }
                }
                if doomed.len() == before {
                    break;
                }
            }
            let goes = |entry: &Entry| doomed.contains(&entry.name);
            let (gone, kept): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(goes);
            let in_build = |entry: &&Entry| entry.held.as_ref().is_some_and(Hold::is_build);
            match gone.iter().find(in_build) {
                Some(held) => Err(Box::new(held.clone())),
                None => Ok((gone, kept)),
            }
        })
    }

    /// Removes the first of the two parts that the entries are divided into.
    fn sweep<E>(
        &self,
        divide: impl FnOnce(Vec<Entry>) -> Result<(Vec<Entry>, Vec<Entry>), E>,
    ) -> io::Result<Result<Collected, E>> {
        // Dropped last: the guard is free while the files themselves go.
        let trash = self.trash()?;
        let _guard = self.guard()?;
        let (removed, kept) = match divide(self.entries()?) {
            Ok(divided) => divided,
            Err(error) => return Ok(Err(error)),
        };
        for entry in &removed {
            self.discard(&entry.path, trash.as_ref())?;
        }
        self.forget_unused()?;
        let kept_bytes = kept.iter().map(|entry| entry.bytes).sum();
        Ok(Ok(Collected {
            removed,
            kept_bytes,
        }))
    }

    /// A place for what is removed, so that it is gone at once and nobody waits for its
    /// files. A full disk has no room for one.
    fn trash(&self) -> io::Result<Option<Work>> {
        match self.work() {
            Ok(work) => Ok(Some(work)),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn discard(&self, path: &Path, trash: Option<&Work>) -> io::Result<()> {
        let moved = trash.map(|trash| {
            let place = tempfile::tempdir_in(trash.path())?.keep();
            // A running build removes a package that has changed on the disk, too.
            there(fs::rename(path, place.join("gone")))
        });
        match moved {
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) if error.kind() != io::ErrorKind::StorageFull => return Err(error),
            _ => {}
        }
        if path.is_dir() {
            // Without this file a layer counts as absent, whatever is left of it.
            let _ = fs::remove_file(path.join("layer.json"));
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        }
    }

    /// Locks whose layers are gone, exports that are, and boots of such.
    fn forget_unused(&self) -> io::Result<()> {
        let layers: BTreeSet<Key> = self.layers()?.into_iter().collect();
        self.forget_gone("exports")?;
        self.forget_gone("boots")?;
        for entry in fs::read_dir(self.root.join("locks"))? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let gone = |key| !layers.contains(&key);
            // Somebody may be waiting with the file open: only a free one goes.
            if name.and_then(Key::parse).is_some_and(gone) && is_free(&fs::File::open(&path)?) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Removes what a folder remembers of exports that are gone.
    pub(super) fn forget_gone(&self, folder: &str) -> io::Result<()> {
        for entry in fs::read_dir(self.folder(folder))? {
            let path = entry?.path();
            let record: Option<ExportRecord> = read_json(&path);
            if !record.is_some_and(|record| record.path.exists()) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// What running builds need, and why.
    fn claimed(&self) -> io::Result<BTreeMap<String, Hold>> {
        let mut claimed = BTreeMap::new();
        for entry in fs::read_dir(self.root.join("tmp"))? {
            let claims = entry?.path().join("claims");
            let claims = fs::read_to_string(claims).unwrap_or_default();
            let names = claims.lines().filter(|name| !name.is_empty());
            claimed.extend(names.map(|name| (name.to_owned(), Hold::Build)));
        }
        Ok(claimed)
    }

    fn kept_exports(&self) -> io::Result<Vec<(PathBuf, Vec<Key>)>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(self.folder("exports"))? {
            let record: Option<ExportRecord> = read_json(&entry?.path());
            let record = record.filter(|record| record.path.exists());
            kept.extend(record.map(|record| (record.path, record.layers)));
        }
        Ok(kept)
    }
}

fn other(kind: EntryKind, path: &Path, held: impl Fn(&str) -> Option<Hold>) -> io::Result<Entry> {
    let metadata = fs::symlink_metadata(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let read = i64::from(metadata.is_file()) * metadata.atime();
    Ok(Entry {
        kind,
        held: held(&name),
        name: name.into_owned(),
        path: path.to_owned(),
        label: String::new(),
        bytes: bytes_below(path)?,
        made: seconds(metadata.mtime()),
        used: seconds(metadata.mtime().max(read)),
        users: Vec::new(),
    })
}

fn seconds(time: i64) -> u64 {
    u64::try_from(time).unwrap_or(0)
}

fn bytes_below(path: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(path) {
        let metadata = entry.and_then(|entry| entry.metadata());
        bytes += there(metadata.map_err(Into::into))?.map_or(0, |m| m.blocks() * 512);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A draft in the folder of records would be seen by the collector, which removes what is no
    /// record.
    #[test]
    fn what_is_recorded_beside_a_collector_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let export = folder.path().join("nodes");
        fs::create_dir(&export).unwrap();
        let key = Key::of(&["a"]);
        let recorded = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..300 {
                    store
                        .record_export(&export, std::slice::from_ref(&key))
                        .unwrap();
                }
                recorded.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            while !recorded.load(std::sync::atomic::Ordering::SeqCst) {
                store.collect(Limits::default()).unwrap();
            }
        });
        assert_eq!(store.kept_exports().unwrap(), [(export, vec![key])]);
    }
}
