//! The layers of an image, one for every step that changed something.
//!
//! What a step changed is found by comparing the root before and after it, not by reading
//! the overlay's own marks: renamed directories and the like then need no care.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::root::ExportRoot;
use super::tools::ToolPaths;
use super::{Error, tools};
use crate::diagnose::HintSet;
use crate::export::ExportJob;
use crate::plan::tool::{ToolPart, tar};
use crate::plan::{Compression, Export, Times};
use crate::run::files::attributes;
use crate::run::stack::open_trees;

/// Of a file that is not there any more.
const WHITEOUT: &str = ".wh.";

/// A layer's tar, not compressed.
pub struct LayerTar {
    pub path: PathBuf,
    pub label: String,
}

type Listing = BTreeMap<PathBuf, Facts>;

/// What differs where a step has touched a file.
#[derive(PartialEq)]
struct Facts {
    mode: u32,
    owner: (u32, u32),
    modified: (i64, i64),
    /// Of what is no directory: number, size, device and the time of the last change.
    rest: Option<(u64, u64, u64, (i64, i64))>,
    attributes: BTreeMap<OsString, Vec<u8>>,
}

pub fn write(export: &Export, job: &ExportJob<'_>, work: &Path) -> Result<Vec<LayerTar>, Error> {
    let trees: Vec<PathBuf> = job.layers.iter().map(|layer| layer.tree.clone()).collect();
    let failed = |error| Error::Layers { error };
    let mut before = Listing::new();
    let mut tars = Vec::new();
    for (at, layer) in job.layers.iter().enumerate() {
        // With room for whiteouts on top.
        let view = open_trees(trees.get(..=at).unwrap_or_default(), work);
        let view = view.map_err(|error| error.report(&HintSet::default()))?;
        let now = list(view.path(), &export.times).map_err(failed)?;
        let names = changed(view.path(), &before, &now).map_err(failed)?;
        before = now;
        if names.is_empty() {
            continue;
        }
        let path = work.join(format!("{at}.tar"));
        pack(export, ExportRoot::mounted(&view), &names, &path)?;
        tars.push(LayerTar {
            path,
            label: layer.label.clone(),
        });
    }
    Ok(tars)
}

fn list(root: &Path, times: &Times) -> io::Result<Listing> {
    let entries = walkdir::WalkDir::new(root).into_iter();
    let listed = entries.map(|entry| {
        let path = entry?.into_path();
        let name = path.strip_prefix(root).unwrap_or(&path);
        Ok((name.to_owned(), facts(&path, times)?))
    });
    listed.collect()
}

fn facts(path: &Path, times: &Times) -> io::Result<Facts> {
    let metadata = fs::symlink_metadata(path)?;
    let rest = |m: &Metadata| (m.ino(), m.len(), m.rdev(), (m.ctime(), m.ctime_nsec()));
    Ok(Facts {
        mode: metadata.mode(),
        owner: (metadata.uid(), metadata.gid()),
        modified: clamped((metadata.mtime(), metadata.mtime_nsec()), times),
        rest: (!metadata.is_dir()).then(|| rest(&metadata)),
        // Of other files a change shows in the time of the last change.
        attributes: match metadata.is_dir() {
            true => attributes(path)?,
            false => BTreeMap::new(),
        },
    })
}

/// As it is going to be in the layer: a container's start touches directories, and changes
/// nothing by that.
fn clamped(time: (i64, i64), times: &Times) -> (i64, i64) {
    match times {
        Times::Until { seconds } => time.min((i64::try_from(*seconds).unwrap_or(i64::MAX), 0)),
        Times::Kept | Times::Newest { .. } => time,
    }
}

/// What a layer holds, sorted; whiteouts are made in the view.
fn changed(view: &Path, before: &Listing, now: &Listing) -> io::Result<Vec<PathBuf>> {
    let mut names: Vec<PathBuf> = now
        .iter()
        .filter(|(name, facts)| before.get(*name) != Some(*facts))
        .map(|(name, _)| name.clone())
        .collect();
    for gone in before.keys().filter(|name| !now.contains_key(*name)) {
        let Some((parent, name)) = gone.parent().zip(gone.file_name()) else {
            continue;
        };
        // What was below something that is gone itself, or no directory any more, goes
        // with that.
        let Some(folder) = now.get(parent).filter(|facts| facts.rest.is_none()) else {
            continue;
        };
        let mut whiteout = OsString::from(WHITEOUT);
        whiteout.push(name);
        let whiteout = parent.join(whiteout);
        let file = File::create_new(view.join(&whiteout))?;
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        let (seconds, nanoseconds) = folder.modified;
        let time = std::time::UNIX_EPOCH
            + std::time::Duration::new(
                u64::try_from(seconds).unwrap_or(0),
                u32::try_from(nanoseconds).unwrap_or(0),
            );
        File::open(view.join(parent))?.set_modified(time)?;
        names.push(whiteout);
    }
    names.sort();
    Ok(names)
}

fn pack(
    export: &Export,
    view: ExportRoot<'_>,
    names: &[PathBuf],
    file: &Path,
) -> Result<(), Error> {
    let failed = |error| Error::Layers { error };
    let mut list = tempfile::NamedTempFile::new().map_err(failed)?;
    for name in names {
        let name = Path::new(".").join(name);
        let bytes = name.as_os_str().as_bytes();
        // `./` is the root itself.
        let bytes = bytes.strip_suffix(b"/").unwrap_or(bytes);
        list.write_all(bytes).map_err(failed)?;
        list.write_all(b"\0").map_err(failed)?;
    }
    list.flush().map_err(failed)?;
    let places = ToolPaths::of_root(export, view, file);
    let mut argv = places.argv(&tar(export, Compression::None, ToolPart::Output));
    argv.pop();
    argv.extend(["--no-recursion", "--null"].map(str::to_owned));
    argv.push(format!("--files-from={}", list.path().display()));
    let tar = places.process(&argv).reads(list.path());
    view.held(|| tools::run("pack a layer into", file, tar))
}
