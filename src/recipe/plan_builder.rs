//! The plan of an evaluation as far as it is made, and which of its steps is open.

use std::cell::{Cell, Ref, RefCell, RefMut};
use std::collections::BTreeMap;

use rhai::Dynamic;

use crate::diagnose::{Frame, Report};
use crate::plan::{Action, Capability, Input, Names, Plan, RootId, Step};

#[derive(Default)]
pub struct PlanBuilder {
    plan: RefCell<Plan>,
    /// Whether a step is open, and how long its call chain is.
    open: Cell<Option<usize>>,
    /// What modules remember of a root: by root, whose modules, and name.
    pub facts: RefCell<BTreeMap<(RootId, String, String), Dynamic>>,
    /// The secrets that were named, by their variable.
    pub secrets: RefCell<BTreeMap<String, String>>,
}

impl PlanBuilder {
    pub fn new(plan: Plan) -> Self {
        PlanBuilder {
            plan: RefCell::new(plan),
            ..PlanBuilder::default()
        }
    }

    pub fn borrow(&self) -> Ref<'_, Plan> {
        self.plan.borrow()
    }

    pub fn borrow_mut(&self) -> RefMut<'_, Plan> {
        self.plan.borrow_mut()
    }

    pub fn take(&self) -> Plan {
        self.plan.take()
    }

    pub fn step_is_open(&self) -> bool {
        self.open.get().is_some()
    }

    /// Opens a step for a built-in that the recipe calls; a built-in that is called while
    /// one is open adds to that one. `work` fills it.
    ///
    /// # Errors
    /// What `work` returns; the step stays out of the plan then.
    pub fn step<T>(
        &self,
        root: RootId,
        call: &str,
        label: String,
        chain: &[Frame],
        work: impl FnOnce() -> Result<T, Report>,
    ) -> Result<T, Report> {
        if self.step_is_open() {
            return work();
        }
        let number = self.borrow().steps.len() + 1;
        self.borrow_mut().steps.push(Step {
            number,
            root: Some(root),
            call: call.to_owned(),
            label,
            calls: chain.to_vec(),
            repositories: Vec::new(),
            uses: Names::default(),
            capabilities: Vec::new(),
            actions: Vec::new(),
        });
        self.open.set(Some(chain.len()));
        let result = work();
        self.open.set(None);
        let mut plan = self.borrow_mut();
        match (&result, plan.steps.last_mut()) {
            (Ok(_), Some(step)) => step.note_uses(),
            _ => drop(plan.steps.pop()),
        }
        result
    }

    /// Adds an operation to the open step.
    pub fn act(&self, mut action: Action, chain: &[Frame]) {
        let depth = self.open.get().unwrap_or(0);
        action.calls = chain.get(depth..).unwrap_or_default().to_vec();
        if let Some(step) = self.borrow_mut().steps.last_mut() {
            step.actions.push(action);
        }
    }

    /// Notes something that a call does beyond changing its root, for the plan and for the open
    /// step.
    pub fn note_capability(&self, capability: Capability) {
        let mut plan = self.borrow_mut();
        let known = plan.capabilities.iter().position(|one| *one == capability);
        let at = known.unwrap_or_else(|| {
            plan.capabilities.push(capability);
            plan.capabilities.len() - 1
        });
        if self.step_is_open()
            && let Some(step) = plan.steps.last_mut()
            && !step.capabilities.contains(&at)
        {
            step.capabilities.push(at);
        }
    }

    /// Notes something outside the scripts that the plan depends on.
    pub fn input(&self, input: Input) {
        add_new(&mut self.borrow_mut().inputs, input);
    }
}

/// Adds what is not in a list yet.
pub fn add_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
