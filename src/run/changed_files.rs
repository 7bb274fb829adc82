//! What a layer changes: files added, changed and removed.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use fs_err as fs;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Changed,
    Removed,
}

/// One path of a root, relative to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    pub path: PathBuf,
    pub is_dir: bool,
    /// What is said beside the path: `mode 0644 → 0755`.
    pub note: String,
    /// Old and new text, of a small file that is text.
    pub texts: Option<(String, String)>,
}

impl Change {
    fn new(kind: ChangeKind, path: &Path, is_dir: bool) -> Self {
        Change {
            kind,
            path: path.to_owned(),
            is_dir,
            note: String::new(),
            texts: None,
        }
    }
}

/// Bytes of the largest file whose text is compared.
const TEXT_BYTES: u64 = 64 << 10;

/// What `upper`, an overlay's upper directory, changes of the tree `below`; sorted by path.
///
/// # Errors
/// When something cannot be read.
pub fn changes(upper: &Path, below: &Path) -> io::Result<Vec<Change>> {
    let mut changes = Vec::new();
    let walk = walkdir::WalkDir::new(upper)
        .min_depth(1)
        .sort_by_file_name();
    for entry in walk {
        let entry = entry?;
        let path = entry.path().strip_prefix(upper).unwrap_or(entry.path());
        let before = below.join(path);
        let old = fs::symlink_metadata(&before).ok();
        let new = entry.metadata()?;
        let kind = new.file_type();
        // A device with the numbers 0 and 0 is the kernel's mark for a removed file.
        if kind.is_char_device() && new.rdev() == 0 {
            changes.extend(old.map(|old| Change::new(ChangeKind::Removed, path, old.is_dir())));
            continue;
        }
        let Some(old) = old else {
            let mut added = Change::new(ChangeKind::Added, path, new.is_dir());
            added.texts = text(entry.path(), &new).map(|new| (String::new(), new));
            changes.push(added);
            continue;
        };
        let mut change = Change::new(ChangeKind::Changed, path, new.is_dir());
        change.note = attributes(&old, &new);
        if new.is_dir() && old.is_dir() {
            // A folder is there for what is in it, unless something of its own differs.
            let hidden = is_opaque(entry.path()).then(|| fs::read_dir(&before));
            if !change.note.is_empty() {
                changes.push(change);
            }
            for gone in hidden.into_iter().flatten().flatten() {
                let name = gone?.file_name();
                if !entry.path().join(&name).exists() {
                    let is_dir = before.join(&name).is_dir();
                    changes.push(Change::new(ChangeKind::Removed, &path.join(&name), is_dir));
                }
            }
            continue;
        }
        if kind.is_file() && old.file_type().is_file() {
            let texts = (text(&before, &old), text(entry.path(), &new));
            match texts {
                (Some(then), Some(now)) if then != now => change.texts = Some((then, now)),
                (Some(_), Some(_)) if change.note.is_empty() => continue,
                _ => {}
            }
        }
        changes.push(change);
    }
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

fn is_opaque(path: &Path) -> bool {
    // The kernel's own note, and where the build was rootless, the user's.
    let names = ["trusted.overlay.opaque", "user.overlay.opaque"];
    let is_set =
        |name| matches!(xattr::get(path, OsStr::new(name)), Ok(Some(value)) if value == b"y");
    names.into_iter().any(is_set)
}

fn attributes(old: &std::fs::Metadata, new: &std::fs::Metadata) -> String {
    let mut notes = Vec::new();
    if old.file_type() != new.file_type() {
        notes.push("another kind of file".to_owned());
    } else if old.mode() != new.mode() {
        let mode = |metadata: &std::fs::Metadata| metadata.mode() & 0o7777;
        notes.push(format!("mode {:04o} → {:04o}", mode(old), mode(new)));
    }
    let owner = |metadata: &std::fs::Metadata| format!("{}:{}", metadata.uid(), metadata.gid());
    if owner(old) != owner(new) {
        notes.push(format!("owner {} → {}", owner(old), owner(new)));
    }
    notes.join(", ")
}

/// The text of a small file that is one.
pub fn text_of(path: &Path) -> Option<String> {
    text(path, &fs::symlink_metadata(path).ok()?)
}

/// The lines that differ between two texts, with two around them.
pub fn hunks(old: &str, new: &str) -> Vec<String> {
    let diff = similar::TextDiff::from_lines(old, new);
    let mut unified = diff.unified_diff();
    let hunks = unified.context_radius(2).iter_hunks();
    let text: String = hunks.map(|hunk| hunk.to_string()).collect();
    text.lines().map(str::to_owned).collect()
}

fn text(path: &Path, metadata: &std::fs::Metadata) -> Option<String> {
    if !metadata.is_file() || metadata.len() > TEXT_BYTES {
        return None;
    }
    String::from_utf8(fs::read(path).ok()?).ok()
}
