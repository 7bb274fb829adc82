//! Builds: preflight, the cache, and the steps and exports that run.

pub mod bundle;
pub mod cache;
mod capture;
mod execute;
pub mod preflight;
mod schedule;
mod session;
mod tasks;

use std::path::Path;
use std::time::Duration;

pub use cache::Prepared;
pub use capture::{KnownPlan, PreviewCapture, preview_until_capture};
pub use execute::Failed;
pub use session::{Request, Source, Stopped, build};
pub use tasks::BuildResult;

use crate::diagnose::{Report, SourceMap};
use crate::plan::{Plan, Step};
use crate::preview::StepStatus;

/// A step of one of the builds that run.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The build's place in the list.
    pub build: usize,
    pub plan: &'a Plan,
    pub step: &'a Step,
}

/// What happens while plans run, for the code that shows it. Steps of several builds run side
/// by side.
pub trait Events: Sync {
    /// `status` says why the step runs, or that it need not.
    fn step_started(&self, at: At<'_>, status: &StepStatus);
    /// Another build makes the layer at this moment.
    fn waiting(&self, at: At<'_>);
    /// A line of a command's output, secrets taken out.
    fn output(&self, at: At<'_>, line: &str);
    /// `elapsed` is `None` where nothing had to run.
    fn step_finished(&self, at: At<'_>, elapsed: Option<Duration>);
    fn exported(&self, at: At<'_>, path: &Path);
    /// Warnings of the checks before a build.
    fn warned(&self, warnings: &[Report], sources: &SourceMap);
    /// A line about the build as a whole.
    fn note(&self, line: &str);
}
