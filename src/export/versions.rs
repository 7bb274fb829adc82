//! Format `nfs`: versions beside each other, one of them current.
//!
//! ```text
//! OUT/NAME/manifest.json   says that rootwright keeps versions here
//! OUT/NAME/lock            held while versions are added, switched or removed
//! OUT/NAME/3/tree/root/    a version; never changed once it has this name
//! OUT/NAME/current -> 3
//! ```
//!
//! Everything that a node is given names its version: a node that began to boot the older
//! one gets kernel, initramfs and tree of the older one, whatever is current by then.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::in_use::{InUse, Sources};
use super::publish::{self, Draft, FormatKind};
use super::{Error, MADE_BY, MANIFEST, Manifest, companions};

/// The link to the version that nodes boot.
pub const CURRENT: &str = "current";

const LOCK: &str = "lock";

/// What `OUT/NAME/manifest.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct Versions {
    made_by: String,
    schema: u32,
    name: String,
    format: FormatKind,
    /// The highest number that a version has had: none is given twice.
    last: u64,
}

impl Versions {
    fn new(name: &str, last: u64) -> Versions {
        let kind = "nfs".to_owned();
        Versions {
            made_by: MADE_BY.to_owned(),
            schema: 1,
            name: name.to_owned(),
            format: FormatKind { kind },
            last,
        }
    }
}

/// A version in its place.
#[derive(Clone, Debug)]
pub struct Version {
    pub name: String,
    pub path: PathBuf,
    pub current: bool,
    pub manifest: Manifest,
}

/// What became of old versions.
#[derive(Debug)]
pub struct Pruned {
    pub removed: Vec<String>,
    /// Those that would have gone, and who uses them.
    pub kept: Vec<(String, String)>,
}

/// The folder of an export with versions.
#[derive(Debug)]
pub struct Shelf {
    path: PathBuf,
}

/// Holds the lock of a shelf.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    shelf: &'a Shelf,
    _file: File,
}

impl Shelf {
    /// The one at `path`, if there is one.
    pub fn open(path: &Path) -> Result<Shelf, Error> {
        let path = path.to_owned();
        let shelf = Shelf { path };
        match shelf.read() {
            Some(versions) if versions.made_by == MADE_BY => Ok(shelf),
            _ => Err(Error::NoVersions { path: shelf.path }),
        }
    }

    /// The one of `OUT/NAME`, made where nothing is there.
    pub(super) fn ensure(name: &str, out: &Path, staging: &Path) -> Result<Shelf, Error> {
        let path = out.join(name);
        publish::refuse_foreign(&path, true)?;
        if !path.join(MANIFEST).exists() {
            let draft = Draft::new(name, out, staging, true)?;
            companions::write_json(&draft.path().join(MANIFEST), &Versions::new(name, 0))?;
            draft.publish()?;
        }
        Shelf::open(&path)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn lock(&self) -> Result<Locked<'_>, Error> {
        let path = self.path.join(LOCK);
        let failed = Error::io("lock", &self.path);
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(failed)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| failed(error.into()))?;
        // Nobody else adds or removes versions now: what is hidden was left by the killed.
        publish::remove_stale(&self.path, ".");
        Ok(Locked {
            shelf: self,
            _file: file,
        })
    }

    /// The name of the current version.
    pub fn current(&self) -> Option<String> {
        let target = fs::read_link(self.path.join(CURRENT)).ok()?;
        Some(target.to_str()?.to_owned())
    }

    /// All versions, the oldest first: numbers in their order, then names by age.
    pub fn versions(&self) -> Result<Vec<Version>, Error> {
        let current = self.current();
        let mut found = Vec::new();
        let entries = fs::read_dir(&self.path).map_err(Error::io("list", &self.path))?;
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = entry.path();
            if name.starts_with('.') || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if let Some(manifest) = Manifest::read(&path) {
                found.push(Version {
                    current: current.as_deref() == Some(name.as_str()),
                    name,
                    path,
                    manifest,
                });
            }
        }
        found.sort_by_key(|version| {
            let made = fs::metadata(version.path.join(MANIFEST)).and_then(|m| m.modified());
            (made.ok(), version.number(), version.name.clone())
        });
        Ok(found)
    }

    /// Makes `to` the current version, or the one before the current; gives its name.
    /// A version that is in use stays as it is: nodes that boot from now on get the other.
    pub fn rollback(&self, to: Option<&str>) -> Result<String, Error> {
        let locked = self.lock()?;
        let versions = self.versions()?;
        let wanted = match to {
            Some(to) => versions.iter().find(|version| version.name == to),
            None => {
                let at = versions.iter().position(|version| version.current);
                at.and_then(|at| versions.get(at.checked_sub(1)?))
            }
        };
        let Some(wanted) = wanted else {
            return Err(self.no_version(to, versions));
        };
        locked.switch(&wanted.name)?;
        Ok(wanted.name.clone())
    }

    /// Removes the versions called `names`, or all but the newest `keep`, the current one
    /// and those in use. Named ones that are in use are an error before anything is removed;
    /// others stay.
    pub fn prune(&self, names: &[String], keep: usize, sources: &Sources) -> Result<Pruned, Error> {
        let locked = self.lock()?;
        let versions = self.versions()?;
        let is_there = |name: &&String| versions.iter().any(|version| version.name == **name);
        if let Some(name) = names.iter().find(|name| !is_there(name)) {
            return Err(self.no_version(Some(name), versions));
        }
        let old = versions.len().saturating_sub(keep);
        let wanted: Vec<&Version> = match names {
            [] => versions
                .iter()
                .take(old)
                .filter(|version| !version.current)
                .collect(),
            names => versions
                .iter()
                .filter(|version| names.contains(&version.name))
                .collect(),
        };
        let paths: Vec<&Path> = wanted
            .iter()
            .map(|version| version.path.as_path())
            .collect();
        let in_use = InUse::look(&paths, sources);
        let (mut kept, mut free) = (Vec::new(), Vec::new());
        for version in wanted {
            let user = match version.current {
                true => Some("it is the current version".to_owned()),
                false => in_use.by(&version.path),
            };
            match user {
                None => free.push(version),
                Some(why) if names.is_empty() => kept.push((version.name.clone(), why)),
                Some(why) => {
                    let path = version.path.clone();
                    return Err(Error::InUse { path, why });
                }
            }
        }
        let mut removed = Vec::new();
        for version in free {
            locked.remove(version)?;
            removed.push(version.name.clone());
        }
        Ok(Pruned { removed, kept })
    }

    fn read(&self) -> Option<Versions> {
        let text = fs::read(self.path.join(MANIFEST)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn no_version(&self, version: Option<&str>, there: Vec<Version>) -> Error {
        Error::NoVersion {
            path: self.path.clone(),
            version: version.map(str::to_owned),
            there: there.into_iter().map(|version| version.name).collect(),
        }
    }
}

/// Removes the export `name` of `out`, with all its versions.
///
/// # Errors
/// When it is not an export of rootwright's, or in use.
pub fn remove(out: &Path, name: &str, sources: &Sources) -> Result<(), Error> {
    publish::check_name(name)?;
    let path = out.join(name);
    let (versions, locked) = match Shelf::open(&path) {
        Ok(shelf) => (shelf.versions()?, Some(shelf)),
        Err(_) => {
            publish::refuse_foreign(&path, false)?;
            fs::symlink_metadata(&path).map_err(Error::io("find", &path))?;
            (Vec::new(), None)
        }
    };
    let mut paths: Vec<&Path> = versions
        .iter()
        .map(|version| version.path.as_path())
        .collect();
    paths.push(&path);
    let in_use = InUse::look(&paths, sources);
    if let Some((path, why)) = paths.iter().find_map(|path| Some((path, in_use.by(path)?))) {
        let path = path.to_path_buf();
        return Err(Error::InUse { path, why });
    }
    // After the look at open files, of which it is one.
    let _locked = locked.as_ref().map(Shelf::lock).transpose()?;
    // Gone by name first, so that nothing half removed is ever taken for an export.
    let hidden = out.join(format!(".{name}.removed"));
    let failed = Error::io("remove", &path);
    if hidden.exists() {
        fs::remove_dir_all(&hidden).map_err(failed)?;
    }
    fs::rename(&path, &hidden).map_err(failed)?;
    fs::remove_dir_all(&hidden).map_err(failed)
}

impl Version {
    fn number(&self) -> Option<u64> {
        self.name.parse().ok()
    }
}

impl Locked<'_> {
    /// A link is replaced by rename: whoever follows it finds the old or the new.
    pub(super) fn switch(&self, version: &str) -> Result<(), Error> {
        let failed = Error::io("switch the current version of", &self.shelf.path);
        let link = self.shelf.path.join(CURRENT);
        let new = self.shelf.path.join(".current-new");
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        std::os::unix::fs::symlink(version, &new).map_err(failed)?;
        fs::rename(&new, &link).map_err(failed)?;
        File::open(&self.shelf.path)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)
    }

    /// Gone by name first, so that nothing half removed is ever taken for a version.
    fn remove(&self, version: &Version) -> Result<(), Error> {
        let failed = Error::io("remove", &version.path);
        let hidden = self.shelf.path.join(format!(".{}.removed", version.name));
        if hidden.exists() {
            fs::remove_dir_all(&hidden).map_err(failed)?;
        }
        fs::rename(&version.path, &hidden).map_err(failed)?;
        fs::remove_dir_all(&hidden).map_err(failed)
    }

    /// The next number, which no version has had.
    pub(super) fn next(&self) -> Result<String, Error> {
        let path = self.shelf.path.join(MANIFEST);
        let numbers = self.shelf.versions()?;
        let highest = numbers.iter().filter_map(Version::number).max();
        let last = self.shelf.read().map_or(0, |versions| versions.last);
        let next = highest.unwrap_or(0).max(last) + 1;
        let name = self.shelf.path.file_name().unwrap_or_default();
        let versions = Versions::new(&name.to_string_lossy(), next);
        let new = self.shelf.path.join(".manifest-new");
        let _ = fs::remove_file(&new);
        companions::write_json(&new, &versions)?;
        fs::rename(&new, &path).map_err(Error::io("write to", &self.shelf.path))?;
        Ok(next.to_string())
    }
}
