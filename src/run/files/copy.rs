//! `CopyIn`: files and trees of the host, checked against the plan's digest.
//!
//! The copy is made beside its place under a passing name, and it is the copy that is
//! checked: what changed while it was being read is found, and nothing half-copied shows.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use std::fs;

use super::FileContext;
use super::draft::{self, Draft, OwnerAndMode};
use super::error::Error;
use super::tree::{NameInDir, Tree, failed_to, kind_of, names, open_dir_at, stat_at};
use crate::plan::digest::digest_tree;
use crate::plan::{CopyIn, Source};

/// A tree is merged into what is there: a directory that is there, or a link to one,
/// keeps its owner and mode; anything else is replaced, a link itself too. The owner is
/// given to all that is copied, the mode to `path` itself.
pub fn copy_in(tree: &Tree, op: &CopyIn, context: &FileContext<'_>) -> Result<(), Error> {
    let source = (context.source)(&op.source).ok_or_else(|| Error::NoSource {
        copied: op.source.clone(),
    })?;
    match &op.source {
        Source::File(digest) => copy_tree(tree, op, &source, digest),
        // They were checked when they were made.
        Source::Download(_) | Source::Keyring(_) => copy_file(tree, op, &source),
    }
}

/// A file at the path is replaced, a link itself too; mode 0644, root's, unless told otherwise.
fn copy_file(tree: &Tree, op: &CopyIn, source: &Path) -> Result<(), Error> {
    let numbers = OwnerAndMode::of(tree, &op.attributes)?.or_default(0o644);
    let place = tree.place(&op.path)?;
    let failed = |error| failed_to("write", &place.path, error);
    let link = super::tree::read_link(&place.dir, &place.name);
    if link.map_err(failed)?.is_none() {
        draft::writable("write", &place)?;
    }
    let write = || -> io::Result<()> {
        let mut from = File::open(source)?;
        let (draft, mut to) = Draft::file(&place)?;
        io::copy(&mut from, &mut to)?;
        numbers.set(&place.dir, &draft.name)?;
        draft.publish()
    };
    write().map_err(failed)
}

fn copy_tree(tree: &Tree, op: &CopyIn, source: &Path, digest: &str) -> Result<(), Error> {
    let numbers = OwnerAndMode::of(tree, &op.attributes)?;
    let unreadable = |error| of_source(source, error);
    let same = |found: String| match found == digest {
        true => Ok(()),
        false => Err(Error::Changed {
            host: source.display().to_string(),
            planned: digest.to_owned(),
            found,
        }),
    };
    same(digest_tree(source).map_err(unreadable)?)?;
    let metadata = fs::metadata(source).map_err(unreadable)?;

    let place = tree.place(&op.path)?;
    let failed = |error| failed_to("copy to", &place.path, error);
    // Nobody but root looks into it before it is whole.
    let (draft, ()) = Draft::make(&place, |dir, name| {
        rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o700))
    })
    .map_err(failed)?;
    let staging = open_dir_at(&place.dir, &draft.name).map_err(failed)?;
    let copy = OsStr::new("copy");
    let staged = Staging {
        place: &place,
        numbers,
    };
    staged.add(source, &metadata, &staging, copy)?;
    let host = PathBuf::from(format!("/proc/self/fd/{}", staging.as_raw_fd())).join(copy);
    same(digest_tree(&host).map_err(failed)?)?;

    merge(tree, &staging, copy, (&place.dir, &place.name), &place.path)?;
    // A directory that was there gets what is asked for, and a link to one as well.
    match tree.open_dir(&place.path).map_err(failed)? {
        Some(dir) if metadata.is_dir() => numbers.set(&dir, OsStr::new(".")),
        _ => numbers.set(&place.dir, &place.name),
    }
    .map_err(failed)
}

fn of_source(source: &Path, error: io::Error) -> Error {
    Error::Source {
        host: source.display().to_string(),
        error,
    }
}

struct Staging<'a> {
    place: &'a NameInDir,
    numbers: OwnerAndMode,
}

impl Staging<'_> {
    fn add(
        &self,
        source: &Path,
        metadata: &Metadata,
        dir: &OwnedFd,
        name: &OsStr,
    ) -> Result<(), Error> {
        let unreadable = |error| of_source(source, error);
        let failed = |error| failed_to("copy to", &self.place.path, error);
        if metadata.is_symlink() {
            let target = fs::read_link(source).map_err(unreadable)?;
            let numbers = self.numbers.or_default(0);
            rustix::fs::symlinkat(&target, dir, name).map_err(|e| failed(e.into()))?;
            return numbers.set_owner(dir, name).map_err(failed);
        }
        let numbers = OwnerAndMode {
            mode: Some(metadata.mode() & 0o7777),
            ..self.numbers.or_default(0)
        };
        if metadata.is_dir() {
            rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o700))
                .map_err(|error| failed(error.into()))?;
            let inner = open_dir_at(dir, name).map_err(failed)?;
            for entry in fs::read_dir(source).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                let metadata = entry.metadata().map_err(unreadable)?;
                self.add(&entry.path(), &metadata, &inner, &entry.file_name())?;
            }
        } else {
            let mut from = fs::File::open(source).map_err(unreadable)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let to = rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(0o600))
                .map_err(|error| failed(error.into()))?;
            // Shares the blocks where the file systems can.
            io::copy(&mut from, &mut File::from(to)).map_err(failed)?;
        }
        numbers.set(dir, name).map_err(failed)
    }
}

/// Moves the staged `name` to `to`, which is `path` in the root.
fn merge(
    tree: &Tree,
    staging: &OwnedFd,
    name: &OsStr,
    to: (&OwnedFd, &OsStr),
    path: &Path,
) -> Result<(), Error> {
    let failed = |error| failed_to("copy to", path, error);
    let kind = |dir: &OwnedFd, name: &OsStr| -> io::Result<Option<FileType>> {
        Ok(stat_at(dir, name)?.as_ref().map(kind_of))
    };
    let directory = Some(FileType::Directory);
    let staged_dir = kind(staging, name).map_err(failed)? == directory;
    let there = kind(to.0, to.1).map_err(failed)?;
    match there {
        Some(FileType::Directory | FileType::Symlink) if staged_dir => {
            let _made = tree.ensure_dir(path)?;
            let into = tree.open_dir(path).map_err(failed)?;
            let into = into.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
            let inner = open_dir_at(staging, name).map_err(failed)?;
            for entry in names(&inner).map_err(failed)? {
                merge(tree, &inner, &entry, (&into, &entry), &path.join(&entry))?;
            }
            Ok(())
        }
        Some(kind) if staged_dir || kind == FileType::Directory => {
            Err(Error::kind("copy to", path, kind))
        }
        _ => rustix::fs::renameat(staging, name, to.0, to.1).map_err(|e| failed(e.into())),
    }
}
