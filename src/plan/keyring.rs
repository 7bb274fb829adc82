//! Keys that packages are signed with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Command, RootId};
use crate::diagnose::Frame;

/// Where commands of the host find keyrings while a plan runs: a folder of the private mount
/// namespace, so that no host has it otherwise.
pub const KEYRINGS: &str = "/run/systemd/nspawn/keyrings";

/// A file of OpenPGP keys that is made before the first command that names it. It holds the
/// keys with these fingerprints and no others, wherever they are from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keyring {
    pub root: RootId,
    /// The file's name in [`KEYRINGS`]. It depends on the keys, so that another set of keys makes
    /// another layer.
    pub name: String,
    /// What is signed with the keys: `the packages of debian bookworm`.
    pub about: String,
    /// Fingerprints of primary keys, 40 or 64 hexadecimal digits in upper case: all of them
    /// have to be found, and no other key is taken. Empty where the recipe gives a file of its
    /// own without saying what is in it.
    pub fingerprints: Vec<String>,
    /// Files that may hold the keys, in the order in which they are looked at.
    pub files: Vec<KeyFile>,
    /// Commands of the host, for keys that no file holds: each leaves files in the empty folder
    /// that it is run in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetch: Vec<Command>,
    /// Whether the file is ASCII-armoured, for tools that read no other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub armor: bool,
    /// The package that brings one of the files, by family of the host.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, String>,
    pub calls: Vec<Frame>,
}

/// A file that may hold keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyFile {
    /// A path of the host.
    Host(String),
    /// A file of [`Plan::files`](super::Plan::files), by its digest.
    File(String),
}

impl Keyring {
    /// Where commands of the host find it.
    pub fn path(&self) -> String {
        keyring_path(&self.name)
    }
}

/// Where commands of the host find a keyring, by its name.
pub fn keyring_path(name: &str) -> String {
    format!("{KEYRINGS}/{name}")
}
