//! Functions as people read them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One way in which a function can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `pad(string, number, character)`
    pub text: String,
    pub parameters: usize,
}

/// How many signatures a report shows.
const SHOWN: usize = 3;

/// The functions of an engine.
#[derive(Clone, Default)]
pub struct Functions {
    /// What people are told of.
    pub(super) signatures: Arc<BTreeMap<String, Vec<Signature>>>,
    /// Names and numbers of parameters; built-ins are not among them.
    pub(super) natives: Arc<BTreeMap<String, BTreeSet<usize>>>,
}

impl Functions {
    pub fn signatures(&self, name: &str) -> &[Signature] {
        self.signatures.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether the engine itself has a function of that name with so many parameters;
    /// built-ins are not among them.
    pub fn is_native(&self, name: &str, parameters: usize) -> bool {
        let counts = self.natives.get(name);
        counts.is_some_and(|counts| counts.contains(&parameters))
    }
}

/// The signatures that come nearest to a call with so many arguments, in a line.
pub fn shown(signatures: &[Signature], arguments: usize) -> String {
    let mut fitting: Vec<&Signature> = signatures.iter().collect();
    fitting.sort_by_key(|signature| (signature.parameters.abs_diff(arguments), &signature.text));
    let texts: Vec<String> = fitting
        .iter()
        .take(SHOWN)
        .map(|signature| format!("`{}`", signature.text))
        .collect();
    let more = if fitting.len() > SHOWN { ", …" } else { "" };
    format!("there is {}{more}", texts.join(", "))
}
