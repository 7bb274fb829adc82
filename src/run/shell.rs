//! A shell in a root as it is after some step; what it changes is thrown away.

use std::path::{Path, PathBuf};

use super::changed_files::{Change, changes};
use super::container::{self, Setup};
use super::operations::Running;
use super::process::Process;
use super::stack::{self, Open};
use super::{Error, Settings};
use crate::plan::command::Mode;
use crate::plan::{Key, Layer, NspawnRun, Plan, RootId, Step, top};
use crate::store::{Built, Work};

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

/// Why there is no such place.
#[derive(Debug, thiserror::Error)]
pub enum NoPlace {
    #[error("there is no step {0}")]
    NoStep(usize),
    #[error("step {0} changes no root")]
    NoRoot(usize),
    #[error("step {0} has not been built")]
    NotBuilt(usize),
    #[error("no step of this recipe has failed")]
    NothingFailed,
    #[error("before the first step there is nothing to open a shell in")]
    NothingYet,
}

/// A root to open: the layers that are taken, and the steps to carry out on top of them.
pub struct Place {
    trees: Vec<PathBuf>,
    /// Numbers of steps that only change files, in a layer that ends later.
    steps: Vec<usize>,
    keys: Vec<Key>,
}

/// Finds the place in the last build of a plan.
///
/// # Errors
/// When there is none, or its layers are not in the store.
pub fn place(built: &Built, point: Point, settings: &Settings) -> Result<Place, NoPlace> {
    let plan = &built.plan;
    let layers = crate::plan::layers(plan);
    let store = &settings.store;
    if point == Point::Failed {
        let failed = layers.iter().zip(&built.layers).find_map(|(layer, of)| {
            let tree = store.failed_fs(&of.key)?;
            Some((layer, tree))
        });
        let (layer, tree) = failed.ok_or(NoPlace::NothingFailed)?;
        let mut place = Place::of(built, &layers, layer.below, settings)?;
        place.trees.push(tree);
        return Ok(place);
    }
    let (root, after) = match point {
        Point::End(root) => (root, usize::MAX),
        Point::After(number) => (root_of(plan, number)?, number),
        Point::Before(number) => (root_of(plan, number)?, number.saturating_sub(1)),
        Point::Failed => return Err(NoPlace::NothingFailed),
    };
    let at = top(plan, &layers, root, after);
    let mut place = Place::of(built, &layers, at, settings)?;
    // The steps up to there of a layer that goes on.
    let next = layers
        .iter()
        .find(|layer| layer.root == root && layer.below == at && layer.last_step() > after);
    let steps = next.map(|layer| layer.steps.iter().filter(|step| **step <= after));
    place.steps = steps.into_iter().flatten().copied().collect();
    if place.trees.is_empty() && place.steps.is_empty() {
        return Err(NoPlace::NothingYet);
    }
    Ok(place)
}

fn root_of(plan: &Plan, number: usize) -> Result<RootId, NoPlace> {
    let step = plan.step(number).ok_or(NoPlace::NoStep(number))?;
    step.root.ok_or(NoPlace::NoRoot(number))
}

impl Place {
    fn of(
        built: &Built,
        layers: &[Layer],
        top: Option<usize>,
        settings: &Settings,
    ) -> Result<Place, NoPlace> {
        let mut keys = Vec::new();
        let mut at = top;
        while let Some(index) = at {
            let (Some(layer), Some(of)) = (layers.get(index), built.layers.get(index)) else {
                break;
            };
            if !settings.store.has(&of.key) {
                return Err(NoPlace::NotBuilt(layer.last_step()));
            }
            keys.push(of.key.clone());
            at = layer.below;
        }
        keys.reverse();
        let trees = keys.iter().map(|key| settings.store.layer_fs(key));
        Ok(Place {
            trees: trees.collect(),
            steps: Vec::new(),
            keys,
        })
    }
}

/// A root that somebody looks at; what is changed in it goes when it is dropped.
pub struct Look {
    open: Open,
    _work: Work,
}

impl Look {
    /// Where the root is.
    pub fn root(&self) -> &Path {
        self.open.root()
    }
}

/// Mounts the root at a place where a layer ends.
///
/// # Errors
/// When the root cannot be mounted.
pub fn mount(place: &Place, settings: &Settings) -> Result<Look, Error> {
    let store = &settings.store;
    let work = store.work().map_err(Error::store)?;
    let keys: Vec<&Key> = place.keys.iter().collect();
    store
        .claim(&work, &keys, Path::new(""))
        .map_err(Error::store)?;
    Ok(Look {
        open: stack::open_trees(&place.trees, work.path())?,
        _work: work,
    })
}

/// Runs `argv`, or a shell where it is empty, and gives its exit status and, where
/// `compare` says so, what it has changed.
///
/// # Errors
/// When the root cannot be mounted, or nothing be started.
pub fn shell(
    plan: &Plan,
    place: &Place,
    argv: &[String],
    compare: bool,
    settings: &Settings,
    output: &(dyn Fn(&str) + Sync),
) -> Result<(i32, Vec<Change>), Error> {
    let store = &settings.store;
    let work = store.work().map_err(Error::store)?;
    let keys: Vec<&Key> = place.keys.iter().collect();
    store
        .claim(&work, &keys, Path::new(""))
        .map_err(Error::store)?;
    let mut trees = place.trees.clone();
    // Held until the end: the tree of these steps is below the shell's own.
    let below = match place.steps.is_empty() {
        true => None,
        false => Some(partial(plan, place, &work, settings, output)?),
    };
    if let Some(below) = &below {
        trees.push(below.tree());
    }
    let open = stack::open_trees(&trees, work.path())?;
    let setup = Setup {
        network: true,
        ..Setup::default()
    };
    let status = setup.around(open.root(), store, work.path(), || run(open.root(), argv))?;
    let closed = open.unmount();
    let changed = match compare {
        false => Vec::new(),
        true => {
            let below = stack::open_trees(&trees, work.path())?;
            changes(&closed.tree(), below.root()).map_err(Error::store)?
        }
    };
    Ok((status, changed))
}

fn partial(
    plan: &Plan,
    place: &Place,
    work: &Work,
    settings: &Settings,
    output: &(dyn Fn(&str) + Sync),
) -> Result<stack::Closed, Error> {
    let open: Open = stack::open_trees(&place.trees, work.path())?;
    let steps = place.steps.iter().filter_map(|number| plan.step(*number));
    for step in steps {
        running(plan, step, open.root(), work, settings, output).actions()?;
    }
    Ok(open.unmount())
}

fn running<'a>(
    plan: &'a Plan,
    step: &'a Step,
    root: &'a Path,
    work: &'a Work,
    settings: &'a Settings,
    output: &'a (dyn Fn(&str) + Sync),
) -> Running<'a> {
    Running {
        plan,
        step,
        settings,
        output: Box::new(output),
        logs: work.path(),
        work: work.path(),
        root,
    }
}

fn run(root: &Path, argv: &[String]) -> Result<i32, Error> {
    use std::io::IsTerminal;
    let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut words = argv.to_vec();
    if words.is_empty() {
        let shell = ["/bin/bash", "/bin/sh"].into_iter().find(|shell| {
            root.join(shell.trim_start_matches('/'))
                .symlink_metadata()
                .is_ok()
        });
        words.push(shell.unwrap_or("/bin/sh").to_owned());
    }
    let nspawn = NspawnRun {
        argv: words,
        network: true,
        ..NspawnRun::default()
    };
    let mode = match interactive {
        true => Mode::Interactive,
        false => Mode::Command,
    };
    let process = Process::new(container::argv(&nspawn, mode, root));
    let program = process.program();
    let status = process.attached().map_err(|source| Error::Start {
        program,
        source,
        calls: Vec::new(),
    })?;
    use std::os::unix::process::ExitStatusExt;
    let signal = status.signal().unwrap_or(0);
    Ok(status.code().unwrap_or(128 + signal))
}
