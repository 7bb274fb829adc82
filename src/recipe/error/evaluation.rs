//! What goes wrong while a script is evaluated.

use crate::recipe::reports;
use rhai::EvalAltResult;

use super::{at, calls, explain, parse};
use crate::diagnose::{Frame, Report};
use crate::recipe::limits::Exceeded;
use crate::recipe::other_languages::When;
use crate::recipe::session::Session;
use crate::recipe::type_names::{lower_first, type_words};

const LOOP: &str = "a loop that does not end? recipes describe steps; they do not compute";

pub(super) fn describe(
    session: &Session,
    error: &EvalAltResult,
    file: &str,
    mut trace: Vec<Frame>,
) -> Report {
    use EvalAltResult as E;
    trace.extend(at(session, file, error.position(), "here"));
    let report = match error {
        E::ErrorFunctionNotFound(signature, _) => calls::not_found(session, signature, file),
        E::ErrorDotExpr(what, _) => calls::no_property(session, what),
        E::ErrorVariableNotFound(name, _) => {
            reports::unknown_variable(format!("there is no variable `{name}`"))
        }
        E::ErrorPropertyNotFound(name, _) => {
            let name = name.split(['\'', '"']).nth(1).unwrap_or(name);
            calls::no_field(session, file, name)
        }
        E::ErrorModuleNotFound(name, _) => {
            reports::unknown_module(format!("there is no module `{name}`"))
        }
        E::ErrorMismatchDataType(wanted, given, _)
        | E::ErrorMismatchOutputType(wanted, given, _) => mismatch(wanted, given),
        E::ErrorIndexingType(what, _) => {
            let what = what.split(" [").next().unwrap_or(what);
            reports::wrong_type(format!("{} has no items", type_words(what)))
                .help("an array is indexed by a number, a map by a string")
        }
        E::ErrorArrayBounds(length, index, _) => {
            reports::out_of_bounds(format!("there is no item {index} in an array of {length}"))
                .help("the first item is 0, the last -1")
        }
        E::ErrorStringBounds(length, index, _) => reports::out_of_bounds(format!(
            "there is no character {index} in a string of {length}"
        ))
        .help("the first character is 0, the last -1"),
        E::ErrorIndexNotFound(index, _) => {
            reports::out_of_bounds(format!("there is no index {index}"))
        }
        E::ErrorFor(_) => reports::wrong_type("`for` does not go over this").help(
            "it goes over an array, a string or a range; over a map by `for key in map.keys()`",
        ),
        E::ErrorArithmetic(what, _) => reports::arithmetic(lower_first(what)),
        E::ErrorAssignmentToConstant(name, _) => {
            reports::constant(format!("`{name}` is a constant and cannot be changed"))
                .help("make it with `let`")
        }
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            reports::constant(format!("`{name}` would change a constant"))
                .help("make it with `let`, or change a copy")
        }
        E::ErrorTooManyOperations(_) => {
            session.has_no_end.set(true);
            reports::limit(Exceeded::Operations.to_string()).help(LOOP)
        }
        E::ErrorTooManyVariables(_) => reports::limit("the script has too many variables")
            .help("keep what belongs together in a map or an array"),
        E::ErrorTooManyModules(_) => reports::limit("the script imports too many modules"),
        E::ErrorStackOverflow(_) => {
            session.has_no_end.set(true);
            reports::limit("the calls are nested too deep")
                .help("a function that calls itself without an end?")
        }
        E::ErrorDataTooLarge(what, _) => too_large(what),
        E::ErrorTerminated(token, _) => {
            session.has_no_end.set(true);
            let message = token
                .read_lock::<Exceeded>()
                .map_or_else(|| "the script was stopped".to_owned(), |e| e.to_string());
            reports::limit(message).help(LOOP)
        }
        E::ErrorParsing(kind, position) => {
            let mut parse = parse::parse_kind(session, kind, file, *position);
            let place = std::mem::take(&mut parse.trace);
            trace.pop();
            trace.extend(place);
            parse
        }
        other => reports::failed(lower_first(&strip_position(&other.to_string()))),
    };
    let report = report.trace(trace);
    match error {
        E::ErrorFunctionNotFound(..) | E::ErrorDotExpr(..) | E::ErrorPropertyNotFound(..) => {
            explain(session, report, file, error.position(), When::Call)
        }
        _ => report,
    }
}

fn mismatch(wanted: &str, given: &str) -> Report {
    if wanted.contains("iterable") {
        return reports::not_iterable(given);
    }
    let report = reports::wrong_type(format!(
        "this has to be {}, and is {}",
        type_words(wanted),
        type_words(given)
    ));
    if wanted == "bool" {
        return report
            .help("a condition is `true` or `false`: compare, `x != ()`, `x != \"\"`, `x > 0`");
    }
    report
}

fn too_large(what: &str) -> Report {
    let what = match what {
        what if what.contains("string") => "the string",
        what if what.contains("array") => "the array",
        what if what.contains("map") => "the map",
        _ => "the value",
    };
    let report = reports::limit(format!("{what} is too large"));
    report.help("a recipe describes steps; large files are brought in with `copy_in`")
}

fn strip_position(text: &str) -> String {
    match text.rfind(" (line ") {
        Some(at) => text.get(..at).unwrap_or(text).to_owned(),
        None => text.to_owned(),
    }
}
