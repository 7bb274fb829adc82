//! Renderers: pure functions of the plan.
//!
//! [`text`] is for people, [`json`] for programs, [`sh`] for a machine without
//! rootwright, [`graph`] for a picture.

mod graph;
mod json;
mod sh;
mod shell_words;
mod text;

pub use graph::graph;
pub use json::{json, schema};
pub use sh::sh;
pub use text::{StepStatus, TextOptions, headline, plural, text};
