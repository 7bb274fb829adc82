//! New files and directories appear whole: made under a passing name beside their place,
//! given owner, mode and attributes there, then renamed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use xattr::FileExt;

use super::error::Error;
use super::tree::{NameInDir, Tree, failed_to, kind_of, stat_at};
use super::{accounts, remove};
use crate::plan::Attributes;

/// A name in `dir` that nobody else uses; it is removed again unless it is published.
#[derive(Debug)]
pub struct Draft<'a> {
    place: &'a NameInDir,
    pub name: OsString,
    published: bool,
}

/// Owner and mode as numbers; what is `None` is left to the caller's default.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnerAndMode {
    pub mode: Option<u32>,
    pub owner: Option<Uid>,
    pub group: Option<Gid>,
}

impl OwnerAndMode {
    /// Looks names up in the root.
    pub fn of(tree: &Tree, attributes: &Attributes) -> Result<OwnerAndMode, Error> {
        let Attributes { mode, owner, group } = attributes;
        let owner = owner.as_deref().map(|name| accounts::user(tree, name));
        let group = group.as_deref().map(|name| accounts::group(tree, name));
        Ok(OwnerAndMode {
            mode: *mode,
            owner: owner.transpose()?,
            group: group.transpose()?,
        })
    }

    pub fn of_mode(mode: Option<u32>) -> OwnerAndMode {
        OwnerAndMode {
            mode,
            ..OwnerAndMode::default()
        }
    }

    /// What is not given is taken from what is there.
    pub fn or(self, stat: &Stat) -> OwnerAndMode {
        OwnerAndMode {
            mode: self.mode.or(Some(stat.st_mode & 0o7777)),
            owner: self.owner.or(Some(Uid::from_raw(stat.st_uid))),
            group: self.group.or(Some(Gid::from_raw(stat.st_gid))),
        }
    }

    /// What is not given is root's, with `mode`.
    pub fn or_default(self, mode: u32) -> OwnerAndMode {
        OwnerAndMode {
            mode: self.mode.or(Some(mode)),
            owner: self.owner.or(Some(Uid::ROOT)),
            group: self.group.or(Some(Gid::ROOT)),
        }
    }

    /// Sets what is given on `name`, which is not a link. The owner goes first: a change
    /// of owner takes setuid bits away.
    pub fn set(self, dir: &OwnedFd, name: &OsStr) -> io::Result<()> {
        if self.owner.is_some() || self.group.is_some() {
            self.set_owner(dir, name)?;
        }
        if let Some(mode) = self.mode {
            let mode = Mode::from_raw_mode(mode & 0o7777);
            rustix::fs::chmodat(dir, name, mode, AtFlags::empty())?;
        }
        Ok(())
    }

    /// Sets owner and group on `name`, which may be a link.
    pub fn set_owner(self, dir: &OwnedFd, name: &OsStr) -> io::Result<()> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::chownat(
            dir, name, self.owner, self.group, flags,
        )?)
    }
}

impl<'a> Draft<'a> {
    /// Finds a free name by trying `make` on one after the other.
    pub fn make<T>(
        place: &'a NameInDir,
        make: impl Fn(&OwnedFd, &OsStr) -> rustix::io::Result<T>,
    ) -> io::Result<(Draft<'a>, T)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = OsString::from(format!(".rootwright-{}-{count}", std::process::id()));
            match make(&place.dir, &name) {
                Ok(made) => {
                    let draft = Draft {
                        place,
                        name,
                        published: false,
                    };
                    return Ok((draft, made));
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// An empty file, readable by root only until it gets its mode.
    pub fn file(place: &'a NameInDir) -> io::Result<(Draft<'a>, File)> {
        let (draft, fd) = Draft::make(place, |dir, name| {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))
        })?;
        Ok((draft, File::from(fd)))
    }

    /// Takes the place, replacing what is there.
    pub fn publish(mut self) -> io::Result<()> {
        let dir = self.place.dir.as_fd();
        rustix::fs::renameat(dir, &self.name, dir, &self.place.name)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = remove::tree(&self.place.dir, &self.name)
        {
            tracing::warn!("cannot remove {:?} in the root: {error}", self.name);
        }
    }
}

/// What is at `place`, if a file can be written there: a regular file or nothing.
pub fn writable(doing: &'static str, place: &NameInDir) -> Result<Option<Stat>, Error> {
    let stat =
        stat_at(&place.dir, &place.name).map_err(|error| failed_to(doing, &place.path, error))?;
    match stat.as_ref().map(kind_of) {
        None | Some(FileType::RegularFile) => Ok(stat),
        Some(kind) => Err(Error::kind(doing, &place.path, kind)),
    }
}

/// Writes the file at `place` in one go: `fill` gets the new file, and the old one where
/// there is one, whose owner, mode and extended attributes stay unless `numbers` says
/// otherwise. A file with several names is parted from its other names.
pub fn replace(
    doing: &'static str,
    place: &NameInDir,
    numbers: OwnerAndMode,
    fill: impl FnOnce(&mut File, Option<&mut File>) -> io::Result<()>,
) -> Result<(), Error> {
    let old = writable(doing, place)?;
    let write = || -> io::Result<()> {
        let mut before = match old {
            Some(_) => Some(open(place)?),
            None => None,
        };
        let (draft, mut file) = Draft::file(place)?;
        fill(&mut file, before.as_mut())?;
        let whole = match &old {
            Some(stat) => numbers.or(stat),
            None => numbers.or_default(0o644),
        };
        whole.set(&place.dir, &draft.name)?;
        if let Some(before) = before {
            copy_attributes(&before, &file)?;
            // An access list brings the permission bits along that it was made for.
            OwnerAndMode::of_mode(numbers.mode).set(&place.dir, &draft.name)?;
        }
        draft.publish()
    };
    write().map_err(|error| failed_to(doing, &place.path, error))
}

/// Copies extended attributes.
pub fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    for name in from.list_xattr()? {
        if let Some(value) = from.get_xattr(&name)? {
            to.set_xattr(&name, &value)?;
        }
    }
    Ok(())
}

/// Parts a file from its other names, as [`replace`] does. An overlay does so with a file of
/// a lower layer: which step made the names must not matter.
pub fn part(dir: &OwnedFd, name: &OsStr, stat: &Stat) -> io::Result<()> {
    if kind_of(stat) != FileType::RegularFile || stat.st_nlink < 2 {
        return Ok(());
    }
    let place = NameInDir {
        dir: dir.try_clone()?,
        name: name.to_owned(),
        path: name.into(),
    };
    let mut old = open(&place)?;
    let (draft, mut file) = Draft::file(&place)?;
    io::copy(&mut old, &mut file)?;
    OwnerAndMode::default()
        .or(stat)
        .set(&place.dir, &draft.name)?;
    copy_attributes(&old, &file)?;
    rustix::fs::futimens(&file, &times(stat))?;
    draft.publish()
}

pub fn times(stat: &Stat) -> Timestamps {
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec as _),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec as _),
    }
}

fn open(place: &NameInDir) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&place.dir, &place.name, flags, Mode::empty())?;
    Ok(File::from(fd))
}
