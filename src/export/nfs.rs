//! Format `nfs`: a new version beside those that nodes run from.

use std::fs;
use std::path::{Path, PathBuf};

use super::in_use::Sources;
use super::publish::{self, Draft};
use super::versions::{Shelf, Version};
use super::{Error, closed_tree, companions, freshness, shared_files};
use crate::export::ExportJob;
use crate::plan::{Export, Format, Key, Share};

/// The version made of the same, as the current one.
pub fn fresh(place: &Path, format: &Format, identity: &Key) -> Option<PathBuf> {
    let shelf = Shelf::open(place).ok()?;
    let versions = shelf.versions().ok()?;
    let found = versions
        .iter()
        .rev()
        .find(|version| freshness::is_fresh(&version.path, identity))?;
    if !found.current {
        let locked = shelf.lock().ok()?;
        locked.switch(&found.name).ok()?;
    }
    keep(&shelf, format);
    Some(found.path.clone())
}

/// Writes the next version, and makes it the current one; gives its path.
pub fn write(export: &Export, job: &ExportJob<'_>, identity: &Key) -> Result<PathBuf, Error> {
    publish::check_name(&export.name)?;
    publish::make_out(job.out)?;
    let shelf = Shelf::ensure(&export.name, job.out, job.staging)?;
    let locked = shelf.lock()?;
    let (wanted, sharing) = match &export.format {
        Format::Nfs { version, share, .. } => (version.as_deref(), *share),
        _ => (None, Share::Blocks),
    };
    let version = match wanted {
        Some(name) => {
            publish::check_name(name)?;
            let path = shelf.path().join(name);
            if fs::symlink_metadata(&path).is_ok() {
                return Err(Error::VersionTaken { path });
            }
            name.to_owned()
        }
        None => locked.next()?,
    };
    let draft = Draft::new(&version, shelf.path(), job.staging, false)?;
    let versions = shelf.versions()?;
    let before = versions
        .iter()
        .find(|version| version.current)
        .or(versions.last())
        .map(|version| closed_tree::find(&version.path));
    let before = before.as_deref().map(|path| (path, sharing));
    let place = companions::ExportLocation::new(job.out, &export.name, Some(version.clone()));
    let beside = companions::ask(export, job)?;
    let tree = closed_tree::make(draft.path())?;
    shared_files::write(export, job.root, before, &tree)?;
    companions::write(export, job, draft.path(), &place, beside, identity)?;
    let path = draft.publish()?;
    locked.switch(&version)?;
    drop(locked);
    keep(&shelf, &export.format);
    Ok(path)
}

/// Removes what the recipe does not want to keep. That this fails is no failure of the
/// export.
fn keep(shelf: &Shelf, format: &Format) {
    let Format::Nfs {
        keep: Some(keep), ..
    } = format
    else {
        return;
    };
    let keep = usize::try_from(*keep).unwrap_or(usize::MAX).max(1);
    let few = |versions: Vec<Version>| versions.len() <= keep;
    if shelf.versions().is_ok_and(few) {
        return;
    }
    match shelf.prune(&[], keep, &Sources::default()) {
        Ok(pruned) => {
            for (name, why) in pruned.kept {
                tracing::warn!("version {name} stays: {why}");
            }
        }
        Err(error) => tracing::warn!("older versions stay: {error}"),
    }
}
