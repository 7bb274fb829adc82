//! `plan`, `expect_error`, `each`, and what a test can ask a plan.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, NativeCallContext, Variant};

use super::{Running, running};
use crate::diagnose::Report;
use crate::plan::{Capture, CaptureRequest, Captured, Op, Plan};
use crate::preview::TextOptions;
use crate::recipe::current_session::CurrentSession;
use crate::recipe::{Failure, Settings, evaluate_here};

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

/// A plan in a test.
#[derive(Clone, Debug)]
pub struct TestPlan(pub Rc<Plan>);

/// Tests have the recipe's stand-ins, and no store that remembers.
struct StandIn;

impl Capture for StandIn {
    fn capture(&mut self, request: CaptureRequest<'_>) -> std::result::Result<Captured, Report> {
        match request.preview {
            Some(preview) => Ok(Captured::Preview(preview.to_owned())),
            None => Err(
                Report::new("test::no_preview", "`capture` has no stand-in for a test")
                    .trace(request.calls.to_vec())
                    .help("give it one: #{ preview: \"…\" }"),
            ),
        }
    }
}

pub fn register(engine: &mut Engine, current: &CurrentSession) {
    engine
        .register_type_with_name::<TestPlan>("plan")
        .register_get("text", |plan: &mut TestPlan| text(&plan.0))
        .register_get("commands", |plan: &mut TestPlan| commands(&plan.0))
        .register_get("files", |plan: &mut TestPlan| files(&plan.0))
        .register_get("calls", |plan: &mut TestPlan| {
            list(plan.0.steps.iter().map(|step| step.call.clone()))
        })
        .register_get("labels", |plan: &mut TestPlan| {
            list(plan.0.steps.iter().map(|step| step.label.clone()))
        })
        .register_get("messages", |plan: &mut TestPlan| {
            list(plan.0.messages.iter().map(|message| message.text.clone()))
        })
        .register_get("options", |plan: &mut TestPlan| -> Result<Map> {
            let mut options = Map::new();
            for option in &plan.0.options {
                let value = rhai::serde::to_dynamic(&option.value)?;
                options.insert(option.name.as_str().into(), value);
            }
            Ok(options)
        })
        .register_get("steps", |plan: &mut TestPlan| {
            rhai::serde::to_dynamic(&plan.0.steps)
        })
        .register_get("roots", |plan: &mut TestPlan| {
            rhai::serde::to_dynamic(&plan.0.roots)
        });
    engine.register_fn("each", each);
    register_evaluating(engine, current, "plan", made);
    register_evaluating(engine, current, "expect_error", refused);
}

/// Registers a function of a recipe and, where they are given, its options.
fn register_evaluating<T: Variant + Clone>(
    engine: &mut Engine,
    current: &CurrentSession,
    name: &str,
    evaluate: fn(&NativeCallContext<'_>, &Running, &str, &Map) -> Result<T>,
) {
    let with = current.clone();
    engine.register_fn(
        name,
        move |context: NativeCallContext<'_>, recipe: &str, options: Map| {
            evaluate(&context, &running(&with)?, recipe, &options)
        },
    );
    let with = current.clone();
    engine.register_fn(name, move |context: NativeCallContext<'_>, recipe: &str| {
        evaluate(&context, &running(&with)?, recipe, &Map::new())
    });
}

fn made(
    context: &NativeCallContext<'_>,
    running: &Running,
    recipe: &str,
    options: &Map,
) -> Result<TestPlan> {
    match attempt(context, running, recipe, options)? {
        Ok(plan) => Ok(TestPlan(Rc::new(plan))),
        Err(failure) => {
            let first = failure.reports.into_iter().next().unwrap_or_default();
            let message = format!("`{recipe}` does not evaluate: {}", first.message);
            let mut report = Report::new("test::plan_failed", message);
            if let Some(place) = first.place() {
                report = report.cause(format!("{place}: {}", first.message));
            }
            report.help.clone_from(&first.help);
            Err(running.at(context, report))
        }
    }
}

/// The first report of a recipe that has to fail: `code`, `message`, `help`, `line`.
fn refused(
    context: &NativeCallContext<'_>,
    running: &Running,
    recipe: &str,
    options: &Map,
) -> Result<Map> {
    let Err(failure) = attempt(context, running, recipe, options)? else {
        let message = format!("`{recipe}` evaluates, and an error was expected");
        return Err(running.at(context, Report::new("test::no_error", message)));
    };
    let first = failure.reports.into_iter().next().unwrap_or_default();
    let line = first.place().map_or(0, |span| i64::from(span.start.line));
    Ok(Map::from([
        ("code".into(), first.code.clone().into()),
        ("message".into(), first.message.clone().into()),
        ("help".into(), first.help.join("\n").into()),
        ("line".into(), line.into()),
    ]))
}

fn attempt(
    context: &NativeCallContext<'_>,
    running: &Running,
    recipe: &str,
    options: &Map,
) -> Result<std::result::Result<Plan, Failure>> {
    let settings = Settings {
        options: given(context, running, options)?,
        ..running.session.settings.clone()
    };
    let plans = &running.test.plans;
    plans.set(plans.get() + 1);
    let path = locate(running, recipe);
    let answers: Rc<RefCell<dyn Capture>> = Rc::new(RefCell::new(StandIn));
    let budget = &running.session.budget;
    let result = budget.pause(|| evaluate_here(&path, &settings, answers));
    Ok(result.map(|evaluation| evaluation.plan))
}

/// Beside the test, else in the repository.
fn locate(running: &Running, recipe: &str) -> PathBuf {
    let beside = running.test.file.with_file_name("").join(recipe);
    match &running.session.settings.project.root {
        Some(root) if !beside.is_file() && root.join(recipe).is_file() => {
            let path = root.join(recipe);
            path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
        }
        _ => beside,
    }
}

/// Options as the command line gives them.
fn given(
    context: &NativeCallContext<'_>,
    running: &Running,
    options: &Map,
) -> Result<Vec<(String, String)>> {
    let mut given = Vec::new();
    for (name, value) in options {
        let text = if let Ok(items) = value.clone().into_array() {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            items.join(",")
        } else if value.is_string() || value.is_int() || value.is_bool() {
            value.to_string()
        } else {
            let message = format!("the option `{name}` is a {}", value.type_name());
            let report = Report::new("test::bad_option", message)
                .help("a string, a number, a boolean or an array of strings");
            return Err(running.at(context, report));
        };
        given.push((name.to_string(), text));
    }
    Ok(given)
}

/// The table of all combinations: `each(#{ a: [1, 2], b: [3] })` is `[#{ a: 1, b: 3 }, …]`.
fn each(table: Map) -> Array {
    let mut rows = vec![Map::new()];
    for (name, values) in table {
        let values = match values.clone().into_array() {
            Ok(values) => values,
            Err(_) => vec![values],
        };
        rows = rows
            .iter()
            .flat_map(|row| {
                let name = &name;
                values.iter().map(move |value| {
                    let mut row = row.clone();
                    row.insert(name.clone(), value.clone());
                    row
                })
            })
            .collect();
    }
    rows.into_iter().map(Dynamic::from).collect()
}

fn list(items: impl Iterator<Item = String>) -> Array {
    items.map(Dynamic::from).collect()
}

pub fn text(plan: &Plan) -> String {
    crate::preview::text(plan, &TextOptions::default())
}

/// Every command, of the host and of the roots, quoted as for a shell, in order.
fn commands(plan: &Plan) -> Array {
    let actions = plan.steps.iter().flat_map(|step| &step.actions);
    list(actions.filter_map(|action| match &action.op {
        Op::Run(run) => Some(run.command.shown()),
        _ => None,
    }))
}

/// What is written to each path; secrets stand as `<secret NAME>`.
fn files(plan: &Plan) -> Map {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for action in plan.steps.iter().flat_map(|step| &step.actions) {
        match &action.op {
            Op::WriteFile(file) => {
                files.insert(file.path.clone(), file.content.to_string());
            }
            Op::AppendFile(file) => {
                let text = files.entry(file.path.clone()).or_default();
                text.push_str(&file.content.to_string());
            }
            Op::RemovePath(gone) => {
                files.remove(&gone.path);
            }
            _ => {}
        }
    }
    files
        .into_iter()
        .map(|(path, text)| (path.into(), text.into()))
        .collect()
}
