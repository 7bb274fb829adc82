//! The engine: set up in this one place, for every script alike.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::path::Path;
use std::rc::Rc;

use rhai::debugger::{DebuggerCommand, DebuggerEvent};
use rhai::{Dynamic, Engine, EvalAltResult, OptimizationLevel, Scope, Token};

use super::boundary::Home;
use super::capture_slot::CaptureSlot;
use super::current_session::CurrentSession;
use super::read;
use super::runaway::Watch;
use super::session::{STDLIB, Session};
use super::source::ScriptKind;
use super::{Evaluation, Failure, Settings, builtins, disabled, limits, loader, signatures};
use crate::diagnose::{Frame, HintSet, Report};
use crate::plan::policy;

/// Reserved words of Rhai that recipes use as names: named arguments read better so.
const WORDS: &str = "default package with match new use module case static shared sync async spawn \
    thread go await yield public protected super void var exit";

pub fn evaluate(
    recipe: &Path,
    settings: &Settings,
    captures: CaptureSlot,
) -> Result<Evaluation, Failure> {
    let (mut session, name) = open(recipe, &read::beside(recipe), settings)?;
    session.captures = captures;
    let session = Rc::new(session);
    let mut result = with(&session, |engine| run(engine, &session, &name));
    if let Err(reports) = &mut result
        && session.has_no_end.get()
        && let [report] = reports.as_mut_slice()
        && let Some(trace) = trace_of_no_end(recipe, settings)
    {
        report.trace = trace;
    }
    let sources = session.modules.sources();
    let hints: HintSet = session.hints.take();
    match result {
        Ok(()) => Ok(Evaluation {
            plan: session.plan.take(),
            sources,
            hints,
        }),
        Err(reports) => Err(Failure {
            reports,
            sources,
            hints,
            options: session.plan.take().options,
        }),
    }
}

/// Evaluates a recipe that has no end once more, to see where.
fn trace_of_no_end(recipe: &Path, settings: &Settings) -> Option<Vec<Frame>> {
    let (mut session, name) = open(recipe, &read::beside(recipe), settings).ok()?;
    session.watch = Some(Watch::default());
    let session = Rc::new(session);
    with(&session, |engine| run(engine, &session, &name)).err()?;
    session.watch.as_ref()?.found(&session.modules)
}

/// A session that has read one script; `folder` stands for the repository where no
/// configuration names one.
fn open(script: &Path, folder: &Path, settings: &Settings) -> Result<(Session, String), Failure> {
    let name = script.display().to_string();
    let text = read::read_script(script, &name).map_err(Failure::of)?;
    let session = Session::new(settings.clone(), &name, &text, folder.to_owned());
    Ok((session, name))
}

/// Everything that is wrong with a module and what it imports, as far as it shows without
/// evaluating.
pub fn check_module(module: &Path, repository: &Path, settings: &Settings) -> Result<(), Failure> {
    let (session, name) = open(module, repository, settings)?;
    let session = Rc::new(session);
    with(&session, |engine| loader::compile(engine, &session, &name))
        .map(|_| ())
        .map_err(|reports| Failure::new(reports, session.modules.sources()))
}

/// The known causes that the stdlib has in `hints/`, beside those of the recipe's modules.
pub fn known_failures(settings: &Settings) -> HintSet {
    let stdlib = super::stdlib::Stdlib::new(settings.stdlib.clone());
    let text: String = stdlib
        .modules("hints")
        .iter()
        .map(|name| format!("import \"hints/{name}\" as h_{name};\n"))
        .collect();
    let name = format!("{STDLIB}hints");
    let session = Rc::new(Session::new(settings.clone(), &name, &text, ".".into()));
    // A stdlib folder with a mistake in its hints still has the others.
    let _ = with(&session, |engine| run(engine, &session, &name));
    session.hints.take()
}

fn run(engine: &Engine, session: &Rc<Session>, name: &str) -> Result<(), Vec<Report>> {
    let ast = loader::compile(engine, session, name).map_err(once)?;
    let evaluate = || engine.run_ast_with_scope(&mut Scope::new(), &ast);
    session
        .evaluate(Vec::new(), name, evaluate)
        .and_then(|()| builtins::check_given_options(session))
        .map_err(|report| vec![report])?;
    let refused = policy::refusals(&session.plan.borrow(), session.settings.permissions);
    match refused.is_empty() {
        true => Ok(()),
        false => Err(refused),
    }
}

/// The same finding once: two imports may lead to one module.
fn once(reports: Vec<Report>) -> Vec<Report> {
    let mut seen = std::collections::BTreeSet::new();
    let mut left = reports;
    left.retain(|report| {
        let place = report.place().map(ToString::to_string);
        seen.insert((place, report.message.clone()))
    });
    left
}

/// An engine, and the session its functions work for.
struct Interpreter {
    engine: Engine,
    current: CurrentSession,
}

thread_local! {
    /// Engines that nothing runs in now, by what they are for. They stay when the thread ends:
    /// taking them and their scripts apart takes a twentieth of a plan's time.
    static SPARE: RefCell<ManuallyDrop<Vec<(ScriptKind, Interpreter)>>> = RefCell::default();
}

/// Lends an engine to a session.
pub fn with<T>(session: &Rc<Session>, work: impl FnOnce(&Engine) -> T) -> T {
    with_functions(session, |_, _| {}, work)
}

/// Lends an engine that also has `extra` functions, the same for all sessions of a kind. One
/// that panics in `work` is not used again.
pub fn with_functions<T>(
    session: &Rc<Session>,
    extra: fn(&mut Engine, &CurrentSession),
    work: impl FnOnce(&Engine) -> T,
) -> T {
    let kind = session.kind();
    let spare = SPARE.with_borrow_mut(|spare| {
        let at = spare.iter().position(|(of, _)| *of == kind)?;
        Some(spare.swap_remove(at).1)
    });
    let interpreter = spare.unwrap_or_else(|| build(extra));
    interpreter.current.take(session);
    signatures::learn(kind, &interpreter.engine);
    let result = work(&interpreter.engine);
    interpreter.current.leave();
    SPARE.with_borrow_mut(|spare| spare.push((kind, interpreter)));
    result
}

fn build(extra: fn(&mut Engine, &CurrentSession)) -> Interpreter {
    let mut engine = Engine::new();
    let current = CurrentSession::default();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_allow_shadowing(true)
        // Beyond its limit, Rhai looks through all of its strings for each new one.
        .set_max_strings_interned(1 << 16)
        .disable_symbol("eval");
    limits::apply(&mut engine);
    // The engine's own count starts anew in closures and in calls into other modules; the
    // budget's does not.
    let spending = current.clone();
    engine.on_progress(move |_| spending.spend().map(Dynamic::from));
    // A script's own output would stand in the middle of a plan; messages are `log`.
    engine.on_print(|_| {}).on_debug(|_, _, _| {});
    map_words(&mut engine, current.clone());
    let ended = current.clone();
    #[allow(deprecated)] // marked so by rhai because it is volatile, not because it goes
    engine.register_debugger(
        |_, debugger| debugger,
        move |context, event, _, _, position| {
            let Some(session) = ended.session() else {
                return Ok(DebuggerCommand::Continue);
            };
            let global = context.global_runtime_state();
            match (event, &session.watch) {
                (DebuggerEvent::End, _) => {
                    session.calls.ended.replace(Some(Home::of(global)));
                    Ok(DebuggerCommand::Continue)
                }
                (DebuggerEvent::Start | DebuggerEvent::Step, Some(watch)) => {
                    match watch.step(session.calls.start(), global, position) {
                        true => Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, position).into()),
                        false => Ok(DebuggerCommand::StepInto),
                    }
                }
                (_, Some(_)) => Ok(DebuggerCommand::StepInto),
                (_, None) => Ok(DebuggerCommand::Continue),
            }
        },
    );
    engine.set_module_resolver(loader::Resolver::new(current.clone()));
    disabled::register(&mut engine);
    builtins::register(&mut engine, &current);
    extra(&mut engine, &current);
    Interpreter { engine, current }
}

/// Turns `export` and other reserved words back into names where they are names.
fn map_words(engine: &mut Engine, current: CurrentSession) {
    #[allow(deprecated)] // as above
    engine.on_parse_token(move |token, position, _| {
        let Some(session) = current.session() else {
            return token;
        };
        let mut parsing = session.modules.parsing.borrow_mut();
        let is_method = parsing.after_period;
        parsing.after_period = matches!(token, Token::Period | Token::Elvis);
        match token {
            Token::Export if is_method || is_call(&parsing.text, position, "export".len()) => {
                Token::Identifier(Box::new("export".into()))
            }
            Token::Reserved(word) if WORDS.split(' ').any(|known| known == word.as_str()) => {
                Token::Identifier(word)
            }
            token => token,
        }
    });
}

/// Whether an opening bracket follows the word at `position`.
fn is_call(text: &str, position: rhai::Position, length: usize) -> bool {
    let (Some(line), Some(column)) = (position.line(), position.position()) else {
        return false;
    };
    let line = text.lines().nth(line - 1).unwrap_or_default();
    let mut rest = line.chars().skip(column - 1 + length);
    rest.find(|c| !c.is_whitespace()) == Some('(')
}
