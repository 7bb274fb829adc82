//! The closed set of operations.
//!
//! An operation says what is to be true or run; how is the runner's business. Paths
//! called `path` are inside of the root: absolute, and resolved as the root would.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExpectBoot, Export, Text};

/// In an argument or an environment value of [`HostRun`]: where the root is mounted.
pub const ROOT_PLACEHOLDER: &str = "$ROOT";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// Run a command of the host.
    HostRun(HostRun),
    /// Run a command inside of the root, in systemd-nspawn.
    NspawnRun(NspawnRun),
    /// Boot the root's own init in a container, and run a command once the system is up.
    NspawnBoot(NspawnBoot),
    /// Make a file, or replace what it holds.
    WriteFile(WriteFile),
    /// Add to the end of a file; the file is made if it is not there.
    AppendFile(AppendFile),
    /// Replace what patterns match in a file that is there.
    EditFile(EditFile),
    /// Copy a file or a tree of the recipe's repository into the root.
    CopyIn(CopyIn),
    /// Make a directory and its parents.
    MakeDir(MakeDir),
    /// Make a symbolic link; a link or a file that is there is replaced.
    Symlink(Symlink),
    /// Remove files or trees.
    RemovePath(RemovePath),
    /// Rename inside of the root.
    MovePath(MovePath),
    SetMode(SetMode),
    SetOwner(SetOwner),
    /// Fail, saying all that is missing, unless the root has these files.
    RequirePaths(RequirePaths),
    /// Get a file from the network into the store, by its digest.
    Fetch(Fetch),
    /// Write an artifact.
    Export(Export),
    /// Boot an artifact that was written, and fail unless the node comes up.
    ExpectBoot(ExpectBoot),
}

impl Op {
    /// Whether it changes the root that its step is of; the others read what was made.
    pub fn changes_root(&self) -> bool {
        !matches!(self, Op::Export(_) | Op::ExpectBoot(_))
    }
}

/// Lines of a command's output that decide whether it succeeded, for tools whose exit
/// status does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OutputScan {
    /// Regular expressions, common to Rust's regex and `grep -E`: a line that one
    /// matches is a failure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fail_on: Vec<String>,
    /// … unless one of these matches it too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
}

impl HostRun {
    /// The programs of the host that it is about.
    pub fn programs(&self) -> impl Iterator<Item = &String> {
        self.argv.first().into_iter().chain(&self.tools)
    }
}

impl OutputScan {
    pub fn is_empty(&self) -> bool {
        self.fail_on.is_empty() && self.ignore.is_empty()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostRun {
    /// The program and its arguments; [`ROOT_PLACEHOLDER`] stands for the root's mount point.
    pub argv: Vec<String>,
    /// Programs that a script in `argv` runs, as far as it is made of them: they are looked for
    /// before a build, and their versions decide what comes out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Text>,
    /// Where downloads are found again, and kept for other builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downloads: Vec<Downloads>,
    #[serde(default, skip_serializing_if = "OutputScan::is_empty")]
    pub scan: OutputScan,
    /// Why a failure of the command is no failure of the step; absent where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_failure: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NspawnRun {
    pub argv: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Text>,
    /// A user of the root; root where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Whether the host's network and its name resolution are there.
    pub network: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binds: Vec<Bind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<Text>,
    /// Where downloads are found again, and kept for other builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub downloads: Vec<Downloads>,
    #[serde(default, skip_serializing_if = "OutputScan::is_empty")]
    pub scan: OutputScan,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_failure: Option<String>,
}

/// A command that needs the root's system running. In the container systemd runs it as a
/// unit, and shuts the system down when it has ended. Journal, machine id and units are
/// the boot's own and not kept; timers do not start, nor is fstab(5) mounted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NspawnBoot {
    #[serde(flatten)]
    pub run: NspawnRun,
    /// Seconds from the start to the end of the shut-down.
    pub timeout: u64,
}

/// A folder that a package manager downloads to. While the command runs it holds what
/// other builds have downloaded; what is new in it is kept. It is never part of the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Downloads {
    /// Which builds share: `debian`.
    pub pool: String,
    /// The folder, inside of the root.
    pub path: String,
    /// How the names of finished downloads end: `.deb`.
    pub suffix: String,
}

/// A path of the host, seen inside while the command runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bind {
    pub host: String,
    pub path: String,
    pub read_only: bool,
}

/// Owner and mode of what an operation makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attributes {
    /// Permission bits, such as 0o644; the operation's default where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// A name that the root's passwd(5) knows, or a number; root where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A name that the root's group(5) knows, or a number; root where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Parent directories that are missing are made, with mode 0755. Mode 0644 by default; a
/// file that is there keeps its own mode and owner unless told otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WriteFile {
    pub path: String,
    pub content: Text,
    #[serde(flatten)]
    pub attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppendFile {
    pub path: String,
    pub content: Text,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EditFile {
    pub path: String,
    pub edits: Vec<Edit>,
}

/// Every match is replaced; that nothing matches is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// A regular expression; `^` and `$` match at every line.
    pub pattern: String,
    /// May name groups: `$1`, `${name}`.
    pub replacement: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CopyIn {
    /// A file or a directory of the host. Symlinks in a tree are copied as such.
    pub source: String,
    /// The path inside of the root, of the copy itself.
    pub path: String,
    /// blake3 over names, kinds, modes and contents, taken when the plan was made.
    pub digest: String,
    #[serde(flatten)]
    pub attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MakeDir {
    pub path: String,
    #[serde(flatten)]
    pub attributes: Attributes,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Symlink {
    pub path: String,
    pub target: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RemovePath {
    /// May hold the wildcards `*`, `?` and `[…]`, within one path component each.
    pub path: String,
    /// Whether it may be absent; a wildcard may always match nothing.
    pub missing_ok: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MovePath {
    pub from: String,
    pub to: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetMode {
    pub path: String,
    pub mode: u32,
    pub recursive: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetOwner {
    pub path: String,
    pub owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    pub recursive: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequirePaths {
    /// What the files are needed for: `an initramfs with an NFS root`.
    pub purpose: String,
    pub paths: Vec<RequiredPath>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequiredPath {
    /// One of these has to be there; wildcards are allowed.
    pub any_of: Vec<String>,
    /// The package that brings it.
    pub package: String,
    /// What it is needed for.
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fetch {
    pub url: String,
    /// 64 hexadecimal digits; the file is refused when it has another digest.
    pub sha256: String,
    /// Where in the root the file goes.
    pub path: String,
    #[serde(flatten)]
    pub attributes: Attributes,
}
