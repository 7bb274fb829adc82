//! Regular expressions of scripts. Compiling one takes longer than what most are for, and
//! modules bring the same ones to every plan: a thread keeps what it has compiled.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

/// How many are kept.
const KEPT: usize = 1024;

thread_local! {
    static KNOWN: RefCell<HashMap<String, Regex>> = RefCell::default();
}

/// The pattern, compiled.
///
/// # Errors
/// What is wrong with it.
pub fn compiled(pattern: &str) -> Result<Regex, regex::Error> {
    KNOWN.with_borrow_mut(|known| {
        if let Some(regex) = known.get(pattern) {
            return Ok(regex.clone());
        }
        let regex = Regex::new(pattern)?;
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    })
}
