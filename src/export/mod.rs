//! Artifacts: what leaves the machine.
//!
//! An export is a folder below the output folder: the root in its format, and beside it
//! kernel, initramfs, kernel command line and manifest. It appears under its name
//! complete or not at all.

mod bundle;
mod dir;
mod error;
mod publish;
mod tar;

use std::path::{Path, PathBuf};

pub use error::Error;
pub use publish::MARKER;

use crate::diagnose::Report;
use crate::plan::{Export, Format, Op, Plan};
use crate::run::{ExportJob, Exporter};

/// Writes every format.
pub struct Exports;

impl Exporter for Exports {
    fn export(&self, export: &Export, job: &ExportJob<'_>) -> Result<PathBuf, Box<Report>> {
        let staging = publish::Staging::new(job.out, job.staging, &export.name).map_err(|e| Box::new(e.report()))?;
        let folder = staging.path();
        match &export.format {
            Format::Dir => dir::write(export, job.root, folder),
            Format::Tar { compression } => tar::write(export, *compression, job.root, folder),
        }
        .map_err(|error| Box::new(error.report()))?;
        bundle::write(export, job, folder)?;
        staging.publish().map_err(|error| Box::new(error.report()))
    }
}

/// What would keep a plan's exports from being written, as far as it can be known before.
pub fn check(plan: &Plan, out: &Path) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for step in &plan.steps {
        for action in &step.actions {
            let Op::Export(export) = &action.op else { continue };
            let trace = || step.site.clone();
            if names.contains(&export.name.as_str()) {
                reports.push(
                    Report::new("export::duplicate", format!("two exports have the name `{}`", export.name))
                        .help("the second would replace the first: give it another name")
                        .trace(trace()),
                );
            }
            names.push(&export.name);
            if let Err(error) = publish::check(out, &export.name) {
                reports.push(error.report().trace(trace()));
            }
        }
    }
    reports
}
