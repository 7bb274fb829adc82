//! Secrets: which of them a plan uses, where, and which variable has the value.

use std::collections::BTreeMap;

use super::{Action, Names, Plan, Step};

/// The environment variable of a secret: `root-password` is `ROOTWRIGHT_SECRET_ROOT_PASSWORD`.
///
/// Names that differ only in case, or in `-` and `_`, have the same variable; a recipe cannot
/// use two of them.
pub fn secret_variable(name: &str) -> String {
    let word = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    };
    let name: String = name.chars().map(word).collect();
    format!("ROOTWRIGHT_SECRET_{name}")
}

impl Plan {
    /// The secrets that the plan uses, by name, each with its first use.
    pub fn secrets(&self) -> BTreeMap<String, (&Step, &Action)> {
        let mut secrets = BTreeMap::new();
        let has_secrets = |step: &&Step| !step.uses.secrets.is_empty();
        for step in self.steps.iter().filter(has_secrets) {
            for action in &step.actions {
                let mut uses = Names::default();
                action.op.names(&mut uses);
                for name in uses.secrets {
                    secrets.entry(name).or_insert((step, action));
                }
            }
        }
        secrets
    }
}
