//! What the store holds, and what of it can go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use std::os::fd::AsFd;

use super::{Store, Sum, Work, now, write_atomically};
use crate::plan::Key;

/// One thing that the store holds.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// `layers`, `packages`, …
    pub kind: String,
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

/// Why an entry cannot be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// A running build needs it.
    Build,
    /// A running build may need it: which downloads and merged layers it takes is not known.
    MaybeBuild,
    /// The export at this path was made from it.
    Export(PathBuf),
}

impl Hold {
    /// Whether a running build is the reason. An export can be made again.
    pub fn is_build(&self) -> bool {
        matches!(self, Hold::Build | Hold::MaybeBuild)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Build => f.write_str("a running build needs it"),
            Hold::MaybeBuild => f.write_str("a running build may need it"),
            Hold::Export(path) => write!(f, "the export {} was made from it", path.display()),
        }
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
        let json = serde_json::to_vec(&record)?;
        write_atomically(&self.root.join("exports"), name.short(), &json)
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
                users
                    .entry(key.clone())
                    .or_default()
                    .insert(path.display().to_string());
                held.entry(key.to_string())
                    .or_insert_with(|| Hold::Export(path.clone()));
            }
        }
        let mut entries = Vec::new();
        for key in self.layers()? {
            let info = self.info(&key).unwrap_or_default();
            let path = self.layer(&key);
            let sum = match self.sum(&key) {
                Some(sum) => sum,
                None => Sum {
                    digest: key.clone(),
                    bytes: bytes_below(&path)?,
                    files: 0,
                },
            };
            let used = fs::metadata(path.join("layer.json")).map_or(0, |m| seconds(m.mtime()));
            entries.push(Entry {
                kind: "layers".to_owned(),
                name: key.to_string(),
                label: info.labels.join("; "),
                bytes: sum.bytes,
                made: info.made,
                used,
                users: users.remove(&key).unwrap_or_default().into_iter().collect(),
                held: held.remove(key.as_str()),
                path,
            });
        }
        for kind in ["failed", "merged", "logs", "fetch", "checks", "keyrings"] {
            for entry in fs::read_dir(self.root.join(kind))? {
                let mut entry = other(kind, &entry?.path(), "")?;
                entry.held = match kind {
                    "logs" => held.remove(&entry.name),
                    "failed" => None,
                    _ => building.clone(),
                };
                entries.push(entry);
            }
        }
        for pool in fs::read_dir(self.root.join("packages"))? {
            let pool = pool?;
            for file in fs::read_dir(pool.path())? {
                let name = file?.path();
                let mut entry = other("packages", &name, "")?;
                let file = entry.name.split_once('-').map_or("", |(_, file)| file);
                entry.label = format!("{} ({})", file, pool.file_name().to_string_lossy());
                entry.held = building.clone();
                entries.push(entry);
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
        let mut collected = Collected::default();
        let trash = self.trash()?;
        {
            let _guard = self.guard()?;
            let entries = self.entries()?;
            let mut total: u64 = entries.iter().map(|entry| entry.bytes).sum();
            for entry in entries {
                let age = now().saturating_sub(entry.used);
                let over = limits.keep.is_some_and(|keep| total > keep)
                    || limits.max_age.is_some_and(|max| age > max);
                if over && entry.held.is_none() {
                    self.discard(&entry.path, trash.as_ref())?;
                    total -= entry.bytes;
                    collected.removed.push(entry);
                }
            }
            collected.kept_bytes = total;
            self.forget_unused()?;
        }
        // The guard is free while the files themselves go.
        drop(trash);
        Ok(collected)
    }

    /// Removes one entry, whatever its age; those above a layer go with it.
    ///
    /// # Errors
    /// When something cannot be removed. An entry that is held is given back.
    pub fn remove(&self, names: &[String]) -> io::Result<Result<Collected, Entry>> {
        let mut collected = Collected::default();
        let trash = self.trash()?;
        {
            let _guard = self.guard()?;
            let entries = self.entries()?;
            let mut doomed: BTreeSet<String> = names.iter().cloned().collect();
            // A layer without those below is of no use.
            loop {
                let before = doomed.len();
                for entry in entries.iter().filter(|entry| entry.kind == "layers") {
                    let parent = Key::parse(&entry.name)
                        .and_then(|key| self.info(&key))
                        .and_then(|info| info.parent);
                    if parent.is_some_and(|parent| doomed.contains(parent.as_str())) {
                        doomed.insert(entry.name.clone());
                    }
                }
                if doomed.len() == before {
                    break;
                }
            }
            let (gone, kept): (Vec<Entry>, Vec<Entry>) = entries
                .into_iter()
                .partition(|entry| doomed.contains(&entry.name));
            let in_build = |entry: &&Entry| entry.held.as_ref().is_some_and(Hold::is_build);
            if let Some(held) = gone.iter().find(in_build) {
                return Ok(Err(held.clone()));
            }
            for entry in gone {
                self.discard(&entry.path, trash.as_ref())?;
                collected.removed.push(entry);
            }
            collected.kept_bytes = kept.iter().map(|entry| entry.bytes).sum();
            self.forget_unused()?;
        }
        drop(trash);
        Ok(Ok(collected))
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
            let place = tempfile::Builder::new().tempdir_in(trash.path())?.keep();
            fs::rename(path, place.join("gone"))
        });
        match moved {
            Some(Ok(())) => return Ok(()),
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
        for entry in fs::read_dir(self.root.join("exports"))? {
            let path = entry?.path();
            let there = fs::read(&path)
                .ok()
                .and_then(|text| serde_json::from_slice::<ExportRecord>(&text).ok())
                .is_some_and(|record| record.path.exists());
            if !there {
                fs::remove_file(path)?;
            }
        }
        self.forget_boots()?;
        for entry in fs::read_dir(self.root.join("locks"))? {
            let path = entry?.path();
            let key = path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(Key::parse);
            if key.is_some_and(|key| !layers.contains(&key)) {
                // Somebody may be waiting with the file open: only a free one goes.
                let file = fs::File::open(&path)?;
                let free =
                    rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive);
                if free.is_ok() {
                    fs::remove_file(path)?;
                }
            }
        }
        Ok(())
    }

    /// What running builds need, and why.
    fn claimed(&self) -> io::Result<BTreeMap<String, Hold>> {
        let mut claimed = BTreeMap::new();
        for entry in fs::read_dir(self.root.join("tmp"))? {
            let claims = entry?.path().join("claims");
            for name in fs::read_to_string(claims).unwrap_or_default().lines() {
                claimed.insert(name.to_owned(), Hold::Build);
            }
        }
        Ok(claimed)
    }

    fn kept_exports(&self) -> io::Result<Vec<(PathBuf, Vec<Key>)>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(self.root.join("exports"))? {
            let text = fs::read(entry?.path())?;
            if let Ok(record) = serde_json::from_slice::<ExportRecord>(&text)
                && record.path.exists()
            {
                kept.push((record.path, record.layers));
            }
        }
        Ok(kept)
    }
}

fn other(kind: &str, path: &Path, label: &str) -> io::Result<Entry> {
    let metadata = fs::symlink_metadata(path)?;
    Ok(Entry {
        kind: kind.to_owned(),
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        path: path.to_owned(),
        label: label.to_owned(),
        bytes: bytes_below(path)?,
        made: seconds(metadata.mtime()),
        used: seconds(metadata.mtime().max(if metadata.is_file() {
            metadata.atime()
        } else {
            0
        })),
        users: Vec::new(),
        held: None,
    })
}

fn seconds(time: i64) -> u64 {
    u64::try_from(time).unwrap_or(0)
}

fn bytes_below(path: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in walkdir::WalkDir::new(path) {
        bytes += entry?.metadata()?.blocks() * 512;
    }
    Ok(bytes)
}
