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
