//! Errors as data: where in which source, what, why, and what to do.
//!
//! An area (script, run, export, …) has its own small error enum; at its boundary it
//! becomes a [`Report`], and [`render`] draws that. Nothing here knows the other areas.

mod hint;
mod origin;
pub mod render;
mod report;
mod source;
pub mod terminal;
mod trouble;

pub use hint::{Declaration, Explanation, Hint, HintError, HintSet};
pub use origin::{LIBRARY, Origin, STDLIB, innermost_origin, own_calls};
pub use report::{CommandReport, Report, ReportContent, Severity};
pub use source::{Frame, Position, SourceMap, Span, byte_offset, position};
pub use trouble::Trouble;

/// The nearest of `names`, if it is near enough to be what was meant: one slip in a short
/// word, two or three in a long one, or the only name that begins with the word.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let names: Vec<&str> = names.collect();
    let slip = names
        .iter()
        .copied()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&lower, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, name)| {
            let length = name.chars().count().min(word.chars().count());
            *name != word && *distance <= length / 4 + usize::from(length < 4 && length > 1)
        })
        .min()
        .map(|(_, name)| name);
    slip.or_else(|| {
        let mut longer = names
            .iter()
            .copied()
            .filter(|name| word.chars().count() > 3 && name.to_lowercase().starts_with(&lower));
        longer.next().filter(|_| longer.next().is_none())
    })
}
