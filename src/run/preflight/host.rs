//! What can be known of the host itself: overlays, space.

use std::path::Path;

use super::super::Settings;
use super::super::mount::Mounted;
use crate::diagnose::{HintSet, Report};
use crate::plan::{Built, Plan};
use crate::store::Store;

/// Whether an overlay can be mounted on the store's file system; tried for real, in the
/// private mount namespace.
pub fn overlay(store: &Store) -> Option<Report> {
    let tried = || -> Result<(), super::super::Error> {
        let work = store.work().map_err(super::super::Error::store)?;
        let (lower, upper) = (work.path().join("lower"), work.path().join("upper"));
        for folder in [&lower, &upper] {
            fs_err::create_dir(folder).map_err(super::super::Error::store)?;
        }
        Mounted::overlay(&[lower], &upper, work.path()).map(drop)
    };
    tried().err().map(|error| error.report(&HintSet::default()))
}

/// Bytes that a root is reckoned to take of which no build is known: a small system with a
/// kernel and an initramfs has about as many.
const ROOT_BYTES: u64 = 1 << 30;

/// What a build of `plan` is reckoned to add to the store, in bytes: what the last build of
/// the recipe has there, or [`ROOT_BYTES`] for each root that is bootstrapped.
pub fn estimate(plan: &Plan, store: &Store) -> u64 {
    let last: Option<Built> = store.recorded(&plan.recipe.path).into_iter().next();
    let sizes = last.iter().flat_map(|built| &built.layers);
    let known: u64 = sizes
        .filter_map(|layer| store.sum(&layer.key))
        .map(|sum| sum.bytes)
        .sum();
    let roots = plan.roots.iter().filter(|root| root.base.is_none());
    known.max(roots.count() as u64 * ROOT_BYTES)
}

/// Whether the store has room for what is reckoned.
pub fn space(settings: &Settings, needed: u64) -> Option<Report> {
    let free = free(settings.store.root())?;
    (free < needed).then(|| {
        Report::new(
            "host::space",
            format!("the store has {} MiB free, too little", free >> 20),
        )
        .cause(format!(
            "the build is reckoned to take {} MiB in `{}`",
            needed >> 20,
            settings.store.root().display()
        ))
        .help("make room there (`rootwright cache gc`), or keep the layers elsewhere with `--store DIR`")
    })
}

/// Free bytes for the file system that `path` is on.
pub fn free(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
