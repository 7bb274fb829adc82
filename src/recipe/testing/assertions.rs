//! `assert`, `assert_eq`, `assert_ne`, `assert_contains`, `snapshot`.

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, NativeCallContext};
use similar::{ChangeTag, TextDiff};

use super::plans::{TestPlan, text};
use super::{Running, running};
use crate::diagnose::Report;
use crate::recipe::current::Seat;

type Checked = Result<(), Box<EvalAltResult>>;

/// What an assertion says where it does not hold, and why.
type Failed = (String, Option<String>);

pub fn register(engine: &mut Engine, seat: &Seat) {
    type Context<'a> = NativeCallContext<'a>;
    let check = |seat: &Seat| {
        let seat = seat.clone();
        move |context: &Context<'_>, held: bool, failed: &dyn Fn() -> Failed| {
            check(held, &running(&seat)?, context, failed)
        }
    };
    let with = check(seat);
    engine.register_fn("assert", move |context: Context<'_>, held: bool| {
        with(&context, held, &|| ("does not hold".to_owned(), None))
    });
    let with = check(seat);
    engine.register_fn(
        "assert",
        move |context: Context<'_>, held: bool, message: &str| {
            with(&context, held, &|| (message.to_owned(), None))
        },
    );
    let with = check(seat);
    engine.register_fn(
        "assert_eq",
        move |context: Context<'_>, found: Dynamic, wanted: Dynamic| {
            let (found, wanted) = (shown(&found), shown(&wanted));
            with(&context, found == wanted, &|| {
                let message = "the two values differ (`-` was found, `+` was wanted)";
                (message.to_owned(), Some(diff(&found, &wanted)))
            })
        },
    );
    let with = check(seat);
    engine.register_fn(
        "assert_ne",
        move |context: Context<'_>, found: Dynamic, other: Dynamic| {
            let found = shown(&found);
            with(&context, found != shown(&other), &|| {
                (
                    "the two values are the same".to_owned(),
                    Some(found.clone()),
                )
            })
        },
    );
    for (name, wanted) in [("assert_contains", true), ("assert_lacks", false)] {
        let with = check(seat);
        engine.register_fn(
            name,
            move |context: Context<'_>, all: Dynamic, part: Dynamic| {
                with(&context, contains(&all, &part) == wanted, &|| {
                    let what = if wanted { "is not in" } else { "is in" };
                    let message = format!("`{}` {what} the value", shown(&part));
                    (message, Some(shown(&all)))
                })
            },
        );
    }
    let with = seat.clone();
    engine.register_fn(
        "snapshot",
        move |context: Context<'_>, plan: TestPlan, name: &str| {
            snapshot(&running(&with)?, &context, &text(&plan.0), name)
        },
    );
}

fn check(
    held: bool,
    running: &Running,
    context: &NativeCallContext<'_>,
    failed: &dyn Fn() -> Failed,
) -> Checked {
    if held {
        return Ok(());
    }
    let (message, cause) = failed();
    let mut report = Report::new("test::assertion", message);
    report.cause = cause;
    Err(running.at(context, report))
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

fn snapshot(
    running: &Running,
    context: &NativeCallContext<'_>,
    found: &str,
    name: &str,
) -> Checked {
    let fail = |report: Report| Err(running.at(context, report));
    let Some(test) = running.test() else {
        return Ok(());
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(word) {
        let report = Report::new(
            "test::snapshot_name",
            format!("`{name}` is no snapshot's name"),
        );
        return fail(report.help("letters, digits, `_` and `-`"));
    }
    let stem = test.file.file_stem().unwrap_or_default().to_string_lossy();
    let folder = test.file.with_file_name("snapshots");
    let path = folder.join(format!("{stem}__{name}.txt"));
    if test.update {
        let written = fs_err::create_dir_all(&folder).and_then(|()| fs_err::write(&path, found));
        return match written {
            Ok(()) => Ok(()),
            Err(error) => fail(Report::new("test::snapshot_file", error.to_string())),
        };
    }
    match fs_err::read_to_string(&path) {
        Ok(wanted) if wanted == found => Ok(()),
        Ok(wanted) => fail(
            Report::new(
                "test::snapshot",
                format!("the plan is not the snapshot `{name}` (`-` was found, `+` was wanted)"),
            )
            .cause(diff(found, &wanted))
            .help("if it is right as it is now: `rootwright test --update`"),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => fail(
            Report::new("test::snapshot", format!("there is no snapshot `{name}`"))
                .help("`rootwright test --update` writes it"),
        ),
        Err(error) => fail(Report::new("test::snapshot_file", error.to_string())),
    }
}
