//! What is wrong with a script, by the code of its report: one function for each.

use crate::diagnose::Report;

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
