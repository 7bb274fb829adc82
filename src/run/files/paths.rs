//! `MakeDir`, `Symlink`, `MovePath`, `SetMode`, `SetOwner`, `RequirePaths`.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use super::draft::{self, Draft, OwnerAndMode};
use super::error::Error;
use super::tree::{NameInDir, Tree, failed_to, kind_of, names, open_dir_at, stat_at};
use super::{accounts, glob, tree};
use crate::plan::{MakeDir, MovePath, RequirePaths, SetMode, SetOwner, Symlink};

/// A directory that is there keeps its owner and mode unless told otherwise; a link to
/// one counts as one.
pub fn make_dir(tree: &Tree, op: &MakeDir) -> Result<(), Error> {
    let numbers = OwnerAndMode::of(tree, &op.attributes)?;
    let path = tree::checked(&op.path)?;
    let dir = tree.ensure_dir(path)?;
    // The descriptor is for finding only, its `.` can be changed.
    numbers
        .set(&dir, OsStr::new("."))
        .map_err(|error| failed_to("make", path, error))
}

/// What is at the path is replaced at once, unless it is a directory.
pub fn symlink(tree: &Tree, op: &Symlink) -> Result<(), Error> {
    let place = tree.place(&op.path)?;
    let failed = |error| failed_to("link", &place.path, error);
    refuse_dir("link", &place)?;
    let (draft, ()) = Draft::make(&place, |dir, name| {
        rustix::fs::symlinkat(op.target.as_str(), dir, name)
    })
    .map_err(failed)?;
    let root = OwnerAndMode::default().or_default(0);
    root.set_owner(&place.dir, &draft.name).map_err(failed)?;
    draft.publish().map_err(failed)
}

fn refuse_dir(doing: &'static str, place: &NameInDir) -> Result<(), Error> {
    let stat = stat_at(&place.dir, &place.name);
    let stat = stat.map_err(|error| failed_to(doing, &place.path, error))?;
    match stat.as_ref().map(kind_of) {
        Some(kind @ FileType::Directory) => Err(Error::kind(doing, &place.path, kind)),
        _ => Ok(()),
    }
}

/// `to` is the new path itself: a file that is there is replaced, a directory is not.
pub fn rename(tree: &Tree, op: &MovePath) -> Result<(), Error> {
    let from = match tree.existing("move", &op.from, false) {
        Ok((from, _)) => from,
        Err(Error::Missing { .. }) if op.missing_ok => return Ok(()),
        Err(error) => return Err(error),
    };
    let to = tree.place(&op.to)?;
    let failed = |error| failed_to("move", &from.path, error);
    refuse_dir("move to", &to)?;
    shift(&from.dir, &from.name, &to.dir, &to.name).map_err(failed)
}

/// Renames, or where an overlay does not rename a directory of a lower layer (EXDEV),
/// makes the directory anew and renames what is in it.
fn shift(from: &OwnedFd, name: &OsStr, to: &OwnedFd, new: &OsStr) -> io::Result<()> {
    match rustix::fs::renameat(from, name, to, new) {
        Err(Errno::XDEV) => {}
        done => return Ok(done?),
    }
    let Some(stat) = stat_at(from, name)?.filter(|s| kind_of(s) == FileType::Directory) else {
        return Err(Errno::XDEV.into());
    };
    rustix::fs::mkdirat(to, new, Mode::from_raw_mode(0o700))?;
    let (old, made) = (open_dir_at(from, name)?, open_dir_at(to, new)?);
    for entry in names(&old)? {
        shift(&old, &entry, &made, &entry)?;
    }
    OwnerAndMode::default().or(&stat).set(to, new)?;
    let (old, made) = (std::fs::File::from(old), std::fs::File::from(made));
    draft::copy_attributes(&old, &made)?;
    rustix::fs::futimens(&made, &draft::times(&stat))?;
    Ok(rustix::fs::unlinkat(from, name, AtFlags::REMOVEDIR)?)
}

/// The path is followed if it is a link; links below it are passed over, they have no
/// mode of their own.
pub fn set_mode(tree: &Tree, op: &SetMode) -> Result<(), Error> {
    let doing = "set the mode of";
    let (place, _) = tree.existing(doing, &op.path, true)?;
    let numbers = OwnerAndMode::of_mode(Some(op.mode));
    let set = |dir: &OwnedFd, name: &OsStr, stat: &Stat| match kind_of(stat) {
        FileType::Symlink => Ok(()),
        _ => {
            draft::part(dir, name, stat)?;
            numbers.set(dir, name)
        }
    };
    walk(&place.dir, &place.name, op.recursive, &set)
        .map_err(|error| failed_to(doing, Path::new(&op.path), error))
}

/// The path is followed if it is a link; links below it change their own owner. Without
/// a group, groups stay.
pub fn set_owner(tree: &Tree, op: &SetOwner) -> Result<(), Error> {
    let doing = "set the owner of";
    let group = op.group.as_deref();
    let numbers = OwnerAndMode {
        mode: None,
        owner: Some(accounts::user(tree, &op.owner)?),
        group: group
            .map(|group| accounts::group(tree, group))
            .transpose()?,
    };
    let (place, _) = tree.existing(doing, &op.path, true)?;
    let set = |dir: &OwnedFd, name: &OsStr, stat: &Stat| {
        draft::part(dir, name, stat)?;
        numbers.set_owner(dir, name)
    };
    walk(&place.dir, &place.name, op.recursive, &set)
        .map_err(|error| failed_to(doing, Path::new(&op.path), error))
}

type Visit<'a> = dyn Fn(&OwnedFd, &OsStr, &Stat) -> io::Result<()> + 'a;

/// Visits `name` and, if `recursive`, what is below it first: the mode set may close it.
fn walk(dir: &OwnedFd, name: &OsStr, recursive: bool, visit: &Visit<'_>) -> io::Result<()> {
    let Some(stat) = stat_at(dir, name)? else {
        return Ok(());
    };
    if recursive && kind_of(&stat) == FileType::Directory {
        let inner = open_dir_at(dir, name)?;
        for entry in names(&inner)? {
            walk(&inner, &entry, recursive, visit)?;
        }
    }
    visit(dir, name, &stat)
}

/// Says all that is missing at once. A link that leads nowhere does not count.
pub fn require(tree: &Tree, op: &RequirePaths) -> Result<(), Error> {
    let mut missing = Vec::new();
    for required in &op.paths {
        let mut there = false;
        for pattern in &required.any_of {
            tree::checked(pattern)?;
            let read = |error| failed_to("look for", Path::new(pattern), error);
            for path in glob::expand(tree, pattern).map_err(read)? {
                there = there || tree.find(&path).map_err(read)?.is_some();
            }
        }
        if !there {
            missing.push(required.clone());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Required {
        purpose: op.purpose.clone(),
        missing,
    })
}
