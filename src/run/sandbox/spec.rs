//! What the processes of a sandbox tell each other.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

use crate::plan::Bind;

/// What a program may see beside the host's own system, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub path: PathBuf,
    pub access: GrantAccess,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrantAccess {
    /// Its files are read; what belongs to root on disk belongs to root inside.
    Read,
    /// The same, and written to.
    Write,
    /// A tree whose files belong to the namespace's IDs already, with all that is mounted in it.
    Root,
}

/// What the first process is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The file that gets an [`Outcome`].
    pub outcome: PathBuf,
    pub place: Place,
}

/// Where a program runs.
#[derive(Debug, Serialize, Deserialize)]
pub enum Place {
    /// On the host, as root.
    Free,
    Held(Held),
    /// In a root, and the user namespace of this path.
    Container(Container, PathBuf),
}

/// How a program is held.
#[derive(Debug, Serialize, Deserialize)]
pub struct Held {
    /// The user namespace.
    pub ids: PathBuf,
    pub grants: Vec<Grant>,
    /// Where the host's name resolution is, and what it says, if that is no part of /etc.
    pub resolver: Option<(PathBuf, String)>,
    /// Where the program starts.
    pub dir: PathBuf,
}

/// A root that a program is in, and how: as systemd-nspawn would have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Where the root is mounted.
    pub root: PathBuf,
    pub network: bool,
    /// By name or number; root where it is missing.
    pub user: Option<String>,
    /// `/` where it is missing.
    pub cwd: Option<String>,
    pub binds: Vec<Bind>,
    /// Names of the variables that the program is given.
    pub env: Vec<String>,
    /// Whether the program has the caller's terminal.
    pub terminal: bool,
}

/// What the init of the PID namespace is told.
#[derive(Debug, Serialize, Deserialize)]
pub enum InitSpec {
    /// The program may do what the init may.
    Free,
    /// The view is made, and the user namespace entered.
    Held,
    /// Neither is; the path is that of the user namespace.
    Container(Container, PathBuf),
}

/// What becomes of the program.
#[derive(Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// The namespaces or the view could not be made.
    NotHeld(String),
    /// The program could not be started: errno(3), or why.
    NotStarted(Option<i32>, String),
    Ended {
        /// As wait(2) has it.
        status: i32,
        /// Command lines of the processes that it left running, which were killed.
        left: Vec<String>,
    },
}

impl Outcome {
    /// Writes it to `to`; returns the status to end with.
    pub fn write(&self, to: &mut impl Write) -> ExitCode {
        let written = serde_json::to_vec(self).map(|said| to.write_all(&said));
        match written {
            Ok(Ok(())) => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}
