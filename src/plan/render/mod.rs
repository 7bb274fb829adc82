//! Renderers: pure functions of the plan.

mod json;
mod sh;
mod text;

pub use json::{json, schema};
pub use sh::sh;
pub use text::text;
