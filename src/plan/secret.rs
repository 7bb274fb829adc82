//! Secrets: which of them a plan uses, where, and which variable has the value.

use std::collections::BTreeMap;

use super::{Action, NspawnBoot, Op, Plan, Step, Text};

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

impl Op {
    /// The texts of the operation that can contain secrets.
    pub fn texts(&self) -> Vec<&Text> {
        match self {
            Op::HostRun(run) => run.env.values().chain(&run.stdin).collect(),
            Op::NspawnRun(run) | Op::NspawnBoot(NspawnBoot { run, .. }) => {
                run.env.values().chain(&run.stdin).collect()
            }
            Op::WriteFile(file) => vec![&file.content],
            Op::AppendFile(file) => vec![&file.content],
            Op::EditFile(_)
            | Op::CopyIn(_)
            | Op::MakeDir(_)
            | Op::Symlink(_)
            | Op::RemovePath(_)
            | Op::MovePath(_)
            | Op::SetMode(_)
            | Op::SetOwner(_)
            | Op::RequirePaths(_)
            | Op::Fetch(_)
            | Op::Export(_)
            | Op::ExpectBoot(_) => Vec::new(),
        }
    }
}

impl Plan {
    /// The secrets that the plan uses, by name, each with its first use.
    pub fn secrets(&self) -> BTreeMap<&str, (&Step, &Action)> {
        let mut secrets = BTreeMap::new();
        for step in &self.steps {
            for action in &step.actions {
                for text in action.op.texts() {
                    for name in text.secrets() {
                        secrets.entry(name).or_insert((step, action));
                    }
                }
            }
        }
        secrets
    }
}
