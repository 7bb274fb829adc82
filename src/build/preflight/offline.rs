//! Repositories that a build without a network cannot reach.

use crate::build::Prepared;
use crate::diagnose::Report;
use crate::plan::{Repository, Step};
use crate::store::Store;

/// An error for each step of an offline build that would download packages.
pub fn check(build: &Prepared, store: &Store) -> Vec<Report> {
    let layers = build.layers.iter().zip(&build.keys);
    let missing = layers.filter(|(_, key)| !store.has(&key.key));
    let steps = missing.flat_map(|(layer, _)| build.steps(layer));
    let unreachable = |step: &Step| -> Option<Report> {
        let mut actions = step.actions.iter();
        let on_host = actions.any(|action| action.op.run().is_some_and(|run| run.place.is_host()));
        let mut archives = step.repositories.iter();
        let archive: &Repository = archives.find_map(|index| {
            let archive = build.plan.repositories.get(*index)?;
            (!archive.url.starts_with("file:")).then_some(archive)
        })?;
        on_host.then(|| {
            let message = format!(
                "step {} has to run, and `{}` cannot be reached",
                step.number, archive.url
            );
            Report::new("build::offline", message)
                .cause("its layer is not in the store, and the build is `--offline`")
                .help("build once without `--offline`, or use a mirror with a `file:` URL")
                .trace(step.calls.clone())
        })
    };
    steps.filter_map(unreachable).collect()
}
