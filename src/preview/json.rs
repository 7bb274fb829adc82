//! The plan as JSON, and the schema of that JSON.

use schemars::generate::SchemaSettings;

use crate::plan::{Plan, SCHEMA_VERSION};

/// `docs/plan.md` describes a plan's.
pub use crate::diagnose::terminal::json;

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
