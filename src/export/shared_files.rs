//! A tree that shares with an older one what has not changed.
//!
//! A file is the same when size, mode, owner, time, extended attributes and every byte
//! are. What is written anew is everything else; tar says which names there are, so that
//! a pattern leaves out the same as in every format.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::root::ExportRoot;
use super::tools::ToolPaths;
use super::{Error, stage, tools};
use crate::plan::tool::{ToolPart, copy, tar, tar_copy};
use crate::plan::{Compression, Export, Share};
use crate::run::files::{attributes, same_bytes};

/// How the file systems here can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    Blocks,
    Links,
}

/// Fills the empty folder `dest` with the root. Owners, modes, times, links, extended
/// attributes, access lists, devices and holes are kept.
pub fn write(
    export: &Export,
    root: ExportRoot<'_>,
    before: Option<(&Path, Share)>,
    dest: &Path,
) -> Result<(), Error> {
    fs::create_dir(dest).map_err(Error::io("make", dest))?;
    let failed = Error::io("share files with the version before in", dest);
    let places = ToolPaths::of_root(export, root, dest);
    if let Some((before, share)) = before
        && let Some(way) = way(before, dest, share).map_err(failed)?
    {
        return with(&places, before, way);
    }
    if !export.exclude.is_empty() {
        return stage::copy(export, root, dest);
    }
    let copy = places.argv(&copy());
    places.copy(vec![places.process(&copy)])
}

/// Tries with a file of two bytes what the file systems can.
fn way(before: &Path, dest: &Path, share: Share) -> io::Result<Option<Sharing>> {
    let Some(folder) = before.parent() else {
        return Ok(None);
    };
    let mut from = tempfile::NamedTempFile::with_prefix_in(".try-", folder)?;
    from.write_all(b"1\n")?;
    let to = dest.join(".try");
    let blocks = rustix::fs::ioctl_ficlone(File::create_new(&to)?, from.as_file());
    fs::remove_file(&to)?;
    if blocks.is_ok() {
        return Ok(Some(Sharing::Blocks));
    }
    if share == Share::Blocks {
        return Ok(None);
    }
    if fs::hard_link(from.path(), &to).is_err() {
        return Ok(None);
    }
    fs::remove_file(&to)?;
    Ok(Some(Sharing::Links))
}

fn with(places: &ToolPaths<'_>, before: &Path, way: Sharing) -> Result<(), Error> {
    let (root, dest) = (places.root.path, places.output);
    let failed = Error::io("share files with the version before in", dest);
    let same = same_files(places, before)?;
    // Names are matched whole, and looked up, not tried one by one.
    let mut list = tempfile::NamedTempFile::new().map_err(failed)?;
    for name in &same {
        writeln!(list, "./{}", name.display()).map_err(failed)?;
    }
    list.flush().map_err(failed)?;
    let [mut pack, unpack] =
        tar_copy(places.export, ToolPart::Output).map(|words| places.argv(&words));
    let members = pack.pop();
    pack.extend(["--anchored", "--no-wildcards"].map(str::to_owned));
    pack.push(format!("--exclude-from={}", list.path().display()));
    pack.extend(members);
    let pack = places.process(&pack).reads(list.path());
    places.copy(vec![pack, places.process(&unpack)])?;
    let mut folders = BTreeSet::new();
    for name in &same {
        put(&root.join(name), &before.join(name), &dest.join(name), way).map_err(failed)?;
        folders.extend(name.parent().map(Path::to_owned));
    }
    // Their times went with what was put into them.
    for folder in folders {
        let metadata = fs::metadata(root.join(&folder)).map_err(failed)?;
        set_times(&dest.join(&folder), &metadata).map_err(failed)?;
    }
    Ok(())
}

/// The files of the export that `before` has just so, relative to the root.
fn same_files(places: &ToolPaths<'_>, before: &Path) -> Result<Vec<PathBuf>, Error> {
    let root = places.root.path;
    // Into this file tar writes names only, and reads no contents.
    let nowhere = ToolPart::Literal("/dev/null".to_owned());
    let mut list = places.argv(&tar(places.export, Compression::None, nowhere));
    let shown = ["--quoting-style=escape", "--verbose"];
    list.splice(1..1, shown.map(str::to_owned));
    let list = places.process(&list);
    let names = places
        .root
        .held(|| tools::output("list the files of", root, list))?;
    let mut same = Vec::new();
    for line in names.lines() {
        // A name with a line break or a backslash is simply written anew.
        let Some(name) = line.strip_prefix("./").filter(|name| !name.contains('\\')) else {
            continue;
        };
        if is_same(&root.join(name), &before.join(name)).unwrap_or(false) {
            same.push(PathBuf::from(name));
        }
    }
    Ok(same)
}

fn is_same(new: &Path, old: &Path) -> io::Result<bool> {
    let (n, o) = (fs::symlink_metadata(new)?, fs::symlink_metadata(old)?);
    let owner = |m: &Metadata| (m.uid(), m.gid());
    let key = |m: &Metadata| (m.len(), m.mode(), owner(m), m.mtime(), m.mtime_nsec());
    // Files with several names would have to keep them together.
    if !n.is_file() || !o.is_file() || n.len() == 0 || n.nlink() > 1 || key(&n) != key(&o) {
        return Ok(false);
    }
    Ok(attributes(new)? == attributes(old)? && same_bytes(new, old)?)
}

fn put(source: &Path, before: &Path, to: &Path, way: Sharing) -> io::Result<()> {
    match way {
        Sharing::Links => match fs::hard_link(before, to) {
            Ok(()) => return Ok(()),
            // As many names as the file system allows.
            Err(error) if error.raw_os_error() == Some(Errno::MLINK.raw_os_error()) => {
                io::copy(&mut File::open(source)?, &mut File::create_new(to)?)?;
            }
            Err(error) => return Err(error),
        },
        Sharing::Blocks => {
            rustix::fs::ioctl_ficlone(File::create_new(to)?, File::open(before)?)?;
        }
    }
    let metadata = fs::symlink_metadata(source)?;
    std::os::unix::fs::lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    fs::set_permissions(to, metadata.permissions())?;
    // After the owner: changing that takes file capabilities away.
    for (name, value) in attributes(source)? {
        xattr::set(to, name, &value)?;
    }
    set_times(to, &metadata)
}

fn set_times(path: &Path, metadata: &Metadata) -> io::Result<()> {
    let time = metadata.modified()?;
    let times = FileTimes::new().set_accessed(time).set_modified(time);
    File::open(path)?.set_times(times)
}
