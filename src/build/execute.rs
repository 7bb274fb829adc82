//! Builds: the layers that are there are taken, the others made, exports written; several
//! recipes and branches side by side, what they share once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::Events;
use super::cache::Prepared;
use super::schedule::run_all;
use super::tasks::{BuildResult, LayerOf, Numbered, Runner};
use crate::boot::Boots;
use crate::plan::{Key, Run, Step};
use crate::run::{Error, Settings, interrupt};

/// A build that failed: its place in the list, and why.
#[derive(Debug)]
pub struct Failed {
    pub build: usize,
    pub error: Error,
}

/// Something that waits for other such things, and is done once.
enum Task<'a> {
    /// A layer, in each build that has it.
    Layer(Vec<LayerOf<'a>>),
    /// An export, or the boot of one.
    Reads(Numbered<'a>, &'a Step),
}

impl Task<'_> {
    fn build(&self) -> usize {
        match self {
            Task::Layer(places) => places.first().map_or(0, |place| place.of.number),
            Task::Reads(of, _) => of.number,
        }
    }
}

/// Runs prepared plans, at most `jobs` layers and exports at a time.
///
/// # Errors
/// The steps that failed. Their layers are kept aside; those that were made stay.
pub fn execute(
    builds: &[Prepared],
    settings: &Settings,
    jobs: usize,
    boots: &Boots<'_>,
    events: &dyn Events,
) -> Result<BuildResult, Vec<Failed>> {
    let whole = |error: std::io::Error| {
        let error = Error::store(error);
        vec![Failed { build: 0, error }]
    };
    let store = &settings.store;
    let runner = Runner::new(builds, settings, events).map_err(whole)?;
    for build in builds {
        store.record(&build.built()).map_err(whole)?;
    }
    let (tasks, needs) = tasks(builds);
    let failed = std::thread::scope(|scope| {
        // Sums are for `cache verify`: no step waits for them.
        let (sums, to_sum) = std::sync::mpsc::channel::<Key>();
        scope.spawn(move || {
            for key in to_sum {
                // A layer without a sum gets one when it is verified.
                let _ = store.take_sum(&key);
            }
        });
        let sums = Mutex::new(sums);
        run_all(&needs, jobs.max(1), |task| {
            if interrupt::interrupted() {
                return Err(Error::Interrupted);
            }
            let sums = sums.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let result = match tasks.get(task) {
                Some(Task::Layer(places)) => runner.layer(places, &sums),
                Some(Task::Reads(of, step)) => runner.reads(*of, step, boots),
                None => Ok(()),
            };
            // A command that was stopped fails; why it did is the better message.
            match result {
                Err(_) if interrupt::interrupted() => Err(Error::Interrupted),
                other => other,
            }
        })
    });
    if failed.is_empty() {
        let stacks = builds.iter().flat_map(tops).collect::<Vec<_>>();
        // Those below last: a layer has been used whenever one above it has.
        store.touch(stacks.iter().flat_map(|stack| stack.iter().rev()));
        return Ok(runner.result());
    }
    let failed = failed.into_iter().map(|(task, error)| Failed {
        build: tasks.get(task).map_or(0, Task::build),
        error,
    });
    Err(failed.collect())
}

/// The whole stack of every root of a build.
fn tops(build: &Prepared) -> Vec<Vec<Key>> {
    let roots = build.plan.roots.iter();
    roots.map(|root| build.stack(root.id, usize::MAX)).collect()
}

/// All that is to be done, and for each what has to be done before it.
fn tasks(builds: &[Prepared]) -> (Vec<Task<'_>>, Vec<BTreeSet<usize>>) {
    let mut tasks: Vec<Task<'_>> = Vec::new();
    let mut needs: Vec<BTreeSet<usize>> = Vec::new();
    let mut by_key: BTreeMap<&Key, usize> = BTreeMap::new();
    for (number, build) in builds.iter().enumerate() {
        let of = Numbered { number, build };
        for (layer, key) in build.layers.iter().zip(&build.keys) {
            let place = LayerOf { of, layer, key };
            if let Some(task) = by_key.get(&key.key)
                && let Some(Task::Layer(places)) = tasks.get_mut(*task)
            {
                places.push(place);
                continue;
            }
            let below = layer.below.and_then(|below| build.keys.get(below));
            let below = below.and_then(|below| by_key.get(&below.key));
            needs.push(below.copied().into_iter().collect());
            by_key.insert(&key.key, tasks.len());
            tasks.push(Task::Layer(vec![place]));
        }
        let mut exports: BTreeMap<&str, usize> = BTreeMap::new();
        for step in &build.plan.steps {
            let Some(root) = step.root.filter(|_| !step.makes_layer()) else {
                continue;
            };
            let stack = build.stack(root, step.number);
            let below = stack.last().and_then(|key| by_key.get(key));
            let booted = step
                .boots()
                .filter_map(|boot| exports.get(boot.export.as_str()));
            needs.push(below.into_iter().chain(booted).copied().collect());
            exports.extend(
                step.exports()
                    .map(|export| (export.name.as_str(), tasks.len())),
            );
            tasks.push(Task::Reads(of, step));
        }
    }
    (tasks, needs)
}

/// Builds the layers of a plan, then runs the command of `step`, which comes after it, in a
/// root whose changes are thrown away. Returns the command's output.
///
/// # Errors
/// As [`execute`], and when the command fails.
pub fn capture(
    build: &Prepared,
    step: &Step,
    run: &Run,
    settings: &Settings,
    events: &dyn Events,
) -> Result<String, Error> {
    let runner =
        Runner::new(std::slice::from_ref(build), settings, events).map_err(Error::store)?;
    let of = Numbered { number: 0, build };
    let (sums, _) = std::sync::mpsc::channel();
    for (layer, key) in build.layers.iter().zip(&build.keys) {
        runner.layer(&[LayerOf { of, layer, key }], &sums)?;
    }
    let root = step.root.unwrap_or_default();
    let open = runner.open(&build.stack(root, usize::MAX))?;
    let running = runner.running(of, step, &open);
    let ended = running.command(&[], run, false)?;
    Ok(ended.output.join("\n"))
}
