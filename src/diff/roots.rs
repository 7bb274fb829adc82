//! Two roots or exports: what their manifests say, and their trees.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::packages::{self, PackageDiff};
use super::plan_changes::{counts, mark};
use super::tree::{self, Entry, FileKind, Node, Property, Totals};
use super::{Change, Differing};
use super::{Error, head};
use crate::export::Manifest;
use crate::run::changed_files::{hunks, text_of};

/// One of what is compared.
#[derive(Clone, Debug)]
pub struct Side {
    /// The tree.
    pub root: PathBuf,
    /// Of an export.
    pub manifest: Option<Manifest>,
}

/// What differs between two roots; all of it empty where nothing does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RootsDiff {
    /// What the manifests say beside packages: format, kernel, command line, options.
    pub facts: Vec<Differing>,
    /// Absent where a side is no export, whose packages nobody has listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<PackageDiff>>,
    pub totals: Sides<Totals>,
    /// The largest growth first.
    pub files: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sides<T> {
    pub from: T,
    pub to: T,
}

impl RootsDiff {
    /// What leads from one to the other.
    ///
    /// # Errors
    /// When something in a tree cannot be read.
    pub fn between(from: &Side, to: &Side) -> Result<RootsDiff, Error> {
        let (files, before, after) = tree::compare(&from.root, &to.root)?;
        let manifests = from.manifest.as_ref().zip(to.manifest.as_ref());
        Ok(RootsDiff {
            facts: manifests.map(|(a, b)| facts(a, b)).unwrap_or_default(),
            packages: manifests.map(|(a, b)| packages::compare(&a.packages, &b.packages)),
            totals: Sides {
                from: before,
                to: after,
            },
            files,
        })
    }

    pub fn is_empty(&self) -> bool {
        let packages = self.packages.as_ref().is_none_or(Vec::is_empty);
        self.facts.is_empty() && packages && self.files.is_empty()
    }
}

fn facts(from: &Manifest, to: &Manifest) -> Vec<Differing> {
    let said = |manifest: &Manifest| -> BTreeMap<String, serde_json::Value> {
        let mut said = BTreeMap::new();
        said.insert("format".to_owned(), manifest.format.name().into());
        if let Some(kernel) = &manifest.kernel_version {
            said.insert("kernel".to_owned(), kernel.clone().into());
        }
        if let Some(boot) = &manifest.boot {
            said.insert("cmdline".to_owned(), boot.cmdline.clone().into());
        }
        for option in &manifest.options {
            said.insert(format!("option {}", option.name), option.value.clone());
        }
        said
    };
    super::differences(said(from), said(to))
}

/// How much is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// Every path, and not the first of them only.
    pub all: bool,
    /// The lines of small texts that differ.
    pub lines: bool,
}

/// Paths that people are shown before the rest is only counted.
const SHOWN: usize = 40;

/// For people.
pub fn text(diff: &RootsDiff, names: (&str, &str), sides: (&Side, &Side), shown: Shown) -> String {
    let mut out = head(names);
    for fact in &diff.facts {
        let _ = writeln!(out, "{}", super::plans::differing(fact));
    }
    if let Some(packages) = diff.packages.as_ref().filter(|list| !list.is_empty()) {
        let changes = packages.iter().map(|package| package.change);
        let _ = writeln!(out, "\npackages: {}", counts(changes));
        for package in packages {
            let name = match package.architecture.as_str() {
                "" => package.name.clone(),
                architecture => format!("{} ({architecture})", package.name),
            };
            let (from, to) = (package.from.join(", "), package.to.join(", "));
            let versions = match package.change {
                Change::Added => to,
                Change::Removed => from,
                Change::Changed => format!("{from} → {to}"),
            };
            let _ = writeln!(out, "  {} {name} {versions}", mark(package.change));
        }
    }
    if diff.files.is_empty() {
        return out;
    }
    let changes = diff.files.iter().map(|entry| entry.change);
    let _ = writeln!(out, "\nfiles: {}", counts(changes));
    let (from, to) = (diff.totals.from.bytes, diff.totals.to.bytes);
    let growth = signed(i128::from(to) - i128::from(from));
    let _ = writeln!(out, "size: {} → {} ({growth})", size(from), size(to));
    let lines = collapsed(&diff.files);
    let most = if shown.all { usize::MAX } else { SHOWN };
    for line in lines.iter().take(most) {
        let growth = match line.growth {
            0 => String::new(),
            growth => signed(growth.into()),
        };
        let (mark, path) = (mark(line.entry.change), line.text());
        let _ = writeln!(out, "  {growth:>11}  {mark} {path}");
        if shown.lines {
            for text in texts(line.entry, sides) {
                let _ = writeln!(out, "      {text}");
            }
        }
    }
    if let Some(more) = lines.len().checked_sub(most).filter(|more| *more > 0) {
        let _ = writeln!(out, "  … and {more} more: `--all` shows them");
    }
    out
}

/// A path as it is shown: of a folder that is new or gone, with all that is in it.
struct Line<'a> {
    entry: &'a Entry,
    growth: i64,
    below: usize,
}

impl Line<'_> {
    fn text(&self) -> String {
        let entry = self.entry;
        let node = entry.to.as_ref().or(entry.from.as_ref());
        let slash = match node.map(|node| node.kind) {
            Some(FileKind::Directory) => "/",
            _ => "",
        };
        let notes = entry.differs.iter().filter_map(|what| note(entry, *what));
        let mut notes: Vec<String> = notes.collect();
        match self.below {
            0 => {}
            1 => notes.push("and 1 path in it".to_owned()),
            more => notes.push(format!("and {more} paths in it")),
        }
        match notes.is_empty() {
            true => format!("{}{slash}", entry.path),
            false => format!("{}{slash} ({})", entry.path, notes.join(", ")),
        }
    }
}

/// What is said of a property that differs; nothing of a size, which stands before it.
fn note(entry: &Entry, what: Property) -> Option<String> {
    let (from, to) = (entry.from.as_ref()?, entry.to.as_ref()?);
    let arrow = |from: &str, to: &str| Some(format!("{what} {from} → {to}"));
    let owner = |node: &Node| format!("{}:{}", node.uid, node.gid);
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    match what {
        Property::Kind => arrow(from.kind.into(), to.kind.into()),
        Property::Mode => arrow(&from.mode, &to.mode),
        Property::Owner => arrow(&owner(from), &owner(to)),
        Property::Target => arrow(&word(&from.target), &word(&to.target)),
        Property::Device => arrow(&word(&from.device), &word(&to.device)),
        Property::Attributes => {
            let names = from.attributes.keys().chain(to.attributes.keys());
            let mut names: Vec<&str> = names
                .filter(|name| from.attributes.get(*name) != to.attributes.get(*name))
                .map(String::as_str)
                .collect();
            names.sort_unstable();
            names.dedup();
            Some(format!("attribute {}", names.join(", ")))
        }
        Property::Content => (entry.growth == 0).then(|| "content".to_owned()),
        Property::Size => None,
    }
}

fn collapsed(files: &[Entry]) -> Vec<Line<'_>> {
    let is_whole = |entry: &&Entry| {
        let node = entry.to.as_ref().or(entry.from.as_ref());
        entry.change != Change::Changed && node.is_some_and(|node| node.kind == FileKind::Directory)
    };
    // By path a folder stands before what is in it.
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut sorted: Vec<&Entry> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    for entry in sorted {
        let slashes = entry.path.match_indices('/');
        let mut above = slashes.filter_map(|(at, _)| entry.path.get(..at));
        let place = above.find_map(|path| folders.get(path).copied());
        match place.and_then(|place| lines.get_mut(place)) {
            Some(line) if line.entry.change == entry.change => {
                line.growth += entry.growth;
                line.below += 1;
            }
            _ => {
                if is_whole(&entry) {
                    folders.insert(&entry.path, lines.len());
                }
                lines.push(Line {
                    entry,
                    growth: entry.growth,
                    below: 0,
                });
            }
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.growth));
    lines
}

/// The lines of a small text, where it is one on both sides or on one of them alone.
fn texts(entry: &Entry, (from, to): (&Side, &Side)) -> Vec<String> {
    let path = entry.path.trim_start_matches('/');
    let read = |side: &Side, node: &Option<Node>| match node.as_ref().map(|node| node.kind) {
        Some(FileKind::File) => text_of(&side.root.join(path)),
        Some(_) => None,
        None => Some(String::new()),
    };
    match (read(from, &entry.from), read(to, &entry.to)) {
        (Some(old), Some(new)) => hunks(&old, &new),
        _ => Vec::new(),
    }
}

fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| bytes >= 1 << shift);
    match unit {
        // Tenths, rounded down.
        Some((shift, name)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

fn signed(growth: i128) -> String {
    let bytes = u64::try_from(growth.unsigned_abs()).unwrap_or(u64::MAX);
    match growth {
        0 => "the same".to_owned(),
        1.. => format!("+{}", size(bytes)),
        _ => format!("-{}", size(bytes)),
    }
}
