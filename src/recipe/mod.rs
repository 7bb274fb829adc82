//! Recipes: Rhai scripts that evaluate to a plan.
//!
//! Evaluating changes nothing on the machine, needs no privileges, no tools and no
//! network, and is deterministic: what it reads of the host and the site is noted in the
//! plan as an input.

mod analysis;
mod args;
mod boundary;
mod builtin;
mod builtins;
mod call;
mod call_stack;
mod capture_slot;
pub mod check;
mod current_session;
mod disabled;
pub mod doc;
mod engine;
mod error;
mod fields;
pub mod functions;
mod library_modules;
mod limits;
mod loader;
mod module_cache;
pub mod option_list;
mod other_languages;
pub mod parallel;
mod patterns;
mod plan_builder;
mod read;
mod reports;
mod runaway;
mod session;
mod shape;
mod signatures;
mod source;
mod spans;
pub mod stdlib;
pub mod testing;
mod thread;
mod type_help;
mod type_names;

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc;

pub use crate::diagnose::nearest;
use crate::diagnose::{HintSet, Report, SourceMap};
use crate::plan::policy::Permissions;
use crate::plan::{Capture, OptionValue, Plan};
use crate::project::Project;
pub use builtins::{Access, Builtin, Family, all as builtins, families, parameters};
use capture_slot::{CaptureCall, CaptureSlot};

/// What an evaluation is given beside the recipe.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `name=value` pairs of the command line, in their order.
    pub options: Vec<(String, String)>,
    /// Whether the options are for several recipes, of which each takes those that it declares.
    pub shared_options: bool,
    /// A folder that stands for the embedded stdlib.
    pub stdlib: Option<PathBuf>,
    /// What the user allows.
    pub permissions: Permissions,
    pub host: HostFacts,
    pub project: Project,
}

/// The host, as far as evaluations may look at it.
#[derive(Clone, Debug)]
pub struct HostFacts {
    /// As the kernel names it: `x86_64`, `aarch64`.
    pub arch: String,
    /// Where the host's files are read from; `/` but in tests.
    pub root: PathBuf,
}

impl HostFacts {
    /// Where a file of the host is read from.
    pub fn file(&self, path: &str) -> PathBuf {
        let parts = Path::new(path).components();
        let below: PathBuf = parts
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect();
        self.root.join(below)
    }
}

impl Default for HostFacts {
    fn default() -> Self {
        HostFacts {
            arch: std::env::consts::ARCH.to_owned(),
            root: PathBuf::from("/"),
        }
    }
}

/// A recipe that evaluated.
#[derive(Debug)]
pub struct Evaluation {
    pub plan: Plan,
    pub sources: SourceMap,
    pub hints: HintSet,
}

/// A recipe that did not: everything that is known to be wrong, and the scripts to show.
#[derive(Debug, Default)]
pub struct Failure {
    pub reports: Vec<Report>,
    pub sources: SourceMap,
    /// The hints that were declared before, for a failure of `capture`.
    pub hints: HintSet,
    /// The options that were declared before.
    pub options: Vec<OptionValue>,
}

/// Evaluates the recipe at `recipe`.
///
/// # Errors
/// Everything that is wrong with the scripts: all that can be found before evaluating,
/// else the first failure of the evaluation.
pub fn evaluate(
    recipe: &Path,
    settings: &Settings,
    capture: &mut dyn Capture,
) -> Result<Evaluation, Failure> {
    // The interpreter recurses: it gets a thread with a stack that its limits fit in.
    // `capture` asks back over a channel, and is answered here.
    let (ask, asked) = mpsc::channel::<CaptureCall>();
    let (reply, answer) = mpsc::channel();
    std::thread::scope(|scope| {
        let interpreter = thread::start(scope, "recipe", move || {
            let captures = CaptureSlot::Caller(Rc::new((ask, answer)));
            engine::evaluate(recipe, settings, captures)
        })
        .map_err(Failure::of)?;
        for request in asked {
            if reply.send(capture.capture(request.request())).is_err() {
                break;
            }
        }
        thread::join(interpreter)
    })
}

/// Evaluates the recipe at `recipe` in this thread, for which [`parallel::each`] has made
/// room, with the engine that the thread has from the evaluation before.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_here(
    recipe: &Path,
    settings: &Settings,
    capture: Rc<RefCell<dyn Capture>>,
) -> Result<Evaluation, Failure> {
    engine::evaluate(recipe, settings, CaptureSlot::Here(capture))
}

/// The known causes of failures that the stdlib has. Read when something has failed.
pub fn known_failures(settings: &Settings) -> HintSet {
    thread::run("hints", || engine::known_failures(settings)).unwrap_or_default()
}

impl Failure {
    pub fn of(report: Report) -> Self {
        Failure::new(vec![report], SourceMap::default())
    }

    pub fn new(reports: Vec<Report>, sources: SourceMap) -> Self {
        Failure {
            reports,
            sources,
            ..Failure::default()
        }
    }
}

impl From<Failure> for crate::diagnose::Trouble {
    fn from(failure: Failure) -> Self {
        crate::diagnose::Trouble::new(failure.reports, failure.sources)
    }
}
