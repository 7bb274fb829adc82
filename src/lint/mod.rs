//! What breaks in a root that many machines share: lints, which are data, and what
//! evaluates them.
//!
//! A lint stands in a table of the stdlib (`stdlib/lint/`) with its name, reason, severity
//! and cure; its checks are conditions over files, units, kernels and the contents of an
//! initramfs. Nothing of the root is run, and no path leads out of it.

mod cpio;
mod error;
mod files;
mod initramfs;
mod inspect;
mod kernel;
mod markdown;
mod table;
mod walk;

use std::path::PathBuf;

pub use crate::diagnose::Severity;
pub use error::Error;
pub use initramfs::Initramfs;
pub use inspect::check;
pub use markdown::markdown;
pub use table::{Lint, Table};

use crate::plan::{Allowed, Transport};

/// The root that is looked at.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The directory of the host that is the root.
    pub root: PathBuf,
    /// The kernel's image that nodes boot, where it does not lie in the root.
    pub kernel: Option<PathBuf>,
    /// The initramfs that nodes boot, likewise.
    pub initramfs: Option<PathBuf>,
    /// The kernel command line that nodes boot with, where it is known.
    pub cmdline: Option<String>,
    /// How nodes get at the root.
    pub transports: Vec<Transport>,
    /// Patterns, as an export has them, of what is not in the root that nodes get.
    pub exclude: Vec<String>,
    /// What the recipe allows.
    pub allowed: Vec<Allowed>,
}

/// One thing that is wrong in a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The lint's name.
    pub lint: String,
    pub severity: Severity,
    /// One line, lower case, no full stop.
    pub message: String,
    /// Inside of the root, or of the initramfs; empty where it is about no file.
    pub path: String,
    /// What comes of it.
    pub reason: String,
    /// The call that cures it.
    pub cure: String,
    /// Why the recipe allows it.
    pub allowed: Option<String>,
}
