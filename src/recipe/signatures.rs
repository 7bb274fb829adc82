//! The functions that scripts can call, as people read them.

use std::sync::{Arc, OnceLock};

use rhai::{Engine, FuncInfo};

use super::builtins::{self, Access};
use super::disabled;
use super::signature::{Functions, Native, Signature};
use super::source::ScriptKind;
use super::type_names::noun;

/// The names of Rhai's types that no recipe has values of.
const FOREIGN: &[&str] = &[
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

/// Every function of the engine.
fn all(engine: &Engine) -> Functions {
    let native = |info: FuncInfo<'_>| {
        let metadata = info.metadata;
        let parameters = metadata.params_info.iter().take(metadata.num_params);
        Some(Native {
            name: metadata.name.clone(),
            count: metadata.num_params,
            parameters: parameters.cloned().collect(),
        })
    };
    let mut natives = engine.collect_fn_metadata(None, native, true);
    natives.sort_by(|a, b| a.name.cmp(&b.name));
    Functions {
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
    fn named(&self, name: &str) -> &[Native] {
        let start = self.natives.partition_point(|native| *native.name < *name);
        let rest = self.natives.get(start..).unwrap_or_default();
        let end = rest.partition_point(|native| native.name == name);
        rest.get(..end).unwrap_or_default()
    }

    /// Whether the engine itself has a function of that name with so many parameters.
    pub fn is_native(&self, name: &str, parameters: usize) -> bool {
        let mut named = self.named(name).iter();
        named.any(|native| native.count == parameters) && builtins::find(name).is_none()
    }

    /// How a function can be called, built-ins too, with what recipes have values of.
    pub fn signatures(&self, name: &str) -> Vec<Signature> {
        if let Some(builtin) = builtins::find(name) {
            return vec![Signature {
                text: builtin.signature(),
                parameters: builtin.params.len(),
            }];
        }
        let mut found = Vec::new();
        for native in self.named(name) {
            let parameters = native.parameters.iter();
            let kinds: Vec<String> = parameters.map(|parameter| kind(parameter)).collect();
            let foreign = kinds.iter().any(|kind| {
                let kind = kind.split('<').next().unwrap_or(kind);
                FOREIGN.contains(&kind)
            });
            let signature = Signature {
                text: format!("{name}({})", kinds.join(", ")),
                parameters: kinds.len(),
            };
            if !foreign && !found.contains(&signature) {
                found.push(signature);
            }
        }
        found
    }

    /// The names that a recipe may call.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let hidden = |name: &str| {
            let builtin = builtins::find(name);
            builtin.is_some_and(|builtin| builtin.access == Access::Stdlib)
                || disabled::is_disabled(name)
        };
        let natives = self.natives.iter().map(|native| native.name.as_str());
        natives
            .chain(builtins::all().iter().map(|builtin| builtin.name))
            .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter(move |name| !name.contains('$') && !hidden(name))
    }
}
