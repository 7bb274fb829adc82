//! Values of secrets: exactly the bytes of a file or of a variable.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::redaction::{Patterns, Redactor};
use crate::diagnose::Frame;
use crate::plan::{Plan, secret_variable};

/// What a secret may have at most: it is kept in memory.
const MOST: u64 = 16 << 20;

/// Values by name. Has no `Debug`: they are for no log.
#[derive(Clone, Default)]
pub struct Secrets {
    values: BTreeMap<String, Arc<[u8]>>,
    patterns: Arc<Patterns>,
}

/// A secret of a plan that has no value, and why.
#[derive(Debug)]
pub struct MissingSecret {
    pub name: String,
    pub why: NoValue,
    /// The calls to the operation that needs it first.
    pub calls: Vec<Frame>,
}

#[derive(Debug, thiserror::Error)]
pub enum NoValue {
    #[error("neither `{variable}` nor `--secret {name}=FILE` is given")]
    Unset { variable: String, name: String },
    #[error("{0}")]
    Unreadable(std::io::Error),
    /// A CI system sets the variable of a secret that it does not know to nothing.
    #[error("`{from}` is empty")]
    Empty { from: String },
    #[error("`{from}` has more than {} MiB", MOST >> 20)]
    Large { from: String },
    /// Another recipe of the build may use a name with the same variable.
    #[error("`{variable}` is the value of the secret `{other}`")]
    Taken { variable: String, other: String },
}

impl Secrets {
    /// Takes the values of the secrets that `plan` uses and that are not known yet: from
    /// `files` (name and path), else from the environment. Returns those without a value.
    pub fn collect(&mut self, plan: &Plan, files: &[(String, PathBuf)]) -> Vec<MissingSecret> {
        let mut missing = Vec::new();
        let before = self.values.len();
        for (name, (step, action)) in plan.secrets() {
            if self.values.contains_key(&name) {
                continue;
            }
            match self.find(&name, files) {
                Ok(value) => drop(self.values.insert(name, value.into())),
                Err(why) => missing.push(MissingSecret {
                    name,
                    why,
                    calls: super::error::place(step, &action.calls),
                }),
            }
        }
        if self.values.len() > before {
            let values = self.values.iter();
            let values = values.map(|(name, value)| (name.as_str(), &**value));
            self.patterns = Arc::new(Patterns::new(values));
        }
        missing
    }

    fn find(&self, name: &str, files: &[(String, PathBuf)]) -> Result<Vec<u8>, NoValue> {
        let variable = secret_variable(name);
        let (value, from) = match files.iter().find(|(given, _)| given == name) {
            Some((_, path)) => {
                let value = read(path).map_err(NoValue::Unreadable)?;
                (value, path.display().to_string())
            }
            None => {
                let other = self.values.keys().find(|k| secret_variable(k) == variable);
                if let Some(other) = other {
                    let other = other.clone();
                    return Err(NoValue::Taken { variable, other });
                }
                let Some(value) = std::env::var_os(&variable) else {
                    let name = name.to_owned();
                    return Err(NoValue::Unset { variable, name });
                };
                (value.into_vec(), variable)
            }
        };
        match value.len() as u64 {
            0 => Err(NoValue::Empty { from }),
            1..=MOST => Ok(value),
            _ => Err(NoValue::Large { from }),
        }
    }

    /// The value of one secret, if it is known.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.values.get(name).map(|value| &**value)
    }

    /// Takes the values out of an output that comes in pieces.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.patterns.clone())
    }

    /// A text with every value replaced by the secret's name.
    pub fn redact(&self, text: &str) -> String {
        let mut redactor = self.redactor();
        let mut bytes = redactor.add(text.as_bytes());
        bytes.extend(redactor.end());
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A file, or a pipe such as `<(pass show NAME)`, up to a little more than is taken.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut value = Vec::new();
    let file = fs_err::File::open(path)?;
    file.take(MOST + 1).read_to_end(&mut value)?;
    Ok(value)
}
