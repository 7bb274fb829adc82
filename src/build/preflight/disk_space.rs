//! Free space for layers and exports.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::Findings;
use crate::diagnose::Report;
use crate::plan::{Export, Plan};
use crate::run::Settings;
use crate::store::{Built, Store};

pub fn check(plan: &Plan, settings: &Settings, findings: &mut Findings) {
    let store = settings.store.root().display();
    let needed = estimate(plan, &settings.store);
    let what = format!("{} MiB of space in the store {store}", needed >> 20);
    findings.add(what, store_space(settings, needed));
    if let Some(why) = export_space(plan, settings, needed) {
        findings.unknown("space for exports", why);
    }
}

/// Estimated bytes of a root that was not built before: a small system with a kernel and an
/// initramfs.
const ROOT_BYTES: u64 = 1 << 30;

/// Estimated bytes that a build of `plan` adds to the store: the size of the recipe's last
/// build, or [`ROOT_BYTES`] for each root that is bootstrapped.
fn estimate(plan: &Plan, store: &Store) -> u64 {
    let last: Option<Built> = store.recorded(&plan.recipe.path).into_iter().next();
    let sizes = last.iter().flat_map(|built| &built.layers);
    let known: u64 = sizes
        .filter_map(|layer| store.sum(&layer.key))
        .map(|sum| sum.bytes)
        .sum();
    let roots = plan.roots.iter().filter(|root| root.base.is_none());
    known.max(roots.count() as u64 * ROOT_BYTES)
}

/// An error if the store has less than `needed` bytes free.
fn store_space(settings: &Settings, needed: u64) -> Option<Report> {
    let free = free(settings.store.root())?;
    (free < needed).then(|| {
        let (free, needed) = (free >> 20, needed >> 20);
        let store = settings.store.root().display();
        Report::new("host::space", format!("the store has only {free} MiB free"))
            .cause(format!("the build needs about {needed} MiB in `{store}`"))
            .help(
                "free space there (`rootwright cache gc`), or use another store with `--store DIR`",
            )
    })
}

/// Why the output folder may have too little space for the exports. Their size is not known
/// before they are written, so this is never an error.
fn export_space(plan: &Plan, settings: &Settings, root: u64) -> Option<String> {
    let is_new = |export: &Export| !settings.out.join(&export.name).exists();
    let new = plan.exports().filter(|(_, export)| is_new(export)).count() as u64;
    let folder = settings.out.ancestors().find(|folder| folder.is_dir())?;
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
    // On the same disk as the layers, the exports come on top of them.
    let same = device(folder) == device(settings.store.root());
    let needed = new * root + if same { root } else { 0 };
    let free = free(folder)?;
    let (free_mib, needed_mib) = (free >> 20, needed >> 20);
    (new > 0 && free < needed)
        .then(|| format!("{free_mib} MiB are free, up to {needed_mib} may be needed"))
}

/// Free bytes for the file system that `path` is on.
fn free(path: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}
