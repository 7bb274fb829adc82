//! The plan: what a recipe evaluates to, and all that running needs to know.
//!
//! A plan is plain data. Everything that will happen is in it: every command with its
//! arguments and environment, every file with its contents. Secrets are in it by name
//! only ([`Text`]).

pub mod address;
mod boot;
mod capability;
pub mod capture;
pub mod command;
pub mod digest;
mod export;
mod grant;
mod keyring;
mod layer;
mod op;
pub mod policy;
mod run;
mod secret;
mod server_text;
mod text;
pub mod tool;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use boot::{ExpectBoot, Via};
pub use capability::{Access, Capability, PathPurpose};
pub use capture::{Capture, CaptureRequest, Captured, CapturedOutput};
pub use export::*;
pub use grant::Grant;
pub use keyring::{KEYRINGS, KeyFile, Keyring, keyring_path};
pub use layer::{Circumstances, Key, Layer, LayerKey, keys, layers, short, top};
pub use op::*;
pub use run::{Bind, Command, DownloadCheck, Downloads, Run, RunPlace, Script, Verdict};
pub use secret::secret_variable;
pub use server_text::{ServerField, ServerPart, ServerText};
pub use text::{Argument, Names, Part, Resolve, Text, Unresolved};

use crate::diagnose::{Frame, Span};

/// The version of the plan's JSON; it changes when a reader of the old would misread.
pub const SCHEMA_VERSION: u32 = 3;

/// A root's place in [`Plan::roots`].
pub type RootId = usize;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The outputs of commands that the recipe went on with, in the order of their calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<CapturedOutput>,
    pub messages: Vec<Message>,
    /// What the host must have before the first step runs.
    pub needs: Vec<Need>,
    /// What can be found out before the first step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Where packages come from; steps name them by their place in this list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<Repository>,
    /// The keys that packages are checked with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keyrings: Vec<Keyring>,
    /// The files of the recipe's repository and its libraries that steps and keyrings read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<InputFile>,
    /// The files that are fetched from the network by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downloads: Vec<Download>,
    /// Everything that the plan does beyond changing its own roots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Capability>,
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

/// A value as `-o` takes it: the items of a list with commas between them.
pub fn option_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(option_text).collect();
            items.join(",")
        }
        other => other.to_string(),
    }
}

/// Something outside the scripts that the evaluation looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Input {
    /// A file of the host, with its blake3 digest; no digest where there is no such file.
    HostFile {
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    HostArchitecture {
        name: String,
    },
    /// A setting of `rootwright.toml`.
    Setting {
        distro: String,
        key: String,
        value: String,
    },
    /// A file of the recipe's repository, with its blake3 digest.
    File {
        path: String,
        digest: String,
    },
    /// The commit of the recipe's repository; absent where it is none of git.
    GitCommit {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
    },
    /// SOURCE_DATE_EPOCH.
    SourceDate {
        seconds: String,
    },
}

impl Input {
    /// What it is, for people, without its value.
    pub fn name(&self) -> String {
        match self {
            Input::HostFile { path, .. } => format!("host file {path}"),
            Input::HostArchitecture { .. } => "host architecture".to_owned(),
            Input::Setting { distro, key, .. } => format!("setting {distro}.{key}"),
            Input::File { path, .. } => format!("file {path}"),
            Input::GitCommit { .. } => "git revision".to_owned(),
            Input::SourceDate { .. } => "SOURCE_DATE_EPOCH".to_owned(),
        }
    }

    /// Its value, or its digest.
    pub fn value(&self) -> &str {
        let value = match self {
            Input::HostFile { digest, .. } => digest.as_ref(),
            Input::GitCommit { commit } => commit.as_ref(),
            Input::File { digest, .. } => Some(digest),
            Input::HostArchitecture { name: value }
            | Input::Setting { value, .. }
            | Input::SourceDate { seconds: value } => Some(value),
        };
        value.map_or("absent", String::as_str)
    }
}

/// A file or a tree that the plan reads when it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputFile {
    /// blake3 over names, kinds, modes and contents; see [`digest::digest_tree`].
    pub digest: String,
    /// Where it was when the plan was made.
    pub path: String,
    /// As people name it: one of a library is the same wherever its copy is.
    pub name: String,
}

/// A file of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Download {
    /// 64 hexadecimal digits in lower case; the file is refused if its digest is another one.
    pub sha256: String,
    pub url: String,
    pub calls: Vec<Frame>,
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
    /// What `rootwright.toml` grants it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
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
    pub command: Command,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Argument>,
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

/// A package repository, and the file in it that says what state it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repository {
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
    /// Folders of the host that packages are installed from; commands that say so see them
    /// inside the root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub package_sources: Vec<String>,
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// The repositories that the step takes packages from, as places in
    /// [`Plan::repositories`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<usize>,
    /// Keyrings, files, downloads and secrets that its operations use.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub uses: Names,
    /// What it does beyond changing its root, as places in [`Plan::capabilities`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<usize>,
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
    pub only_if: Option<Command>,
    /// From the step's own call inwards; empty where that is the place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Frame>,
}

impl From<Op> for Action {
    fn from(op: Op) -> Self {
        Action {
            op,
            about: None,
            only_if: None,
            calls: Vec::new(),
        }
    }
}

impl Step {
    /// What it is for people, or its built-in where nothing says more.
    pub fn title(&self) -> &str {
        match self.label.as_str() {
            "" => &self.call,
            label => label,
        }
    }

    /// The exports that it writes.
    pub fn exports(&self) -> impl Iterator<Item = &Export> {
        self.actions.iter().filter_map(|action| match &action.op {
            Op::Export(export) => Some(export),
            _ => None,
        })
    }

    /// The boots of exports that it carries out.
    pub fn boots(&self) -> impl Iterator<Item = &ExpectBoot> {
        self.actions.iter().filter_map(|action| match &action.op {
            Op::ExpectBoot(expect) => Some(expect),
            _ => None,
        })
    }

    /// The name of the file that its commands' output goes to.
    pub fn log_name(&self) -> String {
        format!("{:02}-{}.log", self.number, self.call)
    }

    /// Notes what its operations use.
    pub fn note_uses(&mut self) {
        let mut uses = Names::default();
        for action in &self.actions {
            action.op.names(&mut uses);
        }
        self.uses = uses;
    }
}

impl Plan {
    pub fn root(&self, id: RootId) -> Option<&Root> {
        self.roots.iter().find(|root| root.id == id)
    }

    pub fn file(&self, digest: &str) -> Option<&InputFile> {
        self.files.iter().find(|file| file.digest == digest)
    }

    pub fn download(&self, sha256: &str) -> Option<&Download> {
        self.downloads.iter().find(|file| file.sha256 == sha256)
    }

    pub fn keyring(&self, name: &str) -> Option<&Keyring> {
        self.keyrings.iter().find(|keyring| keyring.name == name)
    }

    /// The step that writes an export, and the export.
    pub fn export(&self, name: &str) -> Option<(&Step, &Export)> {
        let mut exports = self.exports();
        exports.find(|(_, export)| export.name == name)
    }

    /// Every export, with the step that writes it.
    pub fn exports(&self) -> impl Iterator<Item = (&Step, &Export)> {
        let of = |step| Step::exports(step).map(move |export| (step, export));
        self.steps.iter().flat_map(of)
    }

    /// Every boot of an export.
    pub fn boots(&self) -> impl Iterator<Item = &ExpectBoot> {
        self.steps.iter().flat_map(Step::boots)
    }

    pub fn step(&self, number: usize) -> Option<&Step> {
        self.steps.iter().find(|step| step.number == number)
    }

    /// The steps with these numbers.
    pub fn numbered<'a>(&'a self, numbers: &'a [usize]) -> impl Iterator<Item = &'a Step> {
        numbers.iter().filter_map(|number| self.step(*number))
    }
}
