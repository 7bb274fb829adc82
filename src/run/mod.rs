//! Runs plans. Knows no scripts.

pub mod background;
mod boot_failure;
mod booted_root;
pub mod changed_files;
mod command;
mod container;
mod detached;
mod environment;
mod error;
pub mod files;
pub mod interrupt;
pub mod keyrings;
pub mod loopback;
mod mount;
mod mount_points;
pub mod namespace;
pub mod operations;
pub mod ordinary_user;
mod output;
mod own_thread;
pub mod process;
mod redaction;
mod resolver;
pub mod rootless;
pub mod sandbox;
mod secrets;
pub mod shell;
pub mod stack;
pub mod user_namespace;
mod values;

use std::path::PathBuf;

pub use boot_failure::BootFailure;
pub use environment::Words;
pub use error::{CommandFailure, Error, place};
pub use mount::Mounted;
pub use process::how_it_ended;
pub use secrets::{MissingSecret, NoValue, Secrets};
pub use values::{Files, Values};

use crate::store::Store;

/// What a run is given beside the plan.
pub struct Settings {
    pub store: Store,
    /// The folder that exports go to.
    pub out: PathBuf,
    pub secrets: Secrets,
    pub files: Files,
}
