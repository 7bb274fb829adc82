//! Conditions on the files that a check's patterns name.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use regex::Regex;
use rustix::fs::{FileType, Mode, OFlags, Stat};
use xattr::FileExt;

use super::table::{Check, FileKind, Pattern};
use crate::run::files::{Tree, glob, tree};

/// As much of a file is read.
const MOST_BYTES: u64 = 1 << 20;
/// As much of one that is looked into for its kind only.
pub const BEGINNING: u64 = 64 << 10;

/// Patterns of paths in which `*` goes over slashes; what is below a match matches too.
#[derive(Debug, Default)]
pub struct Paths(Vec<Regex>);

impl Paths {
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a String>) -> Paths {
        let regex = |pattern: &String| {
            let mut text = String::from("(?s)^/?");
            for c in pattern.trim_start_matches('/').chars() {
                match c {
                    '*' => text.push_str(".*"),
                    '?' => text.push('.'),
                    c => text.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
                }
            }
            text.push_str("(/.*)?$");
            Regex::new(&text).ok()
        };
        Paths(patterns.into_iter().filter_map(regex).collect())
    }

    pub fn has(&self, path: &str) -> bool {
        self.0.iter().any(|regex| regex.is_match(path))
    }
}

/// A file that is found wanting, and the first group of the pattern that matched.
pub type Hit = (String, String);

/// The first match in a text: its first group, or nothing.
pub fn found(pattern: &Pattern, text: &[u8]) -> Option<String> {
    pattern.0.captures(text).map(|captures| group(&captures))
}

/// Every match of a pattern in a text.
fn all(pattern: &Pattern, text: &[u8]) -> Vec<String> {
    let matches = pattern.0.captures_iter(text);
    let mut found: Vec<String> = matches.map(|captures| group(&captures)).collect();
    found.dedup();
    found
}

fn group(captures: &regex::bytes::Captures<'_>) -> String {
    let group = captures.get(1).map(|group| group.as_bytes());
    let group = String::from_utf8_lossy(group.unwrap_or_default());
    group.trim().to_owned()
}

/// The paths that patterns name and that nodes get; of one that has several names because
/// a directory is linked, the first.
pub fn expand(tree: &Tree, patterns: &[String], hidden: &[&Paths]) -> io::Result<Vec<PathBuf>> {
    let (mut paths, mut known) = (Vec::new(), BTreeSet::new());
    for pattern in patterns {
        for path in glob::expand(tree, pattern)? {
            let text = path.to_string_lossy();
            if hidden.iter().any(|hidden| hidden.has(&text)) {
                continue;
            }
            let Some((dir, _)) = last(tree, &path)? else {
                continue;
            };
            let dir = rustix::fs::fstat(&dir)?;
            let name = path.file_name().map(OsStr::to_owned);
            if known.insert((dir.st_dev, dir.st_ino, name)) {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

/// The beginning of a regular file; nothing of what is none.
pub fn beginning(tree: &Tree, path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    if let Some(file) = tree.open_file(path)? {
        file.take(bytes).read_to_end(&mut text)?;
    }
    Ok(text)
}

/// The directory that a path is in, and what its last name is; links before it are
/// followed inside of the root.
pub fn last(tree: &Tree, path: &Path) -> io::Result<Option<(OwnedFd, Stat)>> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(None);
    };
    let Some(dir) = tree.open_dir(parent)? else {
        return Ok(None);
    };
    let stat = tree::stat_at(&dir, name)?;
    Ok(stat.map(|stat| (dir, stat)))
}

/// What is wrong with the files that the check names.
pub fn check(tree: &Tree, check: &Check, hidden: &Paths) -> io::Result<Vec<Hit>> {
    let except = Paths::new(&check.except);
    let paths = expand(tree, &check.paths, &[hidden, &except])?;
    let shown = |path: &PathBuf| path.to_string_lossy().into_owned();
    let wanted = check.paths.first().cloned().unwrap_or_default();
    if check.missing {
        let missing = paths.is_empty().then(|| (wanted, String::new()));
        return Ok(missing.into_iter().collect());
    }
    if let Some(pattern) = &check.no_line {
        for path in &paths {
            let text = beginning(tree, path, MOST_BYTES)?;
            if pattern.0.is_match(&text) {
                return Ok(Vec::new());
            }
        }
        let path = paths.first().map_or(wanted, shown);
        return Ok(vec![(path, String::new())]);
    }
    let mut hits = Vec::new();
    for path in &paths {
        let Some((dir, stat)) = last(tree, path)? else {
            continue;
        };
        let name = path.file_name().unwrap_or_default();
        if !attributes(check, &dir, name, &stat)? {
            continue;
        }
        if let Some(pattern) = &check.line {
            let text = beginning(tree, path, MOST_BYTES)?;
            let not = check.not.as_ref();
            let fine = |hit: &String| not.is_some_and(|not| not.0.is_match(hit.as_bytes()));
            let found = all(pattern, &text).into_iter().filter(|hit| !fine(hit));
            hits.extend(found.map(|hit| (shown(path), hit)));
        } else if let Some(pattern) = &check.content {
            let text = beginning(tree, path, BEGINNING)?;
            hits.extend(found(pattern, &text).map(|hit| (shown(path), hit)));
        } else {
            hits.push((shown(path), String::new()));
        }
    }
    Ok(hits)
}

/// Whether mode, kind and extended attributes are as the check has them.
pub fn attributes(check: &Check, dir: &OwnedFd, name: &OsStr, stat: &Stat) -> io::Result<bool> {
    let kind = kind(stat);
    if !check.kinds.is_empty() && !kind.is_some_and(|kind| check.kinds.contains(&kind)) {
        return Ok(false);
    }
    let mode = stat.st_mode;
    if check.mode.is_some_and(|bits| mode & bits == 0)
        || check.no_mode.is_some_and(|bits| mode & bits != 0)
    {
        return Ok(false);
    }
    // A link's mode says nothing, and its target is looked at where it lies.
    if (check.mode.is_some() || check.no_mode.is_some()) && kind == Some(FileKind::Link) {
        return Ok(false);
    }
    let has = |attribute: &String| -> io::Result<bool> {
        if kind != Some(FileKind::File) {
            return Ok(false);
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(dir, name, flags, Mode::empty())?);
        match file.get_xattr(attribute) {
            Ok(value) => Ok(value.is_some()),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(false),
            Err(error) => Err(error),
        }
    };
    Ok(match (&check.xattr, &check.no_xattr) {
        (Some(attribute), _) if !has(attribute)? => false,
        (_, Some(attribute)) => kind == Some(FileKind::File) && !has(attribute)?,
        (_, None) => true,
    })
}

fn kind(stat: &Stat) -> Option<FileKind> {
    match tree::kind_of(stat) {
        FileType::RegularFile => Some(FileKind::File),
        FileType::Directory => Some(FileKind::Dir),
        FileType::Symlink => Some(FileKind::Link),
        FileType::Socket => Some(FileKind::Socket),
        FileType::Fifo => Some(FileKind::Fifo),
        FileType::CharacterDevice | FileType::BlockDevice => Some(FileKind::Device),
        FileType::Unknown => None,
    }
}

/// Where systemd keeps units, the ones that count first.
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The link that has a unit started, where it is not masked.
pub fn started(tree: &Tree, unit: &str, hidden: &Paths) -> io::Result<Option<String>> {
    if is_masked(tree, unit)? {
        return Ok(None);
    }
    for folder in UNITS {
        for kind in ["wants", "requires"] {
            let pattern = format!("{folder}/*.{kind}/{unit}");
            if let Some(path) = expand(tree, &[pattern], &[hidden])?.first() {
                return Ok(Some(path.to_string_lossy().into_owned()));
            }
        }
    }
    Ok(None)
}

fn is_masked(tree: &Tree, unit: &str) -> io::Result<bool> {
    for folder in UNITS {
        let path = Path::new(folder).join(unit);
        let Some((dir, stat)) = last(tree, &path)? else {
            continue;
        };
        let target = tree::read_link(&dir, OsStr::new(unit))?;
        let empty = tree::kind_of(&stat) == FileType::RegularFile && stat.st_size == 0;
        return Ok(empty || target.as_deref() == Some(Path::new("/dev/null")));
    }
    Ok(false)
}
