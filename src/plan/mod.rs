//! The plan: what a recipe evaluates to, and all that running needs to know.
//!
//! A plan is plain data. Everything that will happen is in it: every command with its
//! arguments and environment, every file with its contents. Secrets are in it by name
//! only ([`Text`]).

mod boot;
pub mod capture;
pub mod command;
pub mod digest;
mod export;
pub mod image;
mod keyring;
mod layer;
mod op;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use boot::{ExpectBoot, Via};
pub use capture::{Capture, CaptureRequest, Captured};
pub use export::*;
pub use keyring::{KEYRINGS, Keyring, Unsigned};
pub use layer::{Circumstances, Key, Layer, LayerKey, keys, layers, top};
pub use op::*;
pub use text::{Part, Text};

use crate::diagnose::{Frame, Span};

/// The version of the plan's JSON; it changes when a reader of the old would misread.
pub const SCHEMA_VERSION: u32 = 2;

/// A root's place in [`Plan::roots`].
pub type RootId = usize;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// See [`SCHEMA_VERSION`].
    pub schema: u32,
    /// The version of rootwright that made the plan.
    pub rootwright: String,
    pub recipe: Recipe,
    pub options: Vec<OptionValue>,
    /// The libraries whose modules take part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<LibraryUse>,
    /// What the evaluation looked at beside the scripts: facts of the host and settings.
    pub inputs: Vec<Input>,
    /// What was decided or taken for granted where the recipe does not say.
    pub assumptions: Vec<Assumption>,
    pub messages: Vec<Message>,
    /// What the host must have before the first step runs.
    pub needs: Vec<Need>,
    /// What can be found out before the first step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Where packages come from; steps name them by their place in this list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<Archive>,
    /// The keys that packages are checked with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keyrings: Vec<Keyring>,
    /// What is installed unchecked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsigned: Vec<Unsigned>,
    pub roots: Vec<Root>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recipe {
    /// The path as it was given on the command line.
    pub path: String,
    /// The first line of the `//!` comment.
    pub title: String,
    /// The rest of the `//!` comment.
    pub description: String,
}

/// An option that the recipe declares, with the value that this plan has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OptionValue {
    pub name: String,
    pub value: serde_json::Value,
    /// Whether the value was given, or is the default.
    pub given: bool,
    pub help: String,
    /// Where the default comes from, if it is not the recipe's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<serde_json::Value>,
}

/// Something outside of the scripts that the plan depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// `host file /etc/hostname`, `host architecture`, `site distro.x.mirror`, `file lib/motd`.
    pub name: String,
    /// The value, or for a file its blake3 digest (`absent` where there is none).
    pub value: String,
}

/// A library whose modules take part in the recipe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LibraryUse {
    /// As imports name it, without the `@`.
    pub name: String,
    /// Where it comes from.
    pub git: String,
    /// The tag or branch that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub commit: String,
    /// Of its files, blake3.
    pub digest: String,
    /// What `rootwright.toml` lets it do: `host_run`, `unsigned`, `secret`, `secret:NAME`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// The grants that it makes use of, and where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
}

/// A use that a library makes of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    pub grant: String,
    /// The recipe's call first, the library's last.
    pub calls: Vec<Frame>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assumption {
    /// What was decided: `mirror`.
    pub what: String,
    pub value: String,
    /// Where it comes from: `the host's package sources`.
    pub from: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    pub level: MessageLevel,
    pub text: String,
    pub calls: Vec<Frame>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageLevel {
    Log,
    Warn,
}

/// Something that can be found out before the first step, by a command of the host that
/// changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    pub root: RootId,
    /// What is looked at: `the archives of debian bookworm`.
    pub about: String,
    pub argv: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Paths inside of the root: what stands below them decides where names come from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Names that have to be there, such as packages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<Want>,
    pub calls: Vec<Frame>,
}

/// A name, and the call that asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Want {
    pub name: String,
    pub calls: Vec<Frame>,
    /// Where the name stands in the script, if it stands there as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub literal: Option<Span>,
    /// An earlier step that may have added other sources: a command of the recipe, or a
    /// file below one of the check's `sources`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
}

/// A package archive, and the file in it that says what state it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    pub root: RootId,
    /// As people know it: `bookworm-security`.
    pub name: String,
    pub url: String,
    /// A regular expression for the lines of the file that decide what packages there
    /// are; lines that it does not match change more often than the packages.
    pub state: String,
    /// A regular expression whose first group is the archive's date: RFC 2822, or seconds
    /// since 1970.
    pub date: String,
    /// The proxy through which it is asked; the host's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

/// A host tool or a host file without which the plan cannot run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    pub kind: NeedKind,
    /// A program's name, or a path.
    pub name: String,
    /// What it is needed for, in a few words.
    pub why: String,
    /// The package that brings it, by family of the host (`debian`, `fedora`, …).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, String>,
    pub calls: Vec<Frame>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeedKind {
    Tool,
    File,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Root {
    pub id: RootId,
    pub name: String,
    pub distro: String,
    pub release: String,
    /// The distro's own name of the architecture.
    pub arch: String,
    /// The kernel's name of it, where the distro's module says: `x86_64`, `aarch64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The root that this one was forked from, and after which of its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// What lints may find in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Allowed>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Base {
    pub root: RootId,
    /// The number of the last step of the base that belongs to the fork.
    pub after_step: usize,
}

/// A finding of a lint that the recipe allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allowed {
    /// The lint's name.
    pub lint: String,
    /// A pattern of the paths that it is allowed for; all of them where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub reason: String,
    pub calls: Vec<Frame>,
}

/// One call of a built-in in the recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Counted from 1 over the whole plan.
    pub number: usize,
    /// The root that the step belongs to; `fetch` has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootId>,
    /// The built-in: `install`.
    pub call: String,
    /// What the step is, for people: `install openssh-server, locales`.
    pub label: String,
    /// The call in the recipe, then the calls from there to the built-in.
    pub calls: Vec<Frame>,
    /// The archives that the step takes packages from, as places in [`Plan::archives`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archives: Vec<usize>,
    pub actions: Vec<Action>,
}

/// One operation of a step, and where in the scripts it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    pub op: Op,
    /// Why, in a few words; the author's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// A command that is run in the root first: the operation is left out unless it
    /// ends with status 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_if: Option<Vec<String>>,
    /// From the step's own call inwards; empty where that is the place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Frame>,
}

impl Plan {
    pub fn root(&self, id: RootId) -> Option<&Root> {
        self.roots.iter().find(|root| root.id == id)
    }

    /// The step that writes an export, and the export.
    pub fn export(&self, name: &str) -> Option<(&Step, &Export)> {
        self.steps.iter().find_map(|step| {
            let mut actions = step.actions.iter();
            let export = actions.find_map(|action| match &action.op {
                Op::Export(export) if export.name == name => Some(export),
                _ => None,
            });
            Some((step, export?))
        })
    }

    pub fn step(&self, number: usize) -> Option<&Step> {
        self.steps.iter().find(|step| step.number == number)
    }

    /// The steps that make one root, in order, those of its bases included.
    pub fn steps_of(&self, root: RootId) -> Vec<&Step> {
        let mut lineage = vec![(root, usize::MAX)];
        let mut at = root;
        while let Some(base) = self.root(at).and_then(|root| root.base.as_ref()) {
            // A base has a smaller number than its forks, so this ends.
            if base.root >= at {
                break;
            }
            let limit = lineage
                .last()
                .map_or(usize::MAX, |(_, limit)| *limit)
                .min(base.after_step);
            lineage.push((base.root, limit));
            at = base.root;
        }
        self.steps
            .iter()
            .filter(|step| {
                lineage
                    .iter()
                    .any(|(id, limit)| step.root == Some(*id) && step.number <= *limit)
            })
            .collect()
    }
}
