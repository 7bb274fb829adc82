//! Two trees, file by file.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::FileType;
use serde::Serialize;
use std::fs::Metadata;

use super::{Change, Error};
use crate::run::files;

/// A path of one tree or of both that is not the same in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub change: Change,
    /// As inside of the root. A character that is no UTF-8 is replaced.
    pub path: String,
    /// By how many bytes the contents of regular files have grown; less than nothing where
    /// they have shrunk. What has several names counts once.
    pub growth: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Node>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Node>,
    /// Empty where it is on one side only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<Property>,
}

/// What two files can differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Property {
    Kind,
    Mode,
    Owner,
    Size,
    Content,
    Target,
    Device,
    Attributes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(into = "&'static str")]
#[strum(serialize_all = "lowercase")]
pub enum FileKind {
    File,
    Directory,
    Link,
    Pipe,
    Socket,
    #[strum(serialize = "block device")]
    BlockDevice,
    #[strum(serialize = "character device")]
    CharacterDevice,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    pub kind: FileKind,
    /// Permission bits in octal: `0644`.
    pub mode: String,
    pub uid: u32,
    pub gid: u32,
    /// In bytes, of a regular file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Major and minor number of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Extended attributes, their values in hexadecimal digits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// How much there is in a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Paths, of every kind.
    pub paths: u64,
    /// Of the contents of regular files; what has several names counts once.
    pub bytes: u64,
}

/// What differs, the largest growth first, and how much there is on either side. Times are
/// not compared: they say when a root was made, not what it is.
///
/// # Errors
/// When something cannot be read.
pub fn compare(from: &Path, to: &Path) -> Result<(Vec<Entry>, Totals, Totals), Error> {
    let (mut old, old_totals) = walk(from)?;
    let (mut new, new_totals) = walk(to)?;
    let paths: BTreeSet<PathBuf> = old.keys().chain(new.keys()).cloned().collect();
    let mut found = Vec::new();
    for path in paths {
        let (was, is) = (old.remove(&path), new.remove(&path));
        let mut differing = Vec::new();
        if let (Some(was), Some(is)) = (&was, &is) {
            differing = differs((&from.join(&path), was), (&to.join(&path), is))?;
            if differing.is_empty() {
                continue;
            }
        }
        let bytes = |side: &Option<Scanned>| side.as_ref().map_or(0, |one| one.counted);
        found.push(Entry {
            change: Change::of(was.as_ref(), is.as_ref()),
            path: format!("/{}", path.display()),
            growth: signed(bytes(&is)) - signed(bytes(&was)),
            from: was.map(|one| one.node),
            to: is.map(|one| one.node),
            differs: differing,
        });
    }
    // A sort that keeps the order of paths among those that are alike.
    found.sort_by_key(|entry| std::cmp::Reverse(entry.growth));
    Ok((found, old_totals, new_totals))
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

struct Scanned {
    node: Node,
    inode: (u64, u64),
    /// Bytes, once for all names of a file.
    counted: u64,
}

fn walk(root: &Path) -> Result<(BTreeMap<PathBuf, Scanned>, Totals), Error> {
    let mut found = BTreeMap::new();
    let mut totals = Totals::default();
    let mut counted = HashSet::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let refused = |error: walkdir::Error| {
            let path = error.path().unwrap_or(root).to_owned();
            read(&path, error.into())
        };
        let entry = entry.map_err(refused)?;
        let metadata = entry.metadata().map_err(refused)?;
        let inode = (metadata.dev(), metadata.ino());
        let first = counted.insert(inode);
        let bytes = match metadata.is_file() && (metadata.nlink() == 1 || first) {
            true => metadata.len(),
            false => 0,
        };
        totals.paths += 1;
        totals.bytes += bytes;
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let one = Scanned {
            node: node(entry.path(), &metadata)?,
            inode,
            counted: bytes,
        };
        found.insert(path.to_owned(), one);
    }
    Ok((found, totals))
}

fn differs(
    (old, was): (&Path, &Scanned),
    (new, is): (&Path, &Scanned),
) -> Result<Vec<Property>, Error> {
    // Versions of an export share what has not changed.
    if was.inode == is.inode {
        return Ok(Vec::new());
    }
    let (a, b) = (&was.node, &is.node);
    let same_kind = a.kind == b.kind;
    let same_content = match a.size == b.size && same_kind && a.kind == FileKind::File {
        true => files::same_bytes(old, new).map_err(|error| read(old, error))?,
        false => a.size == b.size,
    };
    let any_link = a.kind == FileKind::Link || b.kind == FileKind::Link;
    let differing = [
        (Property::Kind, !same_kind),
        // Whatever mode a link has, nobody looks at it.
        (Property::Mode, a.mode != b.mode && !any_link),
        (Property::Owner, (a.uid, a.gid) != (b.uid, b.gid)),
        (Property::Size, a.size != b.size && same_kind),
        (Property::Content, !same_content && same_kind),
        (Property::Target, a.target != b.target && same_kind),
        (Property::Device, a.device != b.device && same_kind),
        (Property::Attributes, a.attributes != b.attributes),
    ];
    let differing = differing.into_iter().filter(|(_, differs)| *differs);
    Ok(differing.map(|(property, _)| property).collect())
}

fn node(path: &Path, metadata: &Metadata) -> Result<Node, Error> {
    let kind = match FileType::from_raw_mode(metadata.mode()) {
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Link,
        FileType::Fifo => FileKind::Pipe,
        FileType::Socket => FileKind::Socket,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::CharacterDevice => FileKind::CharacterDevice,
        FileType::RegularFile | FileType::Unknown => FileKind::File,
    };
    let target = match kind {
        FileKind::Link => Some(fs::read_link(path).map_err(|error| read(path, error))?),
        _ => None,
    };
    let device = || {
        let number = metadata.rdev();
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        format!("{major}:{minor}")
    };
    let is_device = matches!(kind, FileKind::BlockDevice | FileKind::CharacterDevice);
    Ok(Node {
        kind,
        mode: format!("{:04o}", metadata.mode() & 0o7777),
        uid: metadata.uid(),
        gid: metadata.gid(),
        size: metadata.is_file().then_some(metadata.len()),
        target: target.map(|target| target.display().to_string()),
        device: is_device.then(device),
        attributes: attributes(path)?,
    })
}

fn read(path: &Path, error: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        error,
    }
}

fn attributes(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    let mut found = files::attributes(path).map_err(|error| read(path, error))?;
    for name in ["trusted.overlay.origin", "user.overlay.origin"] {
        found.remove(OsStr::new(name));
    }
    let shown = |(name, value): (OsString, Vec<u8>)| {
        let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        (name.to_string_lossy().into_owned(), digits)
    };
    Ok(found.into_iter().map(shown).collect())
}
