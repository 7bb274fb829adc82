//! Values of secrets, and their removal from what a command prints.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::diagnose::Frame;
use crate::plan::{Part, Plan, Text};
use crate::preview::secret_variable;

/// Values by name. Has no `Debug`: they are for no log.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<String, String>,
}

impl Secrets {
    /// The values of all secrets that plans name: from `files` (name and path), else
    /// from `ROOTWRIGHT_SECRET_NAME` in the environment.
    ///
    /// # Errors
    /// The secrets that have no value.
    pub fn for_plans(
        plans: &[&Plan],
        files: &[(String, PathBuf)],
    ) -> Result<Self, Vec<MissingSecret>> {
        let mut names = Vec::new();
        for plan in plans {
            let json = serde_json::to_value(plan).unwrap_or_default();
            collect(&json, &mut names);
        }
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for name in names {
            let found = match files.iter().find(|(given, _)| *given == name) {
                Some((_, path)) => fs_err::read_to_string(path)
                    .map(|text| text.strip_suffix('\n').unwrap_or(&text).to_owned())
                    .map_err(|error| error.to_string()),
                None => std::env::var(secret_variable(&name)).map_err(|_| {
                    format!(
                        "neither `{}` nor `--secret {name}=FILE` is given",
                        secret_variable(&name)
                    )
                }),
            };
            match found {
                Ok(value) => drop(values.insert(name, value)),
                Err(why) => missing.push(MissingSecret {
                    calls: first_use(plans, &name),
                    name,
                    why,
                }),
            }
        }
        if missing.is_empty() {
            Ok(Secrets { values })
        } else {
            Err(missing)
        }
    }

    /// Takes the values of `other` as well.
    pub fn extend(&mut self, other: Secrets) {
        self.values.extend(other.values);
    }

    /// The value of one secret.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The text with its secrets' values in their places.
    pub fn reveal(&self, text: &Text) -> String {
        text.parts()
            .iter()
            .map(|part| match part {
                Part::Plain(text) => text.as_str(),
                Part::Secret(name) => self.values.get(name).map_or("", String::as_str),
            })
            .collect()
    }

    /// A line with every secret's value replaced by its name.
    pub fn redact(&self, line: &str) -> String {
        let mut parts: Vec<(&str, &str)> = self
            .values
            .iter()
            .flat_map(|(name, value)| value.lines().map(move |part| (part, name.as_str())))
            .filter(|(part, _)| !part.trim().is_empty())
            .collect();
        // A value that begins with another's comes before it.
        parts.sort_by_key(|(part, _)| std::cmp::Reverse(part.len()));
        let mut line = line.to_owned();
        for (part, name) in parts {
            if line.contains(part) {
                line = line.replace(part, &format!("<secret {name}>"));
            }
        }
        line
    }
}

/// A secret that has no value.
#[derive(Debug)]
pub struct MissingSecret {
    pub name: String,
    pub why: String,
    /// The calls to the operation that needs it first.
    pub calls: Vec<Frame>,
}

fn first_use(plans: &[&Plan], name: &str) -> Vec<Frame> {
    let steps = plans.iter().flat_map(|plan| &plan.steps);
    let mut actions = steps.flat_map(|step| step.actions.iter().map(move |action| (step, action)));
    let used = actions.find(|(_, action)| {
        let mut names = Vec::new();
        collect(
            &serde_json::to_value(&action.op).unwrap_or_default(),
            &mut names,
        );
        names.iter().any(|used| used == name)
    });
    used.map(|(step, action)| super::error::place(step, &action.calls))
        .unwrap_or_default()
}

fn collect(value: &serde_json::Value, names: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        serde_json::Value::Object(fields) => {
            if let (1, Some(serde_json::Value::String(name))) = (fields.len(), fields.get("secret"))
                && !names.contains(name)
            {
                names.push(name.clone());
            }
            fields.values().for_each(|field| collect(field, names));
        }
        _ => {}
    }
}
