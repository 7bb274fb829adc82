//! The operation that runs a command: where, what, with what, and how it is judged.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::command::quote_all;
use super::{Argument, Resolve, Text, Unresolved};

/// A command, and all that it runs with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    pub place: RunPlace,
    pub command: Command,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Text>,
    /// A user of the root; root where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The working directory inside the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Whether the host's network and its name resolution are there; always so on the host.
    pub network: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binds: Vec<Bind>,
    /// Folders of package managers whose downloads are kept for other builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downloads: Vec<Downloads>,
    #[serde(default, skip_serializing_if = "Verdict::is_default")]
    pub verdict: Verdict,
}

/// Where a command runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunPlace {
    /// A command of the host, which works on the root from outside.
    Host,
    /// Inside the root, in systemd-nspawn.
    #[default]
    Root,
    /// Inside the root while its own init runs. systemd runs the command as a unit, and shuts
    /// the system down when it has ended. Journal, machine id and units are the boot's own and
    /// not kept; timers do not start, nor is fstab(5) mounted.
    BootedRoot {
        /// Seconds from the start to the end of the shutdown.
        timeout: u64,
    },
}

impl RunPlace {
    pub fn is_host(self) -> bool {
        self == RunPlace::Host
    }

    /// The built-in that adds such a command to a plan.
    pub fn built_in(self) -> &'static str {
        match self {
            RunPlace::Host => "host_run",
            RunPlace::Root => "nspawn_run",
            RunPlace::BootedRoot { .. } => "nspawn_boot",
        }
    }
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A program, which gets the arguments as they are.
    Program(Vec<Argument>),
    Script(Script),
}

/// A script with its interpreter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Script {
    /// The interpreter and its flags, up to the one that the text follows: `/bin/sh -euc`.
    pub interpreter: Vec<String>,
    pub text: Argument,
    /// `$1` and what follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
    /// The host's programs that the script is made of: preflight looks for them, and their
    /// versions are part of the layer's key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
}

impl Script {
    /// The interpreter of a script that names none.
    pub const SHELL: [&str; 2] = ["/bin/sh", "-euc"];

    pub fn shell(text: impl Into<Argument>) -> Self {
        Script {
            interpreter: Script::SHELL.map(str::to_owned).to_vec(),
            text: text.into(),
            ..Script::default()
        }
    }
}

impl Default for Command {
    fn default() -> Self {
        Command::Program(Vec::new())
    }
}

impl Command {
    /// The whole command line.
    pub fn argv(&self) -> Vec<Argument> {
        match self {
            Command::Program(argv) => argv.clone(),
            Command::Script(script) => {
                let interpreter = script.interpreter.iter();
                let mut argv: Vec<Argument> = interpreter.map(Argument::from).collect();
                argv.push(script.text.clone());
                if !script.arguments.is_empty() {
                    // What the interpreter takes as the script's own name.
                    argv.push(Argument::from(self.program_name()));
                    argv.extend(script.arguments.iter().cloned());
                }
                argv
            }
        }
    }

    /// The command line as it is while a step runs.
    ///
    /// # Errors
    /// See [`Argument::resolve`].
    pub fn resolve(&self, with: &dyn Resolve) -> Result<Vec<String>, Unresolved> {
        self.argv().iter().map(|word| word.resolve(with)).collect()
    }

    /// The words as people read them; see [`Argument`]'s `Display`.
    pub fn words(&self) -> Vec<String> {
        self.argv().iter().map(ToString::to_string).collect()
    }

    /// The command line as people read it.
    pub fn shown(&self) -> String {
        quote_all(&self.words())
    }

    pub fn script(&self) -> Option<&Script> {
        match self {
            Command::Program(_) => None,
            Command::Script(script) => Some(script),
        }
    }

    /// The program that is started, without its folder.
    pub fn program_name(&self) -> String {
        let program = self.program();
        program.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// The program that is started.
    pub fn program(&self) -> String {
        match self {
            Command::Program(argv) => argv.first().map(ToString::to_string),
            Command::Script(script) => script.interpreter.first().cloned(),
        }
        .unwrap_or_default()
    }

    /// The programs that it is about: the one that is started, and those that its script says
    /// it is made of.
    pub fn programs(&self) -> Vec<String> {
        let own = self.script().map_or(&[][..], |script| &script.programs);
        std::iter::once(self.program())
            .filter(|program| !program.is_empty())
            .chain(own.iter().cloned())
            .collect()
    }

    pub fn arguments(&self) -> Box<dyn Iterator<Item = &Argument> + '_> {
        match self {
            Command::Program(argv) => Box::new(argv.iter()),
            Command::Script(script) => {
                Box::new(std::iter::once(&script.text).chain(&script.arguments))
            }
        }
    }
}

impl<S: Into<Argument>> FromIterator<S> for Command {
    fn from_iter<I: IntoIterator<Item = S>>(words: I) -> Self {
        Command::Program(words.into_iter().map(Into::into).collect())
    }
}

/// How a command is judged, for tools whose exit status does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Verdict {
    /// Regular expressions of Rust's regex crate: a line of output that one matches is a
    /// failure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fail_on: Vec<String>,
    /// … unless one of these matches it too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Why a failure of the command is no failure of the step; absent where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_failure: Option<String>,
}

impl Verdict {
    pub fn is_default(&self) -> bool {
        *self == Verdict::default()
    }

    /// Whether lines of output decide.
    pub fn reads_output(&self) -> bool {
        !self.fail_on.is_empty()
    }
}

/// A folder that a package manager downloads to. It is never part of the root. With `check`, new
/// files in it are kept for other builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Downloads {
    /// Which builds share: `deb`.
    pub pool: String,
    /// The folder, inside the root.
    pub path: String,
    /// How the names of finished downloads end: `.deb`.
    pub suffix: String,
    /// Who compares files of other builds with the signed index of the repository. Without it,
    /// the folder starts empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<DownloadCheck>,
}

impl Downloads {
    pub fn index(&self) -> Option<&Command> {
        match &self.check {
            Some(DownloadCheck::Index(command)) => Some(command),
            Some(DownloadCheck::Command) | None => None,
        }
    }
}

/// Who compares the digests of files that other builds have downloaded with the signed index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DownloadCheck {
    /// The build. This command prints a line `SHA256 NAME` for each file that the indexes of the
    /// root's repositories offer, and runs before the other one, in the same place. The folder
    /// starts with these files.
    Index(Command),
    /// The package manager, before it uses a file. The folder starts with all of the pool.
    Command,
}

/// A path of the host that is visible inside the root while the command runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bind {
    pub host: String,
    pub path: String,
    pub read_only: bool,
}

impl Run {
    /// A command in `place`, without a network.
    pub fn new(place: RunPlace, command: Command) -> Self {
        Run {
            place,
            command,
            ..Run::default()
        }
    }

    /// The commands that say which downloads of other builds it may use.
    pub fn indexes(&self) -> impl Iterator<Item = &Command> {
        self.downloads.iter().filter_map(Downloads::index)
    }

    /// Every text of it.
    pub fn texts(&self) -> impl Iterator<Item = &Text> {
        std::iter::once(&self.command)
            .chain(self.indexes())
            .flat_map(Command::arguments)
            .map(|argument| -> &Text { argument })
            .chain(self.env.values())
            .chain(&self.stdin)
    }
}
