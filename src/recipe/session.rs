//! What one evaluation knows. Nothing of it outlives it but the scripts, which do not change.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use rhai::NativeCallContext;

use super::call_stack::CallStack;
use super::capture_slot::CaptureSlot;
use super::limits::Budget;
use super::module_cache::ModuleCache;
use super::plan_builder::PlanBuilder;
use super::runaway::Watch;
use super::source::{self, ScriptKind};
use super::stdlib::Stdlib;
use super::{Settings, doc};
use crate::diagnose::{Frame, HintSet};
use crate::plan::{Plan, Recipe, SCHEMA_VERSION};

pub use crate::diagnose::STDLIB;

/// The test that a session is for.
pub struct Test {
    pub file: PathBuf,
    /// Whether snapshots are written instead of compared.
    pub update: bool,
    pub plans: Cell<usize>,
}

#[derive(Default)]
pub struct Session {
    pub settings: Settings,
    /// Who answers `capture`.
    pub captures: CaptureSlot,
    /// The test that runs, in a session for one.
    pub test: Option<Rc<Test>>,
    /// The recipe's folder and, where there is one, its repository's.
    pub recipe_dir: PathBuf,
    pub budget: Budget,
    pub plan: PlanBuilder,
    pub modules: ModuleCache,
    pub calls: CallStack,
    pub hints: RefCell<HintSet>,
    /// Whether the script has met a limit that one without an end meets.
    pub has_no_end: Cell<bool>,
    /// Looks for where it has none.
    pub watch: Option<Watch>,
}

impl Session {
    /// The session of a script, which is read, and to be compiled.
    pub fn new(settings: Settings, name: &str, text: &str, recipe_dir: PathBuf) -> Self {
        let (title, description) = doc::of(text);
        let plan = Plan {
            schema: SCHEMA_VERSION,
            rootwright: env!("CARGO_PKG_VERSION").to_owned(),
            recipe: Recipe {
                path: name.to_owned(),
                title,
                description,
            },
            ..Plan::default()
        };
        let modules = ModuleCache::default();
        modules.add(&source::script(name, text));
        Session {
            settings,
            recipe_dir,
            plan: PlanBuilder::new(plan),
            modules,
            ..Session::default()
        }
    }

    pub fn kind(&self) -> ScriptKind {
        match self.test {
            Some(_) => ScriptKind::Test,
            None => ScriptKind::Recipe,
        }
    }

    /// The folder of the recipe's repository; where there is none, its own.
    pub fn repository(&self) -> PathBuf {
        let root = self.settings.project.root.as_ref();
        root.unwrap_or(&self.recipe_dir).clone()
    }

    pub fn stdlib(&self) -> Stdlib {
        Stdlib::new(self.settings.stdlib.clone())
    }

    /// The calls from the recipe to the native function that `context` is of.
    pub fn chain(&self, context: &NativeCallContext<'_>) -> Vec<Frame> {
        self.calls.chain(&self.modules, context)
    }
}
