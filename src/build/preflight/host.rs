//! What can be known of the host itself: overlays, space.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::diagnose::{HintSet, Report};
use crate::plan::{Op, Plan};
use crate::run::{Error, Mounted, Settings};
use crate::store::{Built, Store};

/// Whether an overlay can be mounted on the store's file system; tried for real, in the
/// private mount namespace.
pub fn overlay(store: &Store) -> Option<Report> {
    let tried = || -> Result<(), Error> {
        let work = store.work().map_err(Error::store)?;
        let (lower, upper) = (work.path().join("lower"), work.path().join("upper"));
        for folder in [&lower, &upper] {
            fs_err::create_dir(folder).map_err(Error::store)?;
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

/// Whether the output folder has room for what is exported; why that is in doubt, where it
/// is. How small an export gets nobody knows before it is made, so this keeps nobody from
/// building.
pub fn room_for_exports(plan: &Plan, settings: &Settings, root: u64) -> Option<String> {
    let exports = plan.steps.iter().flat_map(|step| &step.actions);
    let new = exports
        .filter(|action| match &action.op {
            Op::Export(export) => !settings.out.join(&export.name).exists(),
            _ => false,
        })
        .count() as u64;
    let folder = settings.out.ancestors().find(|folder| folder.is_dir())?;
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
    // On the same disk as the layers, the exports come on top of them.
    let same = device(folder) == device(settings.store.root());
    let needed = new * root + if same { root } else { 0 };
    let free = free(folder)?;
    (new > 0 && free < needed).then(|| {
        format!(
            "{} MiB are free, and as many as {} may be needed",
            free >> 20,
            needed >> 20
        )
    })
}

/// Free bytes for the file system that `path` is on.
pub fn free(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
