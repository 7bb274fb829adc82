//! The options of a recipe, for whoever has not given all of them yet.

use std::path::Path;

use serde_json::Value;

use super::{Settings, evaluate};
use crate::plan::{Capture, OptionValue};

/// How often a recipe is evaluated, each time with a value for one option more.
const TIMES: usize = 32;

/// The options that a recipe declares, as far as it can be evaluated. One that has to be
/// given, and is not, has the value null; a value that fits stands for it, so that what the
/// recipe declares after it is seen too.
pub fn options(recipe: &Path, settings: &Settings, capture: &mut dyn Capture) -> Vec<OptionValue> {
    let mut settings = settings.clone();
    let mut standing_in: Vec<String> = Vec::new();
    let mut found = Vec::new();
    for _ in 0..TIMES {
        let failure = match evaluate(recipe, &settings, capture) {
            Ok(evaluation) => {
                found = evaluation.plan.options;
                break;
            }
            Err(failure) => failure,
        };
        found = failure.options;
        let code = failure.reports.first().map(|report| report.code.as_str());
        let missing = found
            .last()
            .filter(|_| code == Some("script::option_missing"));
        let Some(option) = missing else {
            break;
        };
        standing_in.push(option.name.clone());
        let value = match option.choices.first() {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            // It is a string, a number, a boolean and a list.
            None => "1".to_owned(),
        };
        settings.options.push((option.name.clone(), value));
    }
    for option in &mut found {
        if standing_in.contains(&option.name) {
            option.value = Value::Null;
            option.given = false;
        }
    }
    found
}
