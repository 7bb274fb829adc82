//! Runs plans. Knows no scripts.

mod capture;
mod error;
mod execute;
pub mod files;
pub mod interrupt;
mod mount;
pub mod preflight;
mod process;
pub mod sandbox;
mod secrets;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use capture::{BuildCapture, PreviewCapture};
pub use error::{CommandFailure, Error};
pub use execute::{Outcome, execute};
pub use mount::Mounted;
pub use secrets::Secrets;

use crate::diagnose::Report;
use crate::plan::{Export, Plan, Step};
use crate::store::Store;

/// What a run is given beside the plan.
pub struct Settings {
    pub store: Store,
    /// The folder that exports go to.
    pub out: PathBuf,
    pub secrets: Secrets,
}

/// What happens while a plan runs, for whoever shows it.
pub trait Events {
    fn step_started(&self, step: &Step, of: usize);
    /// A line of a command's output, secrets taken out.
    fn output(&self, step: &Step, line: &str);
    fn step_finished(&self, step: &Step, elapsed: Duration, cached: bool);
    fn exported(&self, path: &Path);
}

/// Runs a command in the root and gives its output.
pub type InRoot<'a> = dyn Fn(&[String]) -> Result<String, Box<Report>> + 'a;

/// What an export is made from.
pub struct ExportJob<'a> {
    pub plan: &'a Plan,
    /// Where the root is mounted.
    pub root: &'a Path,
    /// The output folder.
    pub out: &'a Path,
    /// A folder of the store for work.
    pub staging: &'a Path,
    /// Runs a command inside of the root and gives its output.
    pub in_root: &'a InRoot<'a>,
}

/// Writes artifacts; the formats live in the `export` area.
pub trait Exporter {
    /// Gives the path of what was written.
    ///
    /// # Errors
    /// A report without a place in the recipe; the runner adds it.
    fn export(&self, export: &Export, job: &ExportJob<'_>) -> Result<PathBuf, Box<Report>>;
}
