//! The plan as JSON, and the schema of that JSON.

use schemars::generate::SchemaSettings;

use crate::plan::{Plan, SCHEMA_VERSION};

/// The plan, with a line break at the end; `docs/plan.md` describes the format.
pub fn json(plan: &Plan) -> String {
    // Maps in a plan have string keys, and serde_json knows no NaN: this cannot fail.
    let mut text = serde_json::to_string_pretty(plan).unwrap_or_default();
    text.push('\n');
    text
}

/// The JSON Schema (draft 2020-12) of what [`json`] writes, with a line break at the end.
pub fn schema() -> String {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Plan>();
    schema.insert(
        "title".to_owned(),
        format!("rootwright plan, version {SCHEMA_VERSION}").into(),
    );
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
