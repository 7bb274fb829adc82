//! The plan as JSON, and the schema of that.

use crate::plan::Plan;

/// Pretty JSON; `docs/plan.md` describes it.
pub fn json(plan: &Plan) -> String {
    // Plain data with string keys: this cannot fail.
    serde_json::to_string_pretty(plan).unwrap_or_default() + "\n"
}

/// The JSON schema of a plan.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Plan);
    serde_json::to_string_pretty(&schema).unwrap_or_default() + "\n"
}
