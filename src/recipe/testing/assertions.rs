//! `assert`, `assert_eq`, `assert_ne`, `assert_contains`, `assert_lacks`, `snapshot`.

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, NativeCallContext};
use similar::{ChangeTag, TextDiff};

use super::plans::{TestPlan, text};
use super::running;
use crate::diagnose::Report;
use crate::recipe::args::is_name;
use crate::recipe::current_session::CurrentSession;
use crate::recipe::session::Test;

type Checked = Result<(), Box<EvalAltResult>>;
type Context<'a> = NativeCallContext<'a>;

/// What an assertion says that does not hold, and why.
type Failed = (String, Option<String>);

/// What is wrong with two values, if something is.
type Comparison = fn(&Dynamic, &Dynamic) -> Option<Failed>;

/// The assertions about two values.
const COMPARISONS: &[(&str, Comparison)] = &[
    ("assert_eq", differ),
    ("assert_ne", are_same),
    ("assert_contains", |all, part| is_part(all, part, true)),
    ("assert_lacks", |all, part| is_part(all, part, false)),
];

pub fn register(engine: &mut Engine, current: &CurrentSession) {
    let with = current.clone();
    engine.register_fn("assert", move |context: Context<'_>, held: bool| {
        let failed = || ("does not hold".to_owned(), None);
        check(&with, &context, (!held).then(failed))
    });
    let with = current.clone();
    engine.register_fn(
        "assert",
        move |context: Context<'_>, held: bool, message: &str| {
            let failed = || (message.to_owned(), None);
            check(&with, &context, (!held).then(failed))
        },
    );
    for (name, failed) in COMPARISONS {
        let with = current.clone();
        engine.register_fn(
            *name,
            move |context: Context<'_>, one: Dynamic, other: Dynamic| {
                check(&with, &context, failed(&one, &other))
            },
        );
    }
    let with = current.clone();
    engine.register_fn(
        "snapshot",
        move |context: Context<'_>, plan: TestPlan, name: &str| {
            let running = running(&with)?;
            let checked = snapshot(&running.test, &text(&plan.0), name);
            checked.map_err(|report| running.at(&context, report))
        },
    );
}

fn check(current: &CurrentSession, context: &Context<'_>, failed: Option<Failed>) -> Checked {
    let running = running(current)?;
    let Some((message, cause)) = failed else {
        return Ok(());
    };
    let mut report = Report::new("test::assertion", message);
    report.cause = cause;
    Err(running.at(context, report))
}

fn differ(found: &Dynamic, wanted: &Dynamic) -> Option<Failed> {
    let (found, wanted) = (shown(found), shown(wanted));
    let message = "the two values differ (`-` was found, `+` was wanted)";
    (found != wanted).then(|| (message.to_owned(), Some(diff(&found, &wanted))))
}

fn are_same(found: &Dynamic, other: &Dynamic) -> Option<Failed> {
    let found = shown(found);
    let message = "the two values are the same";
    (found == shown(other)).then(|| (message.to_owned(), Some(found)))
}

fn is_part(all: &Dynamic, part: &Dynamic, wanted: bool) -> Option<Failed> {
    let what = if wanted { "is not in" } else { "is in" };
    let message = || format!("`{}` {what} the value", shown(part));
    (contains(all, part) != wanted).then(|| (message(), Some(shown(all))))
}

/// A value as a diff shows it: text as it is, anything else one item a line.
fn shown(value: &Dynamic) -> String {
    if let Ok(text) = value.clone().into_string() {
        return text;
    }
    rhai::serde::from_dynamic::<serde_json::Value>(value)
        .ok()
        .and_then(|json| serde_json::to_string_pretty(&json).ok())
        .unwrap_or_else(|| value.to_string())
}

/// A part of a text, an item of an array (or a part of one that is text), a key of a map.
fn contains(all: &Dynamic, part: &Dynamic) -> bool {
    if let Some(items) = all.read_lock::<Array>() {
        let part_text = shown(part);
        return items.iter().any(|item| {
            let item_text = shown(item);
            item_text == part_text || (item.is_string() && item_text.contains(&part_text))
        });
    }
    if let Some(map) = all.read_lock::<Map>() {
        return map.contains_key(shown(part).as_str());
    }
    shown(all).contains(&shown(part))
}

/// The lines that differ, with two lines around them.
fn diff(found: &str, wanted: &str) -> String {
    let diff = TextDiff::from_lines(found, wanted);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(2) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => "-",
                ChangeTag::Insert => "+",
                ChangeTag::Equal => " ",
            };
            lines.push(format!("{sign} {}", change.value().trim_end_matches('\n')));
        }
    }
    lines.join("\n")
}

fn snapshot(test: &Test, found: &str, name: &str) -> Result<(), Report> {
    if !is_name(name, "_-") {
        let message = format!("`{name}` is no snapshot's name");
        let report = Report::new("test::snapshot_name", message);
        return Err(report.help("letters, digits, `_` and `-`"));
    }
    let stem = test.file.file_stem().unwrap_or_default().to_string_lossy();
    let folder = test.file.with_file_name("snapshots");
    let path = folder.join(format!("{stem}__{name}.txt"));
    let unusable = |error: std::io::Error| Report::new("test::snapshot_file", error.to_string());
    if test.update {
        fs_err::create_dir_all(&folder).map_err(unusable)?;
        return fs_err::write(&path, found).map_err(unusable);
    }
    match fs_err::read_to_string(&path) {
        Ok(wanted) if wanted == found => Ok(()),
        Ok(wanted) => {
            let message =
                format!("the plan is not the snapshot `{name}` (`-` was found, `+` was wanted)");
            let report = Report::new("test::snapshot", message).cause(diff(found, &wanted));
            Err(report.help("if it is right as it is now: `rootwright test --update`"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let report = Report::new("test::snapshot", format!("there is no snapshot `{name}`"));
            Err(report.help("`rootwright test --update` writes it"))
        }
        Err(error) => Err(unusable(error)),
    }
}
