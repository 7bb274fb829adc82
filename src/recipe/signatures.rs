//! The functions that scripts can call, as people read them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use rhai::Engine;

use super::builtins::{self, Access};
use super::disabled;
use super::signature::{Functions, Signature};
use super::source::ScriptKind;
use super::type_names::noun;

/// The names of Rhai's types that no recipe has values of.
const FOREIGN: &[&str] = &[
    "i8",
    "i16",
    "i32",
    "i128",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "f32",
    "Blob",
    "Range",
    "RangeInclusive",
    "ExclusiveRange",
    "InclusiveRange",
    "SharedModule",
];

/// The functions of every engine of a kind: asked of the first, since all have the same.
pub fn of(kind: ScriptKind, engine: &Engine) -> Functions {
    static RECIPES: OnceLock<Functions> = OnceLock::new();
    static TESTS: OnceLock<Functions> = OnceLock::new();
    let known = match kind {
        ScriptKind::Recipe => &RECIPES,
        ScriptKind::Test => &TESTS,
    };
    known.get_or_init(|| all(engine)).clone()
}

/// Every function that a script can call.
fn all(engine: &Engine) -> Functions {
    let mut natives: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut found: BTreeMap<String, Vec<Signature>> = BTreeMap::new();
    let functions = engine.collect_fn_metadata(
        None,
        |info| {
            let parameters = info.metadata.params_info.iter();
            let parameters = parameters.take(info.metadata.num_params);
            let kinds: Vec<String> = parameters.map(|parameter| kind(parameter)).collect();
            Some((
                info.metadata.name.to_string(),
                info.metadata.num_params,
                kinds,
            ))
        },
        true,
    );
    for (name, parameters, kinds) in functions {
        natives.entry(name.clone()).or_default().insert(parameters);
        let signature = Signature {
            text: format!("{name}({})", kinds.join(", ")),
            parameters: kinds.len(),
        };
        let foreign = kinds.iter().any(|kind| {
            let kind = kind.split('<').next().unwrap_or(kind);
            FOREIGN.contains(&kind)
        });
        let signatures = found.entry(name).or_default();
        if !foreign && !signatures.contains(&signature) {
            signatures.push(signature);
        }
    }
    for builtin in builtins::all() {
        natives.remove(builtin.name);
        let signature = Signature {
            text: builtin.signature(),
            parameters: builtin.params.len(),
        };
        found.insert(builtin.name.to_owned(), vec![signature]);
    }
    Functions {
        signatures: Arc::new(found),
        natives: Arc::new(natives),
    }
}

/// The type of `name: &mut Type`, in a word.
fn kind(parameter: &str) -> String {
    let kind = parameter
        .split_once(": ")
        .map_or(parameter, |(_, kind)| kind);
    noun(kind)
}

impl Functions {
    /// The names that a recipe may call.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let hidden = |name: &str| {
            let builtin = builtins::find(name);
            builtin.is_some_and(|builtin| builtin.access == Access::Stdlib)
                || disabled::is_disabled(name)
        };
        let names = self.signatures.keys().map(String::as_str);
        names
            .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter(move |name| !name.contains('$') && !hidden(name))
    }
}
