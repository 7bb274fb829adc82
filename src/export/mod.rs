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

use std::fmt;
use std::path::{Path, PathBuf};

use crate::diagnose::Report;
use crate::plan::{Export, Format, Plan};

pub use bundle::{FileEntry, MADE_BY, MANIFEST, Manifest, OptionEntry, Package};
pub use check::check;
pub use error::Error;

/// Runs a command in the root and gives its standard output.
pub type InRoot<'a> = dyn Fn(&[String]) -> Result<String, Box<Report>> + 'a;

/// All that an export needs beside what the recipe says of it.
pub struct ExportJob<'a> {
    /// Where the root is mounted.
    pub root: &'a Path,
    /// The output folder; made if it is not there.
    pub out: &'a Path,
    /// A directory of the store for what is not finished.
    pub staging: &'a Path,
    pub plan: &'a Plan,
    pub in_root: &'a InRoot<'a>,
}

impl fmt::Debug for ExportJob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportJob")
            .field("root", &self.root)
            .field("out", &self.out)
            .field("staging", &self.staging)
            .finish_non_exhaustive()
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
