//! What changed in a step, in words.

use std::collections::BTreeMap;

use crate::plan::{Action, Op, Run, Source, Step, Text};

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
        (Op::Run(now), Op::Run(then)) if now.place == then.place => changed_run(step, now, then),
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
        (Op::CopyIn(now), Op::CopyIn(then)) if now.path == then.path => {
            match (&now.source, now.source == then.source) {
                (_, true) => format!("{}: its mode or owner changed", now.path),
                (Source::File(_), _) => format!("the file for {} changed", now.path),
                (Source::Download(_), _) => format!("the download for {} changed", now.path),
                (Source::Keyring(_), _) => format!("the keys in {} changed", now.path),
            }
        }
        _ => format!("the operations of `{}` changed", step.call),
    }
}

fn changed_run(step: &Step, now: &Run, then: &Run) -> String {
    changed_words(step, now, then)
        .or_else(|| changed_env(&now.env, &then.env))
        .or_else(|| (now.stdin != then.stdin).then(|| "its standard input changed".to_owned()))
        .unwrap_or_else(|| format!("how `{}` runs changed", now.command.program()))
}

/// `packages: + curl, - nano`
fn changed_words(step: &Step, now: &Run, then: &Run) -> Option<String> {
    if now.command == then.command {
        return None;
    }
    let (words, before) = (now.command.words(), then.command.words());
    let added = words.iter().filter(|word| !before.contains(word));
    let gone = before.iter().filter(|word| !words.contains(word));
    let changes: Vec<(char, &String)> = added
        .map(|word| ('+', word))
        .chain(gone.map(|word| ('-', word)))
        .collect();
    let script = |run: &Run| run.command.script().map(|script| script.text.clone());
    // In the argv of a program, a script is one long word.
    let is_long = |(_, word): &(char, &String)| word.len() > 60 || word.contains('\n');
    if script(now) != script(then) || changes.iter().any(is_long) {
        return Some(format!("the script of `{}` changed", step.call));
    }
    let what = match step.call.as_str() {
        "install" | "remove" => "packages".to_owned(),
        _ => format!("`{}`", now.command.program()),
    };
    let changes = changes.iter().map(|(sign, word)| format!("{sign} {word}"));
    let changes: Vec<String> = changes.collect();
    Some(match changes.is_empty() {
        true => format!("{what}: in another order"),
        false => format!("{what}: {}", changes.join(", ")),
    })
}

fn changed_env(now: &BTreeMap<String, Text>, then: &BTreeMap<String, Text>) -> Option<String> {
    let mut names = now.keys().chain(then.keys());
    names
        .find(|name| now.get(*name) != then.get(*name))
        .map(|name| format!("the variable {name} changed"))
}
