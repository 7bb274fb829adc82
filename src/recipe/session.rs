//! What one evaluation knows: the plan as far as it is made, the scripts it has read, and
//! which call it is in.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rhai::{AST, Dynamic, NativeCallContext};

use super::boundary::Home;
use super::builtins::CaptureSlot;
use super::limits::Budget;
use super::signatures::{Functions, Signature};
use super::source::{self, Script};
use super::spans::Scan;
use super::testing::Test;
use super::{Access, Settings, builtins, disabled};
use crate::diagnose::{Frame, HintSet, SourceMap, Span};
use crate::plan::{Action, Capability, Input, Names, Plan, RootId, Step};

pub use crate::diagnose::STDLIB;

/// What a session evaluates; the two have not the same functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Recipe,
    Test,
}

/// How far the parser is, as the token hook sees it.
#[derive(Default)]
pub struct Parsing {
    pub lines: Vec<Vec<char>>,
    /// Whether the last token was a period.
    pub after_period: bool,
}

/// One evaluation. Nothing of it outlives it but the scripts, which do not change.
pub struct Session {
    pub settings: Settings,
    /// Who answers `capture`.
    pub captures: CaptureSlot,
    /// The test that runs, in a session for one.
    pub test: OnceCell<Test>,
    pub budget: Budget,
    pub plan: RefCell<Plan>,
    pub hints: RefCell<HintSet>,
    /// The recipe's folder and, where there is one, its repository's.
    pub recipe_dir: std::path::PathBuf,
    /// What modules remember of a root: by root, whose modules, and name.
    pub facts: RefCell<BTreeMap<(RootId, String, String), Dynamic>>,
    /// The given options that some `option` call has taken.
    pub taken: RefCell<BTreeSet<String>>,
    /// The secrets that were named, by their variable.
    pub secrets: RefCell<BTreeMap<String, String>>,
    /// Scripts that are compiled, by their name in spans.
    pub compiled: RefCell<BTreeMap<String, Rc<AST>>>,
    /// Modules that are being evaluated, to find circles.
    pub loading: RefCell<Vec<String>>,
    pub modules: RefCell<BTreeMap<String, rhai::Shared<rhai::Module>>>,
    /// What the script evaluated last ended with.
    pub ended: RefCell<Option<Home>>,
    /// The script that is being parsed, for the token hook.
    pub parsing: RefCell<Parsing>,
    /// Where imports lead: what one evaluation has found stays so.
    pub found: RefCell<BTreeMap<(String, String), Rc<Script>>>,
    scripts: RefCell<BTreeMap<String, Rc<Script>>>,
    /// Calls that led into the engine call that is running now.
    prefix: RefCell<Vec<Frame>>,
    /// Whether a step of the plan is open, and how long its call chain is.
    open: Cell<Option<usize>>,
    functions: OnceCell<Functions>,
}

impl Session {
    pub fn new(settings: Settings, plan: Plan, recipe_dir: std::path::PathBuf) -> Self {
        Session {
            settings,
            captures: CaptureSlot::default(),
            test: OnceCell::new(),
            budget: Budget::new(),
            plan: RefCell::new(plan),
            hints: RefCell::default(),
            recipe_dir,
            facts: RefCell::default(),
            taken: RefCell::default(),
            secrets: RefCell::default(),
            compiled: RefCell::default(),
            loading: RefCell::default(),
            modules: RefCell::default(),
            ended: RefCell::default(),
            parsing: RefCell::default(),
            found: RefCell::default(),
            scripts: RefCell::default(),
            prefix: RefCell::default(),
            open: Cell::new(None),
            functions: OnceCell::new(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self.test.get() {
            Some(_) => Kind::Test,
            None => Kind::Recipe,
        }
    }

    pub fn add_source(&self, file: &str, text: &str) -> Rc<Script> {
        let script = source::script(file, text);
        self.add_script(&script);
        script
    }

    pub fn add_script(&self, script: &Rc<Script>) {
        let mut scripts = self.scripts.borrow_mut();
        scripts.insert(script.file.clone(), Rc::clone(script));
    }

    pub fn script(&self, file: &str) -> Option<Rc<Script>> {
        self.scripts.borrow().get(file).cloned()
    }

    pub fn sources(&self) -> SourceMap {
        let mut sources = SourceMap::default();
        for (file, script) in &*self.scripts.borrow() {
            sources.insert(file.clone(), Arc::clone(&script.text));
        }
        sources
    }

    pub fn text(&self, file: &str) -> Option<Arc<str>> {
        let scripts = self.scripts.borrow();
        scripts.get(file).map(|script| Arc::clone(&script.text))
    }

    pub fn line(&self, file: &str, line: u32) -> Option<String> {
        let text = self.text(file)?;
        let line = text.lines().nth(line.checked_sub(1)? as usize)?;
        Some(line.to_owned())
    }

    pub fn text_of(&self, span: &Span) -> Option<String> {
        let mut sources = SourceMap::default();
        sources.insert(span.file.clone(), self.text(&span.file)?);
        let range = sources.byte_range(span)?;
        self.text(&span.file)?.get(range).map(str::to_owned)
    }

    /// The span of the call, or of the word, at a position that the engine gave.
    pub fn span_at(&self, file: &str, position: rhai::Position) -> Option<Span> {
        let at = crate::diagnose::Position {
            line: u32::try_from(position.line()?).ok()?,
            column: u32::try_from(position.position().unwrap_or(1)).ok()?,
        };
        self.scripts.borrow().get(file)?.span_at(at)
    }

    /// A script, told apart.
    pub fn scan(&self, file: &str) -> Option<Rc<Scan>> {
        self.scripts.borrow().get(file).map(|script| script.scan())
    }

    /// The calls from the recipe to the native function that `context` is of.
    pub fn chain(&self, context: &NativeCallContext<'_>) -> Vec<Frame> {
        let mut chain = self.prefix.borrow().clone();
        let mut file = self.engine_file();
        let stack = context
            .debugger()
            .map_or(&[][..], |debugger| debugger.call_stack());
        for call in stack {
            if let Some(span) = self.span_at(&file, call.pos) {
                let name = call.fn_name.as_str();
                let function = if name.starts_with("anon$") {
                    "a closure"
                } else {
                    name
                };
                chain.push(Frame {
                    function: function.to_owned(),
                    span,
                });
            }
            if let Some(source) = call.source.as_deref().filter(|source| !source.is_empty()) {
                file = source.to_owned();
            }
        }
        let file = context.call_source().map_or(file, str::to_owned);
        // A function pointer of another script is called at a position of this one: whose it is
        // counts, also where its file has nothing at that position.
        let span = self.span_at(&file, context.call_position());
        let span = span.or_else(|| {
            let last = chain.last().map(|frame| frame.span.file.as_str());
            let start = crate::diagnose::Position { line: 1, column: 1 };
            (last != Some(file.as_str()) && !file.is_empty()).then(|| Span {
                file,
                start,
                end: start,
            })
        });
        // The engine's stack may hold the native call itself.
        if let Some(span) = span
            && chain.last().is_none_or(|frame| frame.span != span)
        {
            chain.push(Frame {
                function: context.fn_name().to_owned(),
                span,
            });
        }
        chain
    }

    fn engine_file(&self) -> String {
        self.loading.borrow().last().cloned().unwrap_or_default()
    }

    pub fn prefix(&self) -> Vec<Frame> {
        self.prefix.borrow().clone()
    }

    /// Runs `work`, an engine call that evaluates `file`, below the calls of `chain`.
    pub fn below<T>(&self, chain: Vec<Frame>, file: &str, work: impl FnOnce() -> T) -> T {
        let outer = self.prefix.replace(chain);
        self.loading.borrow_mut().push(file.to_owned());
        let result = work();
        self.loading.borrow_mut().pop();
        self.prefix.replace(outer);
        result
    }

    pub fn step_is_open(&self) -> bool {
        self.open.get().is_some()
    }

    /// Opens a step for a built-in that the recipe calls; a built-in that is called while
    /// one is open adds to that one. `work` fills it.
    ///
    /// # Errors
    /// What `work` returns; the step stays out of the plan then.
    pub fn step<T, E>(
        &self,
        root: Option<RootId>,
        call: &str,
        label: impl FnOnce() -> String,
        chain: &[Frame],
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        if self.step_is_open() {
            return work();
        }
        {
            let mut plan = self.plan.borrow_mut();
            let number = plan.steps.len() + 1;
            plan.steps.push(Step {
                number,
                root,
                call: call.to_owned(),
                label: label(),
                calls: chain.to_vec(),
                repositories: Vec::new(),
                uses: Names::default(),
                capabilities: Vec::new(),
                actions: Vec::new(),
            });
        }
        self.open.set(Some(chain.len()));
        let result = work();
        self.open.set(None);
        let mut plan = self.plan.borrow_mut();
        match (&result, plan.steps.last_mut()) {
            (Ok(_), Some(step)) => step.note_uses(),
            _ => drop(plan.steps.pop()),
        }
        drop(plan);
        result
    }

    /// Adds an operation to the open step.
    pub fn act(&self, mut action: Action, chain: &[Frame]) {
        let depth = self.open.get().unwrap_or(0);
        action.calls = chain.get(depth..).unwrap_or_default().to_vec();
        if let Some(step) = self.plan.borrow_mut().steps.last_mut() {
            step.actions.push(action);
        }
    }

    /// Notes something that a call does beyond changing its root, for the plan and for the open
    /// step.
    pub fn note_capability(&self, plan: &mut Plan, capability: Capability) {
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
        let mut plan = self.plan.borrow_mut();
        if !plan.inputs.contains(&input) {
            plan.inputs.push(input);
        }
    }

    /// Sets the functions that scripts can call.
    pub fn set_functions(&self, functions: Functions) {
        let _ = self.functions.set(functions);
    }

    pub fn signatures(&self, name: &str) -> Vec<Signature> {
        let known = self.functions.get();
        known
            .and_then(|known| known.signatures.get(name).cloned())
            .unwrap_or_default()
    }

    /// Whether the engine itself has a function of that name with so many parameters;
    /// built-ins are not among them.
    pub fn is_native(&self, name: &str, parameters: usize) -> bool {
        self.functions
            .get()
            .and_then(|known| known.natives.get(name))
            .is_some_and(|counts| counts.contains(&parameters))
    }

    /// Whether a script has a function of that name.
    pub fn defines(&self, file: &str, function: &str) -> bool {
        self.compiled
            .borrow()
            .get(file)
            .is_some_and(|ast| ast.iter_functions().any(|known| known.name == function))
    }

    /// The names that a recipe may call.
    pub fn function_names(&self) -> Vec<String> {
        let hidden = |name: &str| {
            let closed = builtins()
                .iter()
                .any(|builtin| builtin.name == name && builtin.access == Access::Stdlib);
            closed
                || disabled::FUNCTIONS
                    .iter()
                    .any(|(refused, _)| *refused == name)
        };
        self.functions
            .get()
            .map(|known| known.signatures.keys())
            .into_iter()
            .flatten()
            .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter(|name| !name.contains('$') && !hidden(name))
            .cloned()
            .collect()
    }

    /// Words of a script that are variables, with the word that makes them so: `let`,
    /// `const`, `for`.
    pub fn variable_names(&self, file: &str) -> BTreeMap<String, String> {
        let text = self.text(file).unwrap_or_default();
        let words: Vec<&str> = text
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty())
            .collect();
        words
            .iter()
            .zip(words.iter().skip(1))
            .filter(|(word, _)| matches!(**word, "let" | "const" | "for"))
            .map(|(word, name)| ((*name).to_owned(), (*word).to_owned()))
            .collect()
    }

    /// Words of a script that name fields of maps.
    pub fn field_names(&self, file: &str) -> BTreeSet<String> {
        let text = self.text(file).unwrap_or_default();
        text.split(':')
            .filter_map(|before| {
                before
                    .trim_end()
                    .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
                    .next()
            })
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }
}
