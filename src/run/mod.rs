//! Runs plans. Knows no scripts.

mod boot;
mod capture;
pub mod changes;
pub mod circumstances;
mod error;
mod execute;
pub mod files;
pub mod interrupt;
pub mod keyrings;
mod leftover;
pub mod loopback;
mod mount;
mod output;
mod points;
pub mod preflight;
pub mod prepared;
mod process;
mod resolver;
mod runner;
pub mod sandbox;
mod schedule;
mod secrets;
pub mod shell;
pub mod stack;
mod step;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use boot::BootFailure;
pub use capture::{BuildCapture, PreviewCapture};
pub use error::{CommandFailure, Error};
pub use execute::{Failed, execute};
pub use prepared::Prepared;
pub use process::how_it_ended;
pub use runner::Outcome;
pub use secrets::Secrets;

use crate::diagnose::Report;
use crate::plan::render::StepStatus;
use crate::plan::{ExpectBoot, Export, Key, Plan, Step};
use crate::store::Store;

/// What a run is given beside the plan.
pub struct Settings {
    pub store: Store,
    /// The folder that exports go to.
    pub out: PathBuf,
    pub secrets: Secrets,
}

/// A step of one of the builds that run.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The build's place in the list.
    pub build: usize,
    pub plan: &'a Plan,
    pub step: &'a Step,
}

/// What happens while plans run, for whoever shows it. Steps of several builds run side
/// by side.
pub trait Events: Sync {
    /// `status` says why it runs, or that it need not.
    fn step_started(&self, at: At<'_>, status: &StepStatus);
    /// Another build makes the layer at this moment.
    fn waiting(&self, at: At<'_>);
    /// A line of a command's output, secrets taken out.
    fn output(&self, at: At<'_>, line: &str);
    /// `elapsed` is `None` where nothing had to run.
    fn step_finished(&self, at: At<'_>, elapsed: Option<Duration>);
    fn exported(&self, at: At<'_>, path: &Path);
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
    /// Stands for all that the root holds: the key of its topmost layer.
    pub identity: &'a Key,
    /// What the root consists of, the lowest first, for formats that follow the steps.
    pub layers: &'a [ExportLayer],
    /// Runs a command inside of the root and gives its output.
    pub in_root: &'a InRoot<'a>,
}

/// A layer of the root that is exported.
#[derive(Clone, Debug)]
pub struct ExportLayer {
    /// The labels of its steps: `install openssh-server`.
    pub label: String,
    /// A lower directory of the root's overlay.
    pub tree: PathBuf,
}

/// Writes artifacts; the formats live in the `export` area.
pub trait Exporter: Sync {
    /// The export that is in place below `out`, where it was made of the same root
    /// (`identity`, see [`ExportJob::identity`]), from the same spec, and is complete.
    /// Asked before the root is mounted: it must cost milliseconds.
    fn fresh(&self, export: &Export, identity: &Key, out: &Path) -> Option<PathBuf>;

    /// Gives the path of what was written.
    ///
    /// # Errors
    /// A report without a place in the recipe; the runner adds it.
    fn export(&self, export: &Export, job: &ExportJob<'_>) -> Result<PathBuf, Box<Report>>;
}

/// A boot that a recipe expects to go well.
pub struct BootJob<'a> {
    pub expect: &'a ExpectBoot,
    /// What was exported.
    pub export: &'a Path,
    /// A folder for sockets and the like.
    pub work: &'a Path,
    /// Where the node's console goes.
    pub console: &'a Path,
    /// Gets what happens, line by line.
    pub see: &'a (dyn Fn(&str) + Sync),
}

/// Boots artifacts; how is known in the `boot` area.
pub trait Booter: Sync {
    /// Stands for the artifact and for all that is looked at: a boot with the same key is
    /// not repeated. `None` where it is not known what the artifact was made of.
    fn key(&self, expect: &ExpectBoot, export: &Path) -> Option<Key>;

    /// # Errors
    /// A report without a place in the recipe, when the node does not come up, or not all
    /// that is expected of it holds.
    fn boot(&self, job: &BootJob<'_>) -> Result<(), Box<Report>>;
}

/// Who makes and looks at artifacts.
#[derive(Clone, Copy)]
pub struct Makers<'a> {
    pub exports: &'a dyn Exporter,
    pub boots: &'a dyn Booter,
}
