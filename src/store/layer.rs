//! Layers: committed whole or not at all, kept aside when their step failed.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::outline::outline;
use super::{Store, now, read_json};
use crate::plan::Key;

/// What a layer was made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerInfo {
    pub parent: Option<Key>,
    /// What its steps are, for people.
    pub labels: Vec<String>,
    /// The recipe whose build made it.
    pub recipe: String,
    /// How long the steps took, in seconds.
    pub seconds: f64,
    /// When it was made, in seconds since 1970.
    pub made: u64,
    /// Of its tree, when it was committed; see [`Store::has_changed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outline: Option<Key>,
    /// Versions of the host's programs that made it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, String>,
    /// The archives that its packages came from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<ArchiveState>,
}

/// What an archive was like when somebody looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveState {
    pub name: String,
    pub url: String,
    /// `None` where it could not be asked.
    pub look: Option<ArchiveDigest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveDigest {
    /// Of the lines that decide what packages there are.
    pub digest: String,
    /// The date that the archive gives itself, in seconds since 1970.
    pub date: Option<u64>,
}

/// The archives' state that a layer was last made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveStates {
    pub archives: Vec<ArchiveState>,
    /// When somebody last saw that this is their state, in seconds since 1970.
    pub seen: u64,
}

impl ArchiveStates {
    pub fn new(archives: Vec<ArchiveState>) -> Self {
        ArchiveStates {
            archives,
            seen: now(),
        }
    }

    /// What of it is part of a layer's key.
    pub fn digest(&self) -> String {
        let looks = self.archives.iter().map(|archive| archive.look.as_ref());
        let parts = looks.map(|look| look.map_or("unknown", |look| look.digest.as_str()));
        Key::of(&parts.collect::<Vec<_>>()).to_string()
    }

    /// How long ago it was seen, in seconds.
    pub fn age(&self) -> u64 {
        now().saturating_sub(self.seen)
    }
}

impl Store {
    pub(super) fn layer(&self, key: &Key) -> PathBuf {
        self.folder("layers").join(key.as_str())
    }

    /// The tree of a committed layer.
    pub fn layer_fs(&self, key: &Key) -> PathBuf {
        self.layer(key).join("fs")
    }

    /// Whether the layer is there: a folder is renamed to this name when it is whole. One
    /// that has lost its tree, or says nothing that can be read, counts as absent and is
    /// made again; what its files hold is for [`Store::verify`].
    pub fn has(&self, key: &Key) -> bool {
        self.info(key).is_some() && self.layer_fs(key).is_dir()
    }

    /// What made a layer; `None` where it is not there or cannot be read.
    pub fn info(&self, key: &Key) -> Option<LayerInfo> {
        read_json(&self.layer(key).join("layer.json"))
    }

    /// Notes that the layers were used now, for those who collect what is not.
    pub fn touch<'a>(&self, keys: impl Iterator<Item = &'a Key>) {
        let now = std::time::SystemTime::now();
        let times = std::fs::FileTimes::new();
        let times = times.set_accessed(now).set_modified(now);
        for key in keys {
            // A store that is only read serves as well.
            let _ = fs::File::open(self.layer(key).join("layer.json"))
                .and_then(|file| file.file().set_times(times));
        }
    }

    /// Makes `made`, a folder with `fs` in it, the layer of `key`: written out, then renamed,
    /// so that a layer is there whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written out or renamed.
    pub fn commit(&self, key: &Key, made: &Path, info: &LayerInfo) -> io::Result<()> {
        let outline = Some(outline(&made.join("fs"))?);
        let info = LayerInfo {
            outline,
            ..info.clone()
        };
        let json = serde_json::to_vec_pretty(&info)?;
        fs::write(made.join("layer.json"), json)?;
        rustix::fs::syncfs(fs::File::open(made)?.as_fd())?;
        let place = self.layer(key);
        // What is there without its layer.json was half removed.
        if place.exists() {
            fs::remove_dir_all(&place)?;
        }
        fs::rename(made, place)?;
        fs::File::open(self.folder("layers"))?.sync_all()
    }

    /// The one tree that stands for a layer and all below it, if it was made.
    pub fn merged(&self, key: &Key) -> Option<PathBuf> {
        self.tree("merged", key)
    }

    fn tree(&self, kind: &str, key: &Key) -> Option<PathBuf> {
        let tree = self.folder(kind).join(key.as_str()).join("fs");
        tree.is_dir().then_some(tree)
    }

    /// Keeps such a tree: `made` is a folder with `fs` in it. Another build may have been
    /// first.
    ///
    /// # Errors
    /// When it cannot be written out or renamed.
    pub fn commit_merged(&self, key: &Key, made: &Path) -> io::Result<PathBuf> {
        rustix::fs::syncfs(fs::File::open(made)?.as_fd())?;
        let place = self.folder("merged").join(key.as_str());
        match fs::rename(made, &place) {
            Err(_) if place.join("fs").is_dir() => {}
            other => other?,
        }
        Ok(place.join("fs"))
    }

    /// Keeps the layer of a step that failed, in the place of an older one.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn keep_failed(&self, key: &Key, made: &Path) -> io::Result<PathBuf> {
        let kept = self.folder("failed").join(key.as_str());
        if kept.exists() {
            fs::remove_dir_all(&kept)?;
        }
        fs::rename(made, &kept)?;
        Ok(kept)
    }

    /// The tree that a failed step left, if one is kept.
    pub fn failed_fs(&self, key: &Key) -> Option<PathBuf> {
        self.tree("failed", key)
    }

    /// Forgets what a step that failed left, once it has succeeded.
    pub fn forget_failed(&self, key: &Key) {
        let _ = fs::remove_dir_all(self.folder("failed").join(key.as_str()));
    }

    /// The state of the archives that the layer with this base key was last made with.
    pub fn state(&self, base: &Key) -> Option<ArchiveStates> {
        read_json(&self.folder("states").join(base.as_str()))
    }

    /// # Errors
    /// When it cannot be written.
    pub fn set_state(&self, base: &Key, state: &ArchiveStates) -> io::Result<()> {
        self.write_json(&self.folder("states"), base.as_str(), state)
    }
}
