//! The plan as JSON, and the schema of that JSON.

use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::plan::{Plan, SCHEMA_VERSION};

/// Data for programs, with a line break at the end; `docs/plan.md` describes that of a plan.
pub fn json(data: &impl Serialize) -> String {
    // Maps have string keys, and serde_json knows no NaN: this cannot fail.
    serde_json::to_string_pretty(data).unwrap_or_default() + "\n"
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
    json(&schema)
}
