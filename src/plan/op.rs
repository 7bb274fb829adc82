//! The closed set of operations.
//!
//! An operation says what is to be true or run; how is the runner's business. Paths
//! called `path` are inside of the root: absolute, and resolved as the root would.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ExpectBoot, Export, Names, Part, Run, Text};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a plan has few, each once")]
pub enum Op {
    /// Run a command, on the host, in the root, or in the booted root.
    Run(Run),
    /// Make a file, or replace what it holds.
    WriteFile(WriteFile),
    /// Add to the end of a file; the file is made if it is not there.
    AppendFile(AppendFile),
    /// Replace what patterns match in a file that is there.
    EditFile(EditFile),
    /// Copy a file or a tree into the root.
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

    /// The command that it is, if it is one.
    pub fn run(&self) -> Option<&Run> {
        match self {
            Op::Run(run) => Some(run),
            _ => None,
        }
    }

    /// Adds what its texts and sources stand for.
    pub fn names(&self, names: &mut Names) {
        match self {
            Op::Run(run) => run.texts().for_each(|text| names.add(text)),
            Op::WriteFile(file) => names.add(&file.content),
            Op::AppendFile(file) => names.add(&file.content),
            Op::CopyIn(copy) => names.add(&Text::of(copy.source.part())),
            _ => {}
        }
    }
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
    pub source: Source,
    /// The path inside the root, of the copy itself.
    pub path: String,
    #[serde(flatten)]
    pub attributes: Attributes,
}

/// What is copied into a root, by what it holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A file or a tree of [`Plan::files`](super::Plan::files), by its digest. Symbolic links in
    /// a tree are copied as such.
    File(String),
    /// A file of [`Plan::downloads`](super::Plan::downloads), by its SHA-256.
    Download(String),
    /// A keyring of [`Plan::keyrings`](super::Plan::keyrings), by its name.
    Keyring(String),
}

impl Source {
    /// Its path, as a part of a text.
    pub fn part(&self) -> Part {
        match self {
            Source::File(digest) => Part::File(digest.clone()),
            Source::Download(sha256) => Part::Download(sha256.clone()),
            Source::Keyring(name) => Part::Keyring(name.clone()),
        }
    }
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
    /// Whether it may be absent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing_ok: bool,
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
