//! What differs: two plans, or two trees that were built.

mod error;
mod packages;
mod plan_changes;
mod plans;
mod revision;
mod roots;
mod step_changes;
mod tree;

pub use error::Error;
pub use packages::PackageDiff;
pub use plan_changes::{
    ActionDiff, Change, Differing, List, PlanDiff, RootDiff, StepDiff, StepRef, differences,
};
pub use plans::text as plans_text;
pub use revision::Checkout;
pub use roots::{RootsDiff, Shown, Side, text as roots_text};
pub use step_changes::changed_actions;
pub use tree::{Entry, FileKind, Node, Property, Totals};

use serde::Serialize;

/// The version of the JSON of either.
const SCHEMA_VERSION: u32 = 1;

/// What was compared, and what differs, as data.
#[derive(Debug, Serialize)]
pub struct Document<'a, T> {
    schema: u32,
    /// `plans` or `roots`.
    compared: &'static str,
    /// As they are named above a text.
    from: &'a str,
    to: &'a str,
    same: bool,
    #[serde(flatten)]
    diff: &'a T,
}

/// The JSON of `--format json`.
pub fn json<T: Serialize>(
    compared: &'static str,
    (from, to): (&str, &str),
    same: bool,
    diff: &T,
) -> String {
    crate::preview::json(&Document {
        schema: SCHEMA_VERSION,
        compared,
        from,
        to,
        same,
        diff,
    })
}

/// The lines above a text.
fn head((from, to): (&str, &str)) -> String {
    format!("--- {from}\n+++ {to}\n")
}
