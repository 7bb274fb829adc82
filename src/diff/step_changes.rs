//! What changed in a step, in words.

use std::collections::BTreeMap;

use crate::plan::{Action, HostRun, NspawnRun, Op, Step, Text};

/// What changed between two versions of a step.
pub fn changed_actions(step: &Step, before: &Step) -> String {
    let pairs = step.actions.iter().zip(&before.actions);
    let changes: Vec<String> = pairs
        .filter(|(now, then)| now.op != then.op || now.only_if != then.only_if)
        .map(|(now, then)| changed_action(step, now, then))
        .collect();
    match changes.as_slice() {
        [] => format!("the commands of `{}` changed", step.call),
        [one] => one.clone(),
        [first, second] => format!("{first}; {second}"),
        [first, rest @ ..] => format!("{first}, and {} changes more", rest.len()),
    }
}

fn changed_action(step: &Step, now: &Action, then: &Action) -> String {
    if now.only_if != then.only_if {
        return "its `only_if` changed".to_owned();
    }
    match (&now.op, &then.op) {
        (Op::NspawnRun(now), Op::NspawnRun(then)) => changed_run(step, now, then),
        (Op::NspawnBoot(now), Op::NspawnBoot(then)) => changed_run(step, &now.run, &then.run),
        (Op::HostRun(now), Op::HostRun(then)) => changed_host_run(step, now, then),
        (Op::WriteFile(now), Op::WriteFile(then)) if now.path == then.path => {
            match now.content == then.content {
                true => format!("{}: its mode or owner changed", now.path),
                false => format!("{} changed", now.path),
            }
        }
        (Op::AppendFile(now), Op::AppendFile(then)) if now.path == then.path => {
            format!("what is added to {} changed", now.path)
        }
        (Op::EditFile(now), Op::EditFile(then)) if now.path == then.path => {
            format!("the edit of {} changed", now.path)
        }
        (Op::CopyIn(now), Op::CopyIn(then)) if now.source == then.source => {
            let source = now.source.trim_start_matches("./");
            match now.digest == then.digest {
                true => format!("where {source} is copied to changed"),
                false => format!("file {source} changed"),
            }
        }
        (Op::Fetch(now), Op::Fetch(then)) => format!("fetch: {} → {}", then.url, now.url),
        _ => format!("the operations of `{}` changed", step.call),
    }
}

fn changed_run(step: &Step, now: &NspawnRun, then: &NspawnRun) -> String {
    changed_words(step, &now.argv, &then.argv)
        .or_else(|| changed_env(&now.env, &then.env))
        .or_else(|| (now.stdin != then.stdin).then(|| "its standard input changed".to_owned()))
        .unwrap_or_else(|| format!("how `{}` runs changed", program(&now.argv)))
}

fn changed_host_run(step: &Step, now: &HostRun, then: &HostRun) -> String {
    changed_words(step, &now.argv, &then.argv)
        .or_else(|| changed_env(&now.env, &then.env))
        .or_else(|| (now.stdin != then.stdin).then(|| "its standard input changed".to_owned()))
        .unwrap_or_else(|| format!("how `{}` runs changed", program(&now.argv)))
}

fn program(argv: &[String]) -> &str {
    argv.first().map_or("", String::as_str)
}

/// `packages: + curl, - nano`
fn changed_words(step: &Step, now: &[String], then: &[String]) -> Option<String> {
    if now == then {
        return None;
    }
    let missing = |from: &[String], other: &[String]| -> Vec<String> {
        from.iter()
            .filter(|word| !other.contains(word))
            .cloned()
            .collect()
    };
    let (added, gone) = (missing(now, then), missing(then, now));
    let what = match step.call.as_str() {
        "install" | "remove" => "packages".to_owned(),
        _ => format!("`{}`", program(now)),
    };
    // A script is one long word.
    let long = |words: &[String]| {
        words
            .iter()
            .any(|word| word.len() > 60 || word.contains('\n'))
    };
    if long(&added) || long(&gone) {
        return Some(format!("the script of `{}` changed", step.call));
    }
    let words: Vec<String> = added
        .iter()
        .map(|word| format!("+ {word}"))
        .chain(gone.iter().map(|word| format!("- {word}")))
        .collect();
    Some(match words.is_empty() {
        true => format!("{what}: in another order"),
        false => format!("{what}: {}", words.join(", ")),
    })
}

fn changed_env(now: &BTreeMap<String, Text>, then: &BTreeMap<String, Text>) -> Option<String> {
    let mut names = now.keys().chain(then.keys());
    names
        .find(|name| now.get(*name) != then.get(*name))
        .map(|name| format!("the variable {name} changed"))
}
