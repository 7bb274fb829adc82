//! Builds: what a plan needs of the host, what the store already has, and everything else
//! run in the order in which it can.

pub mod cache;
mod capture;
mod execute;
pub mod preflight;
mod schedule;
mod tasks;

use std::path::Path;
use std::time::Duration;

pub use cache::Prepared;
pub use capture::{BuildCapture, PreviewCapture};
pub use execute::{Failed, execute};
pub use tasks::Outcome;

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
}
