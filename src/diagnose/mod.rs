//! Errors as data: where in which source, what, why, and what to do.
//!
//! An area (script, run, export, …) has its own small error enum; at its boundary it
//! becomes a [`Report`], and [`render`] draws that. Nothing here knows the other areas.

mod hint;
pub mod render;
mod report;
mod source;

pub use hint::{Declaration, Explanation, Hint, HintError, HintSet};
pub use report::{CommandReport, Report, Severity};
pub use source::{Frame, Position, SourceMap, Span, byte_offset};

/// The nearest of `names`, if it is near enough to be what was meant.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    names
        .map(|name| {
            (
                strsim::damerau_levenshtein(&lower, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| *distance <= 1 + name.len().min(word.len()) / 4)
        .min()
        .map(|(_, name)| name)
}
