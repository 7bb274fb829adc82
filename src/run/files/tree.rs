//! Paths of a root, resolved as the root itself would resolve them.
//!
//! The kernel does it (openat2 with RESOLVE_IN_ROOT, through pathrs): an absolute link
//! starts at the root's top, `..` stops there, magic links are refused. What has been
//! found is held as a descriptor of the parent directory and a last name, so nothing is
//! looked up a second time from outside.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use pathrs::Root;
use pathrs::error::ErrorKind;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use super::error::Error;

/// As many links as the kernel follows in one path.
const LINKS: usize = 40;

/// Bytes of a file that is read whole: an image may have one as large as it likes, and a sparse
/// one costs it nothing.
const MOST_TEXT: u64 = 64 << 20;

/// A root that is mounted, or a directory that is treated as one.
#[derive(Debug)]
pub struct Tree {
    root: Root,
}

/// A name in a directory that exists; the name itself may be free.
#[derive(Debug)]
pub struct NameInDir {
    pub dir: OwnedFd,
    pub name: OsString,
    /// The path inside of the root, for people; links before it are followed already.
    pub path: PathBuf,
}

impl Tree {
    /// # Errors
    /// When `root` is not a directory that can be opened.
    pub fn open(root: &Path) -> Result<Tree, Error> {
        let failed = |error| Error::Root {
            host: root.to_owned(),
            error,
        };
        // pathrs wants a path without links; this one is the host's own.
        let host = std::fs::canonicalize(root).map_err(failed)?;
        let root = Root::open(host).map_err(io_error).map_err(failed)?;
        Ok(Tree { root })
    }

    /// A descriptor (`O_PATH`) of what `path` leads to, links followed; `None` where
    /// there is nothing.
    pub fn find(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        match self.root.resolve(path).map_err(io_error) {
            Ok(found) => Ok(Some(found.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn find_kind(&self, path: &Path, kind: FileType) -> io::Result<Option<OwnedFd>> {
        Ok(match self.find(path)? {
            Some(found) if kind_of(&rustix::fs::fstat(&found)?) == kind => Some(found),
            _ => None,
        })
    }

    /// Opens what `path` leads to for reading, if it is a regular file.
    pub fn open_file(&self, path: &Path) -> io::Result<Option<File>> {
        let Some(found) = self.find_kind(path, FileType::RegularFile)? else {
            return Ok(None);
        };
        let handle = pathrs::Handle::from_fd(found);
        let file = handle.reopen(pathrs::flags::OpenFlags::O_RDONLY);
        Ok(Some(file.map_err(io_error)?))
    }

    /// Reads a regular file, links followed; `None` where there is none.
    ///
    /// # Errors
    /// When it can't be read, or is larger than [`MOST_TEXT`].
    pub fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let read = |file: File| {
            let mut content = Vec::new();
            file.take(MOST_TEXT + 1).read_to_end(&mut content)?;
            if content.len() as u64 > MOST_TEXT {
                let why = format!("it has more than {} MiB", MOST_TEXT >> 20);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
            }
            Ok(content)
        };
        self.open_file(path)?.map(read).transpose()
    }

    /// A directory that can be listed, links followed; `None` where `path` leads to
    /// something else or nowhere.
    pub fn open_dir(&self, path: &Path) -> io::Result<Option<OwnedFd>> {
        let found = self.find_kind(path, FileType::Directory)?;
        let open = |found| open_dir_at(&found, OsStr::new("."));
        found.map(open).transpose()
    }

    /// The directory at `path`, made with its parents where missing (mode 0755, root's);
    /// a link that leads nowhere has its target made.
    pub fn ensure_dir(&self, path: &Path) -> Result<OwnedFd, Error> {
        self.ensure_dir_within(path, LINKS)
    }

    fn ensure_dir_within(&self, path: &Path, links: usize) -> Result<OwnedFd, Error> {
        let failed = |error| failed_to("make", path, error);
        if let Some(found) = self.find(path).map_err(failed)? {
            let what = kind_of(&rustix::fs::fstat(&found).map_err(|e| failed(e.into()))?);
            if what != FileType::Directory {
                return Err(Error::kind("make the directory", path, what));
            }
            return Ok(found);
        }
        let Some((parent, name)) = split(path) else {
            return Err(failed(Errno::NOENT.into()));
        };
        let dir = self.ensure_dir_within(&parent, links)?;
        if let Some(target) = read_link(&dir, &name).map_err(failed)? {
            let Some(links) = links.checked_sub(1) else {
                return Err(failed(Errno::LOOP.into()));
            };
            return self.ensure_dir_within(&parent.join(target), links);
        }
        make_dir(&dir, &name).map_err(failed)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&dir, &name, flags, Mode::empty());
        made.map_err(|error| failed(error.into()))
    }

    /// Where `path` is, its last name not followed if it is a link. Missing parents are
    /// made.
    pub fn place(&self, path: &str) -> Result<NameInDir, Error> {
        self.place_of(checked(path)?)
    }

    /// Where `path` leads, links followed to the end: where the last of them leads
    /// nowhere, that is the place, inside of the root, and its parents are made.
    pub fn place_followed(&self, path: &str) -> Result<NameInDir, Error> {
        let mut at = checked(path)?.to_owned();
        for _ in 0..LINKS {
            let place = self.place_of(&at)?;
            let target = read_link(&place.dir, &place.name);
            let Some(target) = target.map_err(|error| failed_to("follow", &at, error))? else {
                return Ok(place);
            };
            at = at.parent().unwrap_or(Path::new("/")).join(target);
        }
        Err(failed_to("follow", Path::new(path), Errno::LOOP.into()))
    }

    fn place_of(&self, path: &Path) -> Result<NameInDir, Error> {
        // `/`, or a path that ends in `..`: a directory by itself.
        let (parent, name) = split(path).unwrap_or((path.to_owned(), ".".into()));
        Ok(NameInDir {
            dir: self.ensure_dir(&parent)?,
            name,
            path: path.to_owned(),
        })
    }

    /// As [`Tree::place`], for what has to be there: makes nothing.
    pub fn existing(
        &self,
        doing: &'static str,
        path: &str,
        follow: bool,
    ) -> Result<(NameInDir, Stat), Error> {
        let missing = || Error::Missing {
            doing,
            path: path.to_owned(),
        };
        let failed = |error| failed_to(doing, Path::new(path), error);
        let mut at = checked(path)?.to_owned();
        for _ in 0..LINKS {
            let (parent, name) = split(&at).unwrap_or((at.clone(), ".".into()));
            let dir = self.find(&parent).map_err(failed)?.ok_or_else(missing)?;
            let Some(stat) = stat_at(&dir, &name).map_err(failed)? else {
                return Err(missing());
            };
            if follow && kind_of(&stat) == FileType::Symlink {
                let target = read_link(&dir, &name).map_err(failed)?;
                at = parent.join(target.ok_or_else(missing)?);
                continue;
            }
            let place = NameInDir {
                dir,
                name,
                path: at,
            };
            return Ok((place, stat));
        }
        Err(failed(Errno::LOOP.into()))
    }
}

/// An absolute path that a system call can take.
pub fn checked(path: &str) -> Result<&Path, Error> {
    if path.starts_with('/') && !path.contains('\0') {
        return Ok(Path::new(path));
    }
    Err(Error::Path {
        path: path.to_owned(),
    })
}

/// The parent and the last name; `None` where a path ends in `..` or is the root itself.
fn split(path: &Path) -> Option<(PathBuf, OsString)> {
    match path.components().next_back()? {
        Component::Normal(name) => Some((path.parent()?.to_owned(), name.to_owned())),
        _ => None,
    }
}

pub fn failed_to(doing: &'static str, path: &Path, error: io::Error) -> Error {
    Error::Io {
        doing,
        path: path.display().to_string(),
        error,
    }
}

/// The system's own error where there is one, so that its cause can be told.
fn io_error(error: pathrs::error::Error) -> io::Error {
    match error.kind() {
        ErrorKind::OsError(Some(errno)) => io::Error::from_raw_os_error(errno),
        ErrorKind::SafetyViolation => Errno::XDEV.into(),
        _ => io::Error::other(error),
    }
}

pub fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// What `name` itself is; `None` where it is free.
pub fn stat_at(dir: &OwnedFd, name: &OsStr) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The target of a link; `None` where `name` is something else or free.
pub fn read_link(dir: &OwnedFd, name: &OsStr) -> io::Result<Option<PathBuf>> {
    match rustix::fs::readlinkat(dir, name, Vec::new()) {
        Ok(target) => Ok(Some(PathBuf::from(OsStr::from_bytes(target.to_bytes())))),
        Err(Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens the directory `name` for listing; a link is refused.
pub fn open_dir_at(dir: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(dir, name, flags, Mode::empty())?)
}

/// A new directory with mode 0755, root's, whatever the umask and the parent's setgid bit.
pub fn make_dir(dir: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let mode = Mode::from_raw_mode(0o755);
    rustix::fs::mkdirat(dir, name, mode)?;
    let (user, group) = (Some(Uid::ROOT), Some(Gid::ROOT));
    rustix::fs::chownat(dir, name, user, group, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(rustix::fs::chmodat(dir, name, mode, AtFlags::empty())?)
}

/// The names in a directory, sorted.
pub fn names(dir: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(dir)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
