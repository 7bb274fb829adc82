//! A shell in a root as it is after some step; what it changes is thrown away.

use std::path::{Path, PathBuf};

use super::changed_files::{Change, changes};
use super::container::{Lent, Setup};
use super::operations::Running;
use super::stack::{self, OpenRoot};
use super::{Error, Settings};
use crate::plan::command::Mode;
use crate::plan::{Key, Layer, Plan, RootId, Run, RunPlace, top};
use crate::store::{Built, Store, Work};

/// Where in a recipe a shell is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// After the last step of a root.
    End(RootId),
    After(usize),
    Before(usize),
    /// In what a step left that failed.
    Failed,
}

/// Why a build has no such root.
#[derive(Debug, thiserror::Error)]
pub enum NotBuilt {
    #[error("there is no step {0}")]
    NoStep(usize),
    #[error("step {0} changes no root")]
    NoRoot(usize),
    #[error("step {0} has not been built")]
    Missing(usize),
    #[error("no step of this recipe has failed")]
    NothingFailed,
    #[error("before the first step there is nothing to open a shell in")]
    NothingYet,
}

/// A root of a build: its layers, and the steps to run on top of them.
pub struct BuiltRoot {
    trees: Vec<PathBuf>,
    /// Numbers of steps that only change files, in a layer that ends later.
    steps: Vec<usize>,
    keys: Vec<Key>,
}

fn root_of(plan: &Plan, number: usize) -> Result<RootId, NotBuilt> {
    let step = plan.step(number).ok_or(NotBuilt::NoStep(number))?;
    step.root.ok_or(NotBuilt::NoRoot(number))
}

impl BuiltRoot {
    /// Finds a root in the last build of a plan.
    ///
    /// # Errors
    /// When it is not a root of the build, or its layers are not in the store.
    pub fn find(built: &Built, point: Point, store: &Store) -> Result<BuiltRoot, NotBuilt> {
        let plan = &built.plan;
        let layers = crate::plan::layers(plan);
        let (root, after) = match point {
            Point::End(root) => (root, usize::MAX),
            Point::After(number) => (root_of(plan, number)?, number),
            Point::Before(number) => (root_of(plan, number)?, number.saturating_sub(1)),
            Point::Failed => {
                let failed = layers.iter().zip(&built.layers);
                let mut failed =
                    failed.filter_map(|(layer, of)| Some((layer, store.failed_fs(&of.key)?)));
                let (layer, tree) = failed.next().ok_or(NotBuilt::NothingFailed)?;
                let mut root = BuiltRoot::of(built, &layers, layer.below, store)?;
                root.trees.push(tree);
                return Ok(root);
            }
        };
        let at = top(plan, &layers, root, after);
        let mut found = BuiltRoot::of(built, &layers, at, store)?;
        // The first steps of a layer that has more of them.
        let next = layers
            .iter()
            .find(|layer| layer.root == root && layer.below == at && layer.last_step() > after);
        let steps = next.map(|layer| layer.steps.iter().filter(|step| **step <= after));
        found.steps = steps.into_iter().flatten().copied().collect();
        if found.trees.is_empty() && found.steps.is_empty() {
            return Err(NotBuilt::NothingYet);
        }
        Ok(found)
    }

    fn of(
        built: &Built,
        layers: &[Layer],
        top: Option<usize>,
        store: &Store,
    ) -> Result<BuiltRoot, NotBuilt> {
        let mut keys = Vec::new();
        let mut at = top;
        while let Some(index) = at {
            let (Some(layer), Some(of)) = (layers.get(index), built.layers.get(index)) else {
                break;
            };
            if !store.has(&of.key) {
                return Err(NotBuilt::Missing(layer.last_step()));
            }
            keys.push(of.key.clone());
            at = layer.below;
        }
        keys.reverse();
        let trees = keys.iter().map(|key| store.layer_fs(key));
        Ok(BuiltRoot {
            trees: trees.collect(),
            steps: Vec::new(),
            keys,
        })
    }

    /// Mounts the layers of a root. What is changed in it goes when it is dropped.
    ///
    /// # Errors
    /// When they cannot be mounted.
    pub fn mount(&self, store: &Store) -> Result<MountedRoot, Error> {
        let work = self.claim(store)?;
        Ok(MountedRoot {
            open: stack::open_trees(&self.trees, work.path())?,
            _work: work,
        })
    }

    /// Keeps the layers in the store as long as the folder is not dropped.
    fn claim(&self, store: &Store) -> Result<Work, Error> {
        let keys: Vec<&Key> = self.keys.iter().collect();
        store.claim(&keys).map_err(Error::store)
    }
}

/// A root that is mounted to be read.
pub struct MountedRoot {
    open: OpenRoot,
    _work: Work,
}

impl MountedRoot {
    pub fn path(&self) -> &Path {
        self.open.path()
    }
}

/// Runs `argv`, or a shell where it is empty, and gives its exit status and, where
/// `compare` says so, what it has changed.
///
/// # Errors
/// When the root cannot be mounted, or nothing be started.
pub fn shell(
    plan: &Plan,
    built: &BuiltRoot,
    argv: &[String],
    compare: bool,
    settings: &Settings,
    output: &(dyn Fn(&str) + Sync),
) -> Result<(i32, Vec<Change>), Error> {
    let work = built.claim(&settings.store)?;
    let mut trees = built.trees.clone();
    // Held until the end: the tree of these steps is below the shell's own.
    let below = match built.steps.is_empty() {
        true => None,
        false => Some(partial(plan, built, &work, settings, output)?),
    };
    trees.extend(below.as_ref().map(stack::FreshLayer::tree));
    let open = stack::open_trees(&trees, work.path())?;
    let setup = Setup {
        network: true,
        ..Setup::default()
    };
    let status = setup.around(&open, &settings.store, work.path(), |lent| {
        run(lent, open.path(), argv)
    })?;
    let closed = open.unmount();
    let changed = match compare {
        false => Vec::new(),
        true => {
            let below = stack::open_trees(&trees, work.path())?;
            changes(&closed.tree(), below.path()).map_err(Error::store)?
        }
    };
    Ok((status, changed))
}

/// The layer of the steps that are run on top of the root's.
fn partial(
    plan: &Plan,
    built: &BuiltRoot,
    work: &Work,
    settings: &Settings,
    output: &(dyn Fn(&str) + Sync),
) -> Result<stack::FreshLayer, Error> {
    let open: OpenRoot = stack::open_trees(&built.trees, work.path())?;
    for step in built.steps.iter().filter_map(|number| plan.step(*number)) {
        let running = Running {
            plan,
            step,
            settings,
            output: Box::new(output),
            logs: work.path(),
            work: work.path(),
            root: &open,
        };
        running.actions()?;
    }
    Ok(open.unmount())
}

fn run(lent: &Lent<'_>, root: &Path, argv: &[String]) -> Result<i32, Error> {
    use std::io::IsTerminal;
    let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut words = argv.to_vec();
    if words.is_empty() {
        let shell = match root.join("bin/bash").symlink_metadata() {
            Ok(_) => "/bin/bash",
            Err(_) => "/bin/sh",
        };
        words.push(shell.to_owned());
    }
    let mut run = Run::new(RunPlace::Root, words.iter().map(String::as_str).collect());
    run.network = true;
    let mode = match interactive {
        true => Mode::Interactive,
        false => Mode::Command,
    };
    // systemd-nspawn hands these on to what runs on a terminal.
    for name in ["TERM", "COLORTERM"] {
        if interactive && std::env::var_os(name).is_some() {
            run.env.insert(name.to_owned(), String::new().into());
        }
    }
    let mut process = lent.process(&run, mode, root, &words);
    for name in run.env.keys() {
        if let Some(value) = std::env::var_os(name) {
            process = process.env(name, value);
        }
    }
    let program = process.program();
    let status = process.attached().map_err(|source| Error::Start {
        program,
        source,
        calls: Vec::new(),
    })?;
    Ok(super::namespace::exit_code(status))
}
