//! Calls of functions that are not there, or that take other numbers of arguments.

use crate::recipe::reports;
use std::collections::BTreeSet;

use super::{Call, Functions, Names};
use crate::diagnose::Report;
use crate::recipe::call_stack::is_closure;
use crate::recipe::session::Session;
use crate::recipe::type_names::{arguments, or};
use crate::recipe::{builtins, disabled, nearest, signatures};

/// Functions that the engine handles itself, whatever their arguments.
const SPECIAL: &[&str] = &[
    "call",
    "curry",
    "Fn",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "type_of",
];

pub(super) fn check(session: &Session, call: &Call, names: &Names) -> Option<Report> {
    if let Some(alias) = &call.alias {
        // `global::` holds constants; a module that could not be read is reported itself.
        let functions = names.modules.get(alias).filter(|found| !found.is_empty())?;
        return of_module(call, alias, functions);
    }
    if names.variables.contains(&call.name)
        || (call.method && names.keys.contains(&call.name))
        || SPECIAL.contains(&call.name.as_str())
    {
        return None;
    }
    let own = names.own.get(&call.name);
    let own_with = |count: usize| {
        let mut own = own.into_iter().flatten();
        own.any(|signature| signature.parameters == count)
    };
    let native = signatures::of(session.kind()).is_native(&call.name, call.arguments);
    // A method call passes the receiver as `this`, which isn't among the parameters.
    let passed = call.arguments - usize::from(call.method);
    if own_with(passed) {
        return (call.method && native).then(|| hides_native(&call.name));
    }
    if disabled::is_disabled(&call.name) {
        return Some(not_there(&call.name));
    }
    if native {
        return None;
    }
    if let Some(found) = own {
        return Some(match call.method {
            true => no_method(&call.name, found, call.arguments),
            false => wrong_arity(call, &call.name, found),
        });
    }
    if let Some(builtin) = builtins::find(&call.name) {
        return (!builtin.takes(call.arguments)).then(|| wrong_arity_of_builtin(call, builtin));
    }
    let functions = signatures::of(session.kind());
    let found = functions.signatures(&call.name);
    if !found.is_empty() {
        return Some(wrong_arity(call, &call.name, &found));
    }
    let own = names.own.keys().map(String::as_str);
    let report = not_there(&call.name);
    let otherwise = match module_with(names, &call.name) {
        Some(alias) => format!("write `{alias}::{}(…)`", call.name),
        None => "it is no built-in, and this script does not define it; a function of a module is called `module::name(…)`".to_owned(),
    };
    Some(report.help_near(&call.name, functions.names().chain(own), otherwise))
}

/// A method call that could mean the script's function or Rhai's.
fn hides_native(name: &str) -> Report {
    reports::replaces_builtin(format!(
        "`{name}` is both a method of Rhai and a function of this script"
    ))
    .help(format!(
        "rename the function: `value.{name}(…)` calls it, with the value as `this`"
    ))
}

fn no_method(name: &str, found: &[signatures::Signature], given: usize) -> Report {
    reports::unknown_function(format!(
        "`{name}` is a function of this script, not a method"
    ))
    .help(signatures::shown(found, given))
}

fn not_there(name: &str) -> Report {
    reports::unknown_function(format!("there is no function `{name}`"))
}

/// The module that has a function which is called without naming it.
fn module_with<'a>(names: &'a Names, function: &str) -> Option<&'a str> {
    names
        .modules
        .iter()
        .find(|(_, functions)| functions.contains_key(function))
        .map(|(alias, _)| alias.as_str())
}

fn of_module(call: &Call, alias: &str, functions: &Functions) -> Option<Report> {
    let full = format!("{alias}::{}", call.name);
    if let Some(found) = functions.get(&call.name) {
        let takes = |signature: &signatures::Signature| signature.parameters == call.arguments;
        return (!found.iter().any(takes)).then(|| wrong_arity(call, &full, found));
    }
    let report = not_there(&full);
    let known = functions.keys().map(String::as_str);
    Some(match nearest(&call.name, known.clone()) {
        Some(near) => report.help(format!("did you mean `{alias}::{near}`?")),
        None => {
            let names: Vec<String> = known
                .filter(|name| !is_closure(name))
                .map(|name| format!("`{name}`"))
                .collect();
            report.help(format!("the module has {}", names.join(", ")))
        }
    })
}

fn wrong_arity(call: &Call, name: &str, found: &[signatures::Signature]) -> Report {
    let wanted: BTreeSet<usize> = found.iter().map(|s| s.parameters).collect();
    report(call, name, wanted).help(signatures::shown(found, call.arguments))
}

fn wrong_arity_of_builtin(call: &Call, builtin: &builtins::Builtin) -> Report {
    let all = builtin.params.len();
    let report = report(call, builtin.name, (all - builtin.optional..=all).collect());
    let takes_root = builtin.params.first() == Some(&"root");
    let report = report.help(match (call.method, takes_root) {
        (true, _) => format!("`{}`", builtin.method()),
        (false, true) => format!("`{}`, or `{}`", builtin.signature(), builtin.method()),
        (false, false) => format!("`{}`", builtin.signature()),
    });
    if builtin.name == "nspawn_run" && call.arguments > all {
        return report.help("the words of a command are one array: `[\"program\", \"argument\"]`");
    }
    report
}

/// In the method style, the receiver is not counted: it is not written as an argument.
fn report(call: &Call, name: &str, wanted: BTreeSet<usize>) -> Report {
    let hidden = usize::from(call.method);
    let wanted = wanted.into_iter();
    let wanted: Vec<usize> = wanted.filter_map(|n| n.checked_sub(hidden)).collect();
    let mut words: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    if let (Some(last), Some(count)) = (words.last_mut(), wanted.last()) {
        *last = arguments(*count);
    }
    let got = match call.arguments - hidden {
        0 => "none".to_owned(),
        count => count.to_string(),
    };
    reports::wrong_arity(format!("`{name}` takes {}, and got {got}", or(&words)))
}
