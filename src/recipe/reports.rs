//! What is wrong with a script, by the code of its report: one function for each.

use rhai::{Dynamic, EvalAltResult};

use super::type_names::type_words;
use crate::diagnose::Report;

/// A report on its way through the engine.
#[derive(Clone, Debug)]
pub struct RaisedReport(pub Report);

impl RaisedReport {
    /// As an error of the engine, which leaves it alone.
    pub fn raise(report: Report) -> Box<EvalAltResult> {
        Box::new(EvalAltResult::ErrorRuntime(
            Dynamic::from(RaisedReport(report)),
            rhai::Position::NONE,
        ))
    }
}

macro_rules! codes {
    ($($code:ident)*) => {
        $(pub fn $code(message: impl Into<String>) -> Report {
            Report::new(concat!("script::", stringify!($code)), message)
        })*
    };
}

codes! {
    arithmetic capture closure_outside constant duplicate failed import_circle import_path limit
    many_errors no_session not_utf8 out_of_bounds parse replaces_builtin secret_compared thread
    thrown unknown_function unknown_library unknown_module unknown_option unknown_property
    unknown_variable unreadable wrong_arity wrong_type
}

/// A `for` over what is no list; `given` is the name of its type.
pub fn not_iterable(given: &str) -> Report {
    wrong_type(format!("`for` does not go over {}", type_words(given)))
        .help("it goes over an array, a string or a range: `for i in 0..3 { … }`")
}
