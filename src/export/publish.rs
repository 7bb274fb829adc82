//! An export gets its final name when it is complete, and what it replaces goes after.
//!
//! It is made in the store where that can be renamed into the output folder, else in a
//! hidden folder beside its place. Either is locked as long as its maker lives; what
//! nobody holds any more is removed by the next export of that name.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs;

use super::{Error, MADE_BY, MANIFEST};
use crate::plan::TREE;
use crate::run::ordinary_user;

/// A folder that becomes `OUT/NAME`, or is removed when it is dropped.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    dest: PathBuf,
    versioned: bool,
    /// Its descriptor holds the lock.
    _lock: File,
    /// Where an unfinished export of this name lies in either folder.
    published: bool,
}

impl Draft {
    /// `versioned`: whether it is to be a folder of versions.
    pub fn new(name: &str, out: &Path, staging: &Path, versioned: bool) -> Result<Draft, Error> {
        check_name(name)?;
        make_out(out)?;
        let dest = out.join(name);
        refuse_foreign(&dest, versioned)?;
        let hidden = format!(".{name}.partial-");
        remove_stale(out, &hidden);
        remove_stale(staging, &hidden);
        let beside = make(out, &hidden).map_err(Error::out(out))?;
        // Being on one file system is not enough for a rename, being on one mount is:
        // so the way is tried with the empty folder.
        let (path, lock) = match move_into(&beside.0, staging) {
            Some(path) => (path, beside.1),
            None => beside,
        };
        Ok(Draft {
            path,
            dest,
            _lock: lock,
            versioned,
            published: false,
        })
    }

    /// Where to put what is exported.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it `OUT/NAME`, and gives that path.
    pub fn publish(mut self) -> Result<PathBuf, Error> {
        let failed = Error::io("put the export in place at", &self.dest);
        // Names are written to disk before contents are; a crash of the machine must not
        // leave a complete name on empty files.
        rustix::fs::syncfs(&self._lock).map_err(|error| failed(error.into()))?;
        let mode = std::fs::Permissions::from_mode(0o755);
        fs::set_permissions(&self.path, mode).map_err(failed)?;
        give_to_user(&self.path).map_err(failed)?;
        let replaced = match rename(&self.path, &self.dest, RenameFlags::NOREPLACE) {
            Ok(()) => false,
            // Some network file systems know no flags; an existing folder with something
            // in it is not replaced by a plain rename either.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if !exists(&self.dest) => {
                fs::rename(&self.path, &self.dest).map_err(failed)?;
                false
            }
            Err(Errno::EXIST | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                refuse_foreign(&self.dest, self.versioned)?;
                exchange(&self.path, &self.dest).map_err(failed)?;
                true
            }
            Err(error) => return Err(failed(error.into())),
        };
        self.published = !replaced;
        // Where one was replaced, the old one now has the hidden name, and is dropped.
        Ok(self.dest.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            remove(&self.path);
        }
    }
}

fn remove(path: &Path) {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("cannot remove what is left of an export: {error}");
        }
        _ => {}
    }
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> rustix::io::Result<()> {
    rustix::fs::renameat_with(CWD, from, CWD, to, flags)
}

/// Swaps two folders at once; where the file system cannot, in two steps, of which the
/// second is undone by putting the old one back.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    match rename(new, old, RenameFlags::EXCHANGE) {
        Ok(()) => return Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        Err(error) => return Err(error.into()),
    }
    let mut aside = new.as_os_str().to_owned();
    aside.push("-old");
    let aside = PathBuf::from(aside);
    fs::rename(old, &aside)?;
    if let Err(error) = fs::rename(new, old) {
        fs::rename(&aside, old)?;
        return Err(error);
    }
    fs::rename(&aside, new)
}

/// A name is one visible component of a path.
pub fn check_name(name: &str) -> Result<(), Error> {
    let why = match name {
        "" => "it is empty",
        _ if name.contains(['/', '\0']) => "it holds a character that separates paths",
        _ if name.starts_with('.') => "it starts with a dot",
        _ if name.len() > 200 => "it is longer than 200 bytes",
        _ => return Ok(()),
    };
    let name = name.to_owned();
    Err(Error::Name { name, why })
}

/// Makes the output folder.
pub fn make_out(out: &Path) -> Result<(), Error> {
    ordinary_user::as_user(|| fs::create_dir_all(out)).map_err(Error::out(out))
}

/// Gives an export to the user whose build it is, but for the tree.
fn give_to_user(draft: &Path) -> io::Result<()> {
    let tree = draft.join(TREE);
    let entries = walkdir::WalkDir::new(draft).into_iter();
    for entry in entries.filter_entry(|entry| entry.path() != tree) {
        ordinary_user::give_to_user(entry?.path())?;
    }
    Ok(())
}

/// Nothing is at `dest`, or an export of rootwright's of the same form: versions are never
/// replaced by a single export, nor the other way round.
pub fn refuse_foreign(dest: &Path, versioned: bool) -> Result<(), Error> {
    let foreign = |what| Error::Foreign {
        path: dest.to_owned(),
        what,
    };
    let failed = Error::io("look at", dest);
    let metadata = match fs::symlink_metadata(dest) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if metadata.is_symlink() {
        return Err(foreign("a symbolic link"));
    }
    if !metadata.is_dir() {
        return Err(foreign("a file"));
    }
    let manifest = match fs::read(dest.join(MANIFEST)) {
        Ok(manifest) => manifest,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(foreign("a folder without `manifest.json`"));
        }
        Err(error) => return Err(failed(error)),
    };
    match serde_json::from_slice::<Mark>(&manifest) {
        // A version's own manifest says `nfs`, too, and is never replaced.
        Ok(mark) if mark.made_by == MADE_BY => match mark.is_versioned() {
            versions if versions == versioned => Ok(()),
            versions => Err(Error::OtherForm {
                path: dest.to_owned(),
                versions,
            }),
        },
        _ => Err(foreign(
            "a folder whose `manifest.json` is not rootwright's",
        )),
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FormatKind {
    pub kind: String,
}

/// Only this of a manifest counts: that of another version is rootwright's too.
#[derive(Deserialize)]
struct Mark {
    made_by: String,
    format: Option<FormatKind>,
}

impl Mark {
    fn is_versioned(&self) -> bool {
        self.format.as_ref().is_some_and(|of| of.kind == "nfs")
    }
}

/// A new locked folder in `dir`, closed to others until it is published.
fn make(dir: &Path, prefix: &str) -> io::Result<(PathBuf, File)> {
    loop {
        let mut made = tempfile::Builder::new();
        made.prefix(prefix)
            .permissions(fs::Permissions::from_mode(0o700));
        let path = made.tempdir_in(dir)?.keep();
        // Between these two calls somebody who clears up may have taken it for stale.
        let Ok(lock) = File::open(&path) else {
            continue;
        };
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
        if is_at(&lock, &path)? {
            return Ok((path, lock));
        }
    }
}

fn is_at(lock: &File, path: &Path) -> io::Result<bool> {
    let ours = lock.metadata()?;
    Ok(fs::symlink_metadata(path)
        .is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
}

/// The folder's new path in `staging`; `None` if it cannot be moved there and back.
fn move_into(path: &Path, staging: &Path) -> Option<PathBuf> {
    let moved = staging.join(path.file_name()?);
    rename(path, &moved, RenameFlags::NOREPLACE).ok()?;
    Some(moved)
}

/// Removes what exports of this name left behind when they were killed.
pub fn remove_stale(dir: &Path, prefix: &str) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(prefix)
            || !entry.file_type().is_ok_and(|kind| kind.is_dir())
        {
            continue;
        }
        let Ok(lock) = File::open(entry.path()) else {
            continue;
        };
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove(&entry.path());
        }
    }
}
