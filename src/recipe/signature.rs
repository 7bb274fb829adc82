//! Functions as people read them.

use std::sync::Arc;

use rhai::Identifier;

/// One way in which a function can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `pad(string, number, character)`
    pub text: String,
    pub parameters: usize,
}

/// How many signatures a report shows.
const SHOWN: usize = 3;

/// A function of the engine itself.
pub(super) struct Native {
    pub name: Identifier,
    pub count: usize,
    /// Each as `name: &mut Type`, where the engine knows more than the number.
    pub parameters: Vec<Identifier>,
}

/// The functions of an engine; built-ins are not among them.
#[derive(Clone, Default)]
pub struct Functions {
    /// Sorted by name.
    pub(super) natives: Arc<Vec<Native>>,
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
