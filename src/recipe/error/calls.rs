//! Functions, operators and properties that are not there for the values given.

use crate::diagnose::Report;
use crate::recipe::boundary::CLOSURE;
use crate::recipe::builtins::ROOT_PROPERTIES;
use crate::recipe::call_stack::is_closure;
use crate::recipe::nearest;
use crate::recipe::reports;
use crate::recipe::session::Session;
use crate::recipe::signatures;
use crate::recipe::type_names::{noun, type_words};

/// `install (Root, i64)`: which functions of that name exist, or which names are near.
pub(super) fn not_found(session: &Session, signature: &str, file: &str) -> Report {
    let (name, given) = split(signature);
    let words: Vec<String> = given.iter().map(|kind| type_words(kind)).collect();
    if is_closure(name) && !session.modules.defines(file, name) {
        return reports::closure_outside(
            "a closure that a module makes cannot be called outside of the module",
        )
        .help("give the module a closure to call, or let it do all of the work");
    }
    if is_closure(name) || name == CLOSURE {
        let message = match words.len() {
            0 => "the closure is called with nothing, and has parameters".to_owned(),
            _ => format!("the closure does not take {}", words.join(" and ")),
        };
        return reports::wrong_arity(message).help(
            "`map`, `filter` and `some` give a closure the item, or the item and its index; `reduce` gives the result so far and the item",
        );
    }
    if let Some(property) = name.strip_prefix("get$") {
        return reports::unknown_property(format!("there is no property `{property}` here"));
    }
    let functions = signatures::of(session.kind());
    let signatures = functions.signatures(name);
    let operator = !name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if signatures.is_empty() && !operator {
        let report = reports::unknown_function(format!("there is no function `{name}`"));
        return match nearest(name, functions.names()) {
            Some(near) => report.help(format!("did you mean `{near}`?")),
            None => report,
        };
    }
    let message = if operator {
        format!("`{name}` does not go with {}", words.join(" and "))
    } else {
        let nouns: Vec<&str> = given.iter().map(|kind| noun(kind)).collect();
        format!("`{name}` does not take ({})", nouns.join(", "))
    };
    let mut report = reports::wrong_type(message);
    if !operator {
        report = report.help(signatures::shown(&signatures, given.len()));
    }
    match cure(name, &given) {
        Some(cure) => report.help(cure),
        None => report,
    }
}

/// `name (a, b)` into the name and the types; `()` is a type.
fn split(signature: &str) -> (&str, Vec<&str>) {
    let (name, rest) = signature.split_once(" (").unwrap_or((signature, ""));
    let name = name.rsplit("::").next().unwrap_or(name);
    let given = rest.strip_suffix(')').unwrap_or(rest);
    let given = given.split(", ").filter(|word| !word.is_empty()).collect();
    (name, given)
}

/// What to do about arguments of some types.
fn cure(name: &str, given: &[&str]) -> Option<String> {
    let has = |kind: &str| given.iter().any(|given| noun(given) == kind);
    if has("secret or path") {
        return Some(
            "its value is not known while the plan is made: it can only be joined with `+`"
                .to_owned(),
        );
    }
    if has("nothing") {
        return Some(
            "`()` is what a missing field is, and what a function gives that changes its value in place: `value ?? other`"
                .to_owned(),
        );
    }
    let arithmetic = matches!(name, "-" | "*" | "/" | "%" | "**" | "<" | ">" | "<=" | ">=");
    if arithmetic && has("string") && has("number") {
        return Some("`parse_int(text)` reads a number".to_owned());
    }
    None
}

/// `Unknown property 'x' - a getter is not registered for type 'array'`.
pub(super) fn no_property(session: &Session, what: &str) -> Report {
    let mut quoted = what.split('\'').skip(1).step_by(2);
    let (Some(name), Some(kind)) = (quoted.next(), quoted.next()) else {
        return reports::unknown_property(crate::recipe::type_names::lower_first(what));
    };
    let report =
        reports::unknown_property(format!("{} has no property `{name}`", type_words(kind)));
    if noun(kind) == "root" {
        let has = format!("it has `{}`", ROOT_PROPERTIES.join("`, `"));
        return report.help_near(name, ROOT_PROPERTIES, has);
    }
    if !signatures::of(session.kind()).signatures(name).is_empty() {
        return report.help(format!("a function is called with brackets: `{name}()`"));
    }
    report
}

/// A map without the field that was asked for.
pub(super) fn no_field(session: &Session, file: &str, name: &str) -> Report {
    let report = reports::unknown_property(format!("the map has no field `{name}`"));
    let fields = session.modules.field_names(file);
    report.help_near(name, &fields, format!(
            "a field that may be absent is read with `map.get(\"{name}\") ?? other`, or asked for with `\"{name}\" in map`"
        ))
}
