//! Tests of recipes: `*_test.rhai` files, whose functions `test_…` look at plans.
//!
//! A test file has what modules have (imports, constants, functions) and, beside it, the
//! functions that are registered here. Plans are made for a host that has no files and
//! one fixed architecture, so that a test says the same on every machine.

mod assertions;
mod plans;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, NativeCallContext, Scope};

use super::current_session::CurrentSession;
use super::reports::RaisedReport;
use super::session::{Session, Test};
use super::{HostFacts, Settings, engine, loader};
use crate::diagnose::{Report, SourceMap};

/// How the names of test files end.
pub const SUFFIX: &str = "_test.rhai";

/// The architecture that plans in tests are made for.
const ARCH: &str = "x86_64";
/// Where tests look for the host's files: nothing is there.
const NO_HOST: &str = "/nonexistent";

/// What a file of tests is run with.
#[derive(Clone, Debug, Default)]
pub struct TestSettings {
    pub settings: Settings,
    /// Whether snapshots are written instead of compared.
    pub update: bool,
}

/// How one test ended.
#[derive(Debug, Default)]
pub struct TestOutcome {
    /// The function; the file where that does not even compile.
    pub name: String,
    /// Empty where the test passed.
    pub reports: Vec<Report>,
    pub sources: SourceMap,
    pub duration: Duration,
    /// How many plans it made.
    pub plans: usize,
}

impl TestOutcome {
    pub fn passed(&self) -> bool {
        self.reports.is_empty()
    }
}

/// Makes the functions of tests known to the engine.
fn register(engine: &mut Engine, current: &CurrentSession) {
    plans::register(engine, current);
    assertions::register(engine, current);
}

fn running(current: &CurrentSession) -> Result<Running, Box<EvalAltResult>> {
    let session = current.session();
    let running = session.and_then(|session| {
        let test = Rc::clone(session.test.as_ref()?);
        Some(Running { session, test })
    });
    running.ok_or_else(|| {
        let message = "this function is called outside of a test";
        RaisedReport::raise(Report::new("test::no_test", message))
    })
}

/// The session of the test that calls a function, and the test.
struct Running {
    session: Rc<Session>,
    test: Rc<Test>,
}

impl Running {
    /// `report`, at the test's line.
    fn at(&self, context: &NativeCallContext<'_>, report: Report) -> Box<EvalAltResult> {
        RaisedReport::raise(report.trace(self.session.chain(context)))
    }
}

/// A file as one failed test.
fn broken(name: String, reports: Vec<Report>, sources: SourceMap) -> Vec<TestOutcome> {
    vec![TestOutcome {
        name,
        reports,
        sources,
        ..TestOutcome::default()
    }]
}

/// Runs every test of a file, in the order of the file, in this thread, for which
/// [`super::parallel::each`] has made room. A file that cannot be read or compiled is one
/// failed test.
pub fn run_file(file: &Path, settings: &TestSettings) -> Vec<TestOutcome> {
    let name = file.display().to_string();
    let text = match super::read::read_script(file, &name) {
        Ok(text) => text,
        Err(report) => return broken(name, vec![report], SourceMap::default()),
    };
    let session = open(file, &name, &text, settings);
    let compiled = engine::with_functions(&session, register, |engine| {
        loader::compile(engine, &session, &name)
    });
    let ast = match compiled {
        Ok(ast) => ast,
        Err(reports) => return broken(name, reports, session.modules.sources()),
    };
    let tests = tests_of(&ast, &text);
    if tests.is_empty() {
        let report = Report::new("test::no_tests", format!("`{name}` has no tests"))
            .help("a test is a function without parameters whose name starts with `test_`");
        return broken(name, vec![report], session.modules.sources());
    }
    tests
        .into_iter()
        .map(|test| run_one(file, &name, &text, test, settings))
        .collect()
}

/// Each test has a session of its own: nothing of one reaches the next.
fn run_one(
    file: &Path,
    name: &str,
    text: &str,
    test: String,
    settings: &TestSettings,
) -> TestOutcome {
    let start = Instant::now();
    let session = open(file, name, text, settings);
    let result = engine::with_functions(&session, register, |engine| {
        let ast = loader::compile(engine, &session, name)?;
        let options = CallFnOptions::new().eval_ast(true);
        let call =
            || engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &ast, &test, ());
        let result = session.evaluate(Vec::new(), name, call);
        result.map_err(|report| vec![report])
    });
    TestOutcome {
        name: test,
        reports: result.err().unwrap_or_default(),
        sources: session.modules.sources(),
        duration: start.elapsed(),
        plans: session.test.as_ref().map_or(0, |test| test.plans.get()),
    }
}

fn open(file: &Path, name: &str, text: &str, settings: &TestSettings) -> Rc<Session> {
    let mut session = Session::new(
        Settings {
            host: HostFacts {
                arch: ARCH.to_owned(),
                root: PathBuf::from(NO_HOST),
            },
            ..settings.settings.clone()
        },
        name,
        text,
        super::read::beside(file),
    );
    session.test = Some(Rc::new(Test {
        file: file.to_owned(),
        update: settings.update,
        plans: Cell::new(0),
    }));
    Rc::new(session)
}

/// The names of the tests, in the order of the file.
fn tests_of(ast: &AST, text: &str) -> Vec<String> {
    let mut found: Vec<(usize, String)> = ast
        .iter_functions()
        .filter(|function| function.name.starts_with("test_") && function.params.is_empty())
        .map(|function| {
            let at = text.find(&format!("fn {}(", function.name));
            (at.unwrap_or(text.len()), function.name.to_owned())
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}
