//! The functions that scripts can call, as people read them.

use std::sync::OnceLock;

use rhai::{Engine, FuncInfo, Identifier};

use super::builtins::{self, Access};
use super::disabled;
use super::source::ScriptKind;
use super::type_names::noun;

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
struct Native {
    name: Identifier,
    count: usize,
    /// Each as `name: &mut Type`, where the engine knows more than the number.
    parameters: Vec<Identifier>,
}

/// The functions of an engine, sorted by name; built-ins are not among them.
pub struct Functions(Vec<Native>);

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

fn known(kind: ScriptKind) -> &'static OnceLock<Functions> {
    static RECIPES: OnceLock<Functions> = OnceLock::new();
    static TESTS: OnceLock<Functions> = OnceLock::new();
    match kind {
        ScriptKind::Recipe => &RECIPES,
        ScriptKind::Test => &TESTS,
    }
}

/// Asks an engine for its functions: the first of a kind, since all have the same.
pub fn learn(kind: ScriptKind, engine: &Engine) {
    known(kind).get_or_init(|| all(engine));
}

/// The functions of every engine of a kind; none before there is one.
pub fn of(kind: ScriptKind) -> &'static Functions {
    static NONE: Functions = Functions(Vec::new());
    known(kind).get().unwrap_or(&NONE)
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
    Functions(natives)
}

/// The type of `name: &mut Type`, in a word.
fn kind(parameter: &str) -> &str {
    noun(
        parameter
            .split_once(": ")
            .map_or(parameter, |(_, kind)| kind),
    )
}

impl Functions {
    fn named(&self, name: &str) -> &[Native] {
        let start = self.0.partition_point(|native| *native.name < *name);
        let rest = self.0.get(start..).unwrap_or_default();
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
            let kinds: Vec<&str> = parameters.map(|parameter| kind(parameter)).collect();
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
        let natives = self.0.iter().map(|native| native.name.as_str());
        natives
            .chain(builtins::all().iter().map(|builtin| builtin.name))
            .filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter(move |name| !name.contains('$') && !hidden(name))
    }
}
