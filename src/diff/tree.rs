//! Two trees, file by file.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use std::fs::Metadata;

use super::Change;
use super::Error;

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
    /// Which of its properties differ: `kind`, `mode`, `owner`, `size`, `content`,
    /// `target`, `device`, `attributes`. Empty where it is on one side only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<&'static str>,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// `file`, `directory`, `link`, `pipe`, `socket`, `block device`, `character device`.
    pub kind: &'static str,
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
    let (old, old_totals) = walk(from)?;
    let (new, new_totals) = walk(to)?;
    let paths: BTreeSet<&PathBuf> = old.keys().chain(new.keys()).collect();
    let mut found = Vec::new();
    for path in paths {
        let shown = format!("/{}", path.display());
        let (was, is) = (old.get(path), new.get(path));
        let differs = match (was, is) {
            (Some(was), Some(is)) => {
                let differs = differs(&from.join(path), was, &to.join(path), is)?;
                if differs.is_empty() {
                    continue;
                }
                differs
            }
            _ => Vec::new(),
        };
        let bytes = |found: Option<&Scanned>| found.map_or(0, |found| found.counted);
        let node = |root: &Path, found: Option<&Scanned>| -> Result<Option<Node>, Error> {
            let found = found.map(|found| node(&root.join(path), &found.metadata));
            found.transpose()
        };
        found.push(Entry {
            change: Change::of(was, is),
            path: shown,
            growth: signed(bytes(is)) - signed(bytes(was)),
            from: node(from, was)?,
            to: node(to, is)?,
            differs,
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
    metadata: Metadata,
    /// Bytes, once for all names of a file.
    counted: u64,
}

fn walk(root: &Path) -> Result<(BTreeMap<PathBuf, Scanned>, Totals), Error> {
    let mut found = BTreeMap::new();
    let mut totals = Totals::default();
    let mut counted = HashSet::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let refused = |path: Option<&Path>, error: io::Error| Error::Read {
            path: path.unwrap_or(root).to_owned(),
            error,
        };
        let entry = entry.map_err(|error| {
            let path = error.path().map(Path::to_owned);
            refused(path.as_deref(), error.into())
        })?;
        let metadata = entry
            .metadata()
            .map_err(|error| refused(Some(entry.path()), error.into()))?;
        let first = counted.insert((metadata.dev(), metadata.ino()));
        let bytes = match metadata.is_file() && (metadata.nlink() == 1 || first) {
            true => metadata.len(),
            false => 0,
        };
        totals.paths += 1;
        totals.bytes += bytes;
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let one = Scanned {
            metadata,
            counted: bytes,
        };
        found.insert(path.to_owned(), one);
    }
    Ok((found, totals))
}

fn differs(
    old: &Path,
    was: &Scanned,
    new: &Path,
    is: &Scanned,
) -> Result<Vec<&'static str>, Error> {
    let (a, b) = (&was.metadata, &is.metadata);
    // Versions of an export share what has not changed.
    if (a.dev(), a.ino()) == (b.dev(), b.ino()) {
        return Ok(Vec::new());
    }
    let mut differs = Vec::new();
    let kinds = (kind(a), kind(b));
    if kinds.0 != kinds.1 {
        differs.push("kind");
    }
    // Whatever mode a link has, nobody looks at it.
    if a.mode() & 0o7777 != b.mode() & 0o7777 && !a.is_symlink() && !b.is_symlink() {
        differs.push("mode");
    }
    if (a.uid(), a.gid()) != (b.uid(), b.gid()) {
        differs.push("owner");
    }
    if kinds == ("file", "file") {
        if a.len() != b.len() {
            differs.extend(["size", "content"]);
        } else if !same_content(old, new)? {
            differs.push("content");
        }
    }
    if kinds == ("link", "link") && target(old)? != target(new)? {
        differs.push("target");
    }
    if is_device(a) && kinds.0 == kinds.1 && a.rdev() != b.rdev() {
        differs.push("device");
    }
    if attributes(old)? != attributes(new)? {
        differs.push("attributes");
    }
    Ok(differs)
}

fn is_device(metadata: &Metadata) -> bool {
    let kind = metadata.file_type();
    kind.is_block_device() || kind.is_char_device()
}

fn kind(metadata: &Metadata) -> &'static str {
    let kind = metadata.file_type();
    if kind.is_dir() {
        "directory"
    } else if kind.is_symlink() {
        "link"
    } else if kind.is_fifo() {
        "pipe"
    } else if kind.is_socket() {
        "socket"
    } else if kind.is_block_device() {
        "block device"
    } else if kind.is_char_device() {
        "character device"
    } else {
        "file"
    }
}

fn node(path: &Path, metadata: &Metadata) -> Result<Node, Error> {
    let kind = kind(metadata);
    let device = || {
        let number = metadata.rdev();
        format!(
            "{}:{}",
            rustix::fs::major(number),
            rustix::fs::minor(number)
        )
    };
    Ok(Node {
        kind,
        mode: format!("{:04o}", metadata.mode() & 0o7777),
        uid: metadata.uid(),
        gid: metadata.gid(),
        size: metadata.is_file().then_some(metadata.len()),
        target: match metadata.is_symlink() {
            true => Some(target(path)?),
            false => None,
        },
        device: is_device(metadata).then(device),
        attributes: attributes(path)?,
    })
}

fn target(path: &Path) -> Result<String, Error> {
    let target = fs::read_link(path).map_err(|error| read(path, error))?;
    Ok(target.display().to_string())
}

fn read(path: &Path, error: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        error,
    }
}

fn attributes(path: &Path) -> Result<BTreeMap<String, String>, Error> {
    // A file system without attributes has none.
    let Ok(names) = xattr::list(path) else {
        return Ok(BTreeMap::new());
    };
    let mut found = BTreeMap::new();
    for name in names.filter(|name| name != OsStr::new("trusted.overlay.origin")) {
        let value = xattr::get(path, &name).map_err(|error| read(path, error))?;
        let digits = value.unwrap_or_default();
        let digits: String = digits.iter().map(|byte| format!("{byte:02x}")).collect();
        found.insert(name.to_string_lossy().into_owned(), digits);
    }
    Ok(found)
}

/// Whether two files of the same size hold the same.
fn same_content(old: &Path, new: &Path) -> Result<bool, Error> {
    let open = |path: &Path| File::open(path).map_err(|error| read(path, error));
    let (mut a, mut b) = (open(old)?, open(new)?);
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let count = a.read(&mut left).map_err(|error| read(old, error))?;
        if count == 0 {
            return Ok(true);
        }
        let (Some(one), Some(other)) = (left.get(..count), right.get_mut(..count)) else {
            return Ok(false);
        };
        match b.read_exact(other) {
            Ok(()) if *one == *other => {}
            Ok(()) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(read(new, error)),
        }
    }
}
