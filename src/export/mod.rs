//! What leaves the machine: a tree or an archive, and beside it kernel, initramfs,
//! command line and manifest.
//!
//! A format has a file of its own here. It fills a directory that nobody looks at yet;
//! [`publish`] gives that its final name when everything is in it.

mod bundle;
mod check;
mod dir;
mod error;
mod publish;
mod tar;
mod tool;

use std::path::{Path, PathBuf};

use crate::diagnose::Report;
use crate::plan::{Export, Format, Key};
use crate::run::{ExportJob, Exporter};

pub use bundle::{FileEntry, MADE_BY, MANIFEST, Manifest, OptionEntry, Package};
pub use check::check;
pub use error::Error;

/// Writes every format.
#[derive(Debug)]
pub struct Exports;

impl Exporter for Exports {
    fn fresh(&self, export: &Export, identity: &Key, out: &Path) -> Option<PathBuf> {
        let folder = out.join(&export.name);
        bundle::is_of(&folder, identity).then_some(folder)
    }

    fn export(&self, export: &Export, job: &ExportJob<'_>) -> Result<PathBuf, Box<Report>> {
        write(export, job).map_err(|error| Box::new(error.into()))
    }
}

/// Writes `OUT/NAME`, complete or not at all, and gives its path. One that rootwright
/// made before is replaced at once; anything else of that name is left alone.
///
/// # Errors
/// See [`Error`]; whatever it is, what was at `OUT/NAME` is still there.
pub fn write(export: &Export, job: &ExportJob<'_>) -> Result<PathBuf, Error> {
    let draft = publish::Draft::new(&export.name, job.out, job.staging)?;
    let packages = bundle::packages(export, job)?;
    let archive = match &export.format {
        Format::Dir => {
            dir::write(export, job.root, draft.path())?;
            None
        }
        Format::Tar { compression } => {
            Some(tar::write(export, *compression, job.root, draft.path())?)
        }
    };
    bundle::write(export, job, draft.path(), packages, archive)?;
    draft.publish()
}
