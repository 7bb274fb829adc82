//! Values of scripts as what they mean in a plan.

use rhai::{Array, Dynamic, Map};

use super::builtins::{CommandValue, Typed, is_marked, one_root, unmark};
use crate::plan::{Argument, Command, RootId, Script, Text};

pub use super::call::{Call, Result};
pub use super::fields::Fields;

/// Whether a text is a name: of letters, digits, and the other characters that are allowed.
pub fn is_name(text: &str, others: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    !text.is_empty() && text.chars().all(allowed)
}

/// A string without a secret in it.
pub fn as_plain(value: &Dynamic) -> Option<String> {
    let text = value.clone().into_string().ok()?;
    (!is_marked(&text)).then_some(text)
}

/// A text, and the root whose path is in it.
pub fn as_typed(value: &Dynamic) -> Option<Typed> {
    match value.clone().try_cast::<Typed>() {
        Some(typed) => Some(typed),
        None => value.clone().into_string().ok().map(|text| unmark(&text)),
    }
}

pub fn as_text(value: &Dynamic) -> Option<Text> {
    as_typed(value).map(|typed| typed.text)
}

pub fn as_argument(value: &Dynamic) -> Option<Argument> {
    Argument::new(as_text(value)?)
}

/// The root whose path is in a value, at any depth; see [`one_root`].
pub fn root_in(value: &Dynamic) -> Option<RootId> {
    if let Some(typed) = as_typed(value) {
        return typed.root;
    }
    if let Some(command) = value.clone().try_cast::<CommandValue>() {
        return command.root;
    }
    match (value.read_lock::<Array>(), value.read_lock::<Map>()) {
        (Some(array), _) => array.iter().filter_map(root_in).reduce(one_root),
        (_, Some(map)) => map.values().filter_map(root_in).reduce(one_root),
        _ => None,
    }
}

pub fn as_strings(value: &Dynamic) -> Option<Vec<String>> {
    if value.is_string() {
        return Some(vec![as_plain(value)?]);
    }
    let array = value.clone().into_array().ok()?;
    array.iter().map(as_plain).collect()
}

/// Whether a value is a text with a part that stands for something else; a secret if it is one.
pub fn holds_part(value: &Dynamic) -> bool {
    as_typed(value).is_some_and(|typed| typed.text.plain().is_none())
}

pub fn holds_secret(value: &Dynamic) -> bool {
    as_typed(value).is_some_and(|typed| typed.text.secrets().next().is_some())
}

/// What names are given as.
pub const STRINGS: &str = "an array of strings";
/// What a command is given as.
pub const COMMAND: &str = "an array of strings or a script";

/// Whether each item of what is wanted is a string.
pub fn is_of_strings(wanted: &str) -> bool {
    [STRINGS, COMMAND].contains(&wanted)
}

/// A command: an array of words, a text for `/bin/sh`, or what `script` returns.
pub fn as_command(value: &Dynamic) -> Option<Command> {
    if let Some(command) = value.clone().try_cast::<CommandValue>() {
        return Some(command.command);
    }
    match value.clone().into_array() {
        Ok(words) => Some(Command::Program(
            words.iter().map(as_argument).collect::<Option<_>>()?,
        )),
        Err(_) => Some(Command::Script(Script::shell(as_argument(value)?))),
    }
}

pub fn as_mode(value: &Dynamic) -> Option<u32> {
    let bits = match value.as_int() {
        Ok(number) => u32::try_from(number).ok()?,
        Err(_) => u32::from_str_radix(&value.clone().into_string().ok()?, 8).ok()?,
    };
    (bits <= 0o7777).then_some(bits)
}
