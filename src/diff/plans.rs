//! What differs between two plans, for people.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

use super::head;
use super::plan_changes::{counts, mark};
use super::{ActionDiff, Change, Differing, List, PlanDiff, StepDiff, StepRef};
use crate::plan::{Op, RunPlace, Text};
use crate::preview::headline;
use crate::run::changed_files::hunks;

/// The difference, below the names of the two.
pub fn text(diff: &PlanDiff, names: (&str, &str)) -> String {
    let mut out = head(names);
    for (list, values) in &diff.lists {
        let what = match list {
            List::Options => "option",
            List::Libraries => "library",
            List::Inputs => "input",
            List::Assumptions => "assumption",
            List::Captures => "output of",
            List::Needs => "host needs",
            List::Repositories => "repository",
            List::Keys => "keys of",
            List::Capabilities => "beyond its roots:",
        };
        for one in values {
            let said = match (list, &one.from) {
                (List::Capabilities, None) => format!("+ {}", one.name),
                (List::Capabilities, Some(_)) => format!("- {}", one.name),
                _ => differing(one),
            };
            let _ = writeln!(out, "{what} {said}");
        }
    }
    for root in &diff.roots {
        let said = match root.change {
            Change::Changed => "",
            Change::Added => " (new)",
            Change::Removed => " (gone)",
        };
        let _ = match root.name.as_str() {
            "" => writeln!(out, "\nno root"),
            name => writeln!(out, "\nroot {name}{said}"),
        };
        for fact in &root.facts {
            let _ = writeln!(out, "  {}", differing(fact));
        }
        for one in &root.steps {
            step(&mut out, one);
        }
    }
    let changes = diff.roots.iter().flat_map(|root| &root.steps);
    let counted = counts(changes.map(|step| step.change));
    if !counted.is_empty() {
        let _ = writeln!(out, "\nsteps: {counted}, {} the same", diff.same_steps);
    }
    out
}

/// `name: old → new`
pub fn differing(one: &Differing) -> String {
    let name = &one.name;
    match (&one.from, &one.to) {
        (Some(from), Some(to)) => format!("{name}: {} → {}", word(name, from), word(name, to)),
        (Some(from), None) => format!("- {name}: {}", word(name, from)),
        (None, Some(to)) => format!("+ {name}: {}", word(name, to)),
        (None, None) => name.clone(),
    }
}

fn step(out: &mut String, step: &StepDiff) {
    let number = |side: &Option<StepRef>| side.as_ref().map(|side| side.number.to_string());
    let (from, to) = (number(&step.from), number(&step.to));
    let number = match (&from, &to) {
        (Some(from), Some(to)) if from != to => format!("{from} → {to}"),
        _ => to.or(from).unwrap_or_default(),
    };
    let label = step.to.as_ref().or(step.from.as_ref());
    let label = label.map_or("", |side| match side.label.as_str() {
        "" => side.call.as_str(),
        label => label,
    });
    let _ = writeln!(out, "  {} {number}  {label}", mark(step.change));
    if !step.what.is_empty() {
        let _ = writeln!(out, "      ({})", step.what);
    }
    for one in &step.actions {
        action(out, one);
    }
}

/// A command in a line, or what is done with a file.
fn words(op: &Op) -> String {
    match op {
        Op::Run(run) => {
            let place = match run.place {
                RunPlace::Host => "host#",
                RunPlace::Root => "root#",
                RunPlace::BootedRoot { .. } => "booted root#",
            };
            format!("{place} {}", first_line(&run.command.shown()))
        }
        other => headline(None, other).unwrap_or_default(),
    }
}

/// Characters of a line that names a command.
const WIDTH: usize = 90;

fn first_line(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let short: String = first.chars().take(WIDTH).collect();
    match short.len() < text.trim_end_matches('\n').len() {
        true => format!("{short} …"),
        false => short,
    }
}

fn action(out: &mut String, action: &ActionDiff) {
    let op = action.to.as_ref().or(action.from.as_ref());
    let words = op.map(words).unwrap_or_default();
    let _ = writeln!(out, "      {} {words}", mark(action.change));
    for field in &action.fields {
        let lines = lines(field);
        let _ = match lines.is_empty() {
            true => writeln!(out, "          {}", differing(field)),
            false => writeln!(out, "          {}:", field.name),
        };
        for line in lines {
            let _ = writeln!(out, "            {line}");
        }
    }
}

/// The lines that differ, of what has several; none where it is a word on both sides.
fn lines(field: &Differing) -> Vec<String> {
    let text = |value: &Option<Value>| value.as_ref().map(plain).unwrap_or_default();
    let (from, to) = (text(&field.from), text(&field.to));
    match from.contains('\n') || to.contains('\n') {
        true => hunks(&from, &to),
        false => Vec::new(),
    }
}

/// A value as a text of lines: of a list, a line for each item. A text of which parts stand
/// for something else is a list in JSON, too.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let parts = items.iter().any(Value::is_object);
            match parts.then(|| Text::deserialize(value)) {
                Some(Ok(text)) => text.to_string(),
                _ => items.iter().map(plain).collect::<Vec<_>>().join("\n"),
            }
        }
        other => other.to_string(),
    }
}

/// A value in a line.
fn word(name: &str, value: &Value) -> String {
    let last = name.rsplit('.').next().unwrap_or(name);
    match (last, value.as_u64()) {
        ("mode", Some(bits)) => format!("{bits:04o}"),
        _ => match plain(value) {
            text if text.is_empty() => "\"\"".to_owned(),
            text => first_line(&text),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::plain;

    #[test]
    fn a_text_reads_as_in_other_previews() {
        let text = json!(["mount ", { "root": {} }, "/proc with ", { "secret": "key" }]);
        assert_eq!(plain(&text), "mount $ROOT/proc with <secret key>");
        assert_eq!(plain(&json!(["cp", text])), format!("cp\n{}", plain(&text)));
        let edits = json!([{ "pattern": "a", "replacement": "b" }]);
        assert_eq!(plain(&edits), r#"{"pattern":"a","replacement":"b"}"#);
    }
}
