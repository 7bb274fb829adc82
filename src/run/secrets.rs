//! Values of secrets, and their removal from what a command prints.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::diagnose::Frame;
use crate::plan::{Plan, secret_variable};

/// Values by name. Has no `Debug`: they are for no log.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<String, String>,
}

/// A secret of a plan that has no value, and why.
#[derive(Debug)]
pub struct MissingSecret {
    pub name: String,
    pub why: String,
    /// The calls to the operation that needs it first.
    pub calls: Vec<Frame>,
}

impl Secrets {
    /// Takes the values of the secrets that `plan` uses and that are not known yet: from
    /// `files` (name and path), else from the environment. Returns those without a value.
    pub fn collect(&mut self, plan: &Plan, files: &[(String, PathBuf)]) -> Vec<MissingSecret> {
        let mut missing = Vec::new();
        for (name, (step, action)) in plan.secrets() {
            if self.values.contains_key(&name) {
                continue;
            }
            match self.find(&name, files) {
                Ok(value) => drop(self.values.insert(name, value)),
                Err(why) => missing.push(MissingSecret {
                    name,
                    why,
                    calls: super::error::place(step, &action.calls),
                }),
            }
        }
        missing
    }

    fn find(&self, name: &str, files: &[(String, PathBuf)]) -> Result<String, String> {
        let variable = secret_variable(name);
        let (value, from) = match files.iter().find(|(given, _)| given == name) {
            Some((_, path)) => {
                let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
                let value = text.strip_suffix('\n').unwrap_or(&text).to_owned();
                (value, path.display().to_string())
            }
            None => {
                // Another recipe of the build may use a name with the same variable.
                let other = self.values.keys().find(|k| secret_variable(k) == variable);
                if let Some(other) = other {
                    return Err(format!("`{variable}` is the value of the secret `{other}`"));
                }
                let unset = |_| format!("neither `{variable}` nor `--secret {name}=FILE` is given");
                (std::env::var(&variable).map_err(unset)?, variable)
            }
        };
        match value.is_empty() {
            // A CI system sets the variable of a secret that it does not know to nothing.
            true => Err(format!("`{from}` is empty")),
            false => Ok(value),
        }
    }

    /// The value of one secret, if it is known.
    pub fn value(&self, name: &str) -> Option<&String> {
        self.values.get(name)
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
