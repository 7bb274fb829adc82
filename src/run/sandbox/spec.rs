//! What the processes of a sandbox tell each other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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
    /// `None` for a program that is root on the host.
    pub held: Option<Held>,
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
