//! What leaves the machine: a tree or an archive, and beside it kernel, initramfs,
//! command line and manifest.
//!
//! A format has a file of its own here. It fills a directory that nobody looks at yet;
//! [`publish`] gives that its final name when everything is in it.

mod bundle;
mod check;
mod cpio;
mod erofs;
mod error;
mod ext4;
mod identity;
pub mod in_use;
mod nfs;
mod oci;
mod oci_steps;
mod opened;
mod publish;
mod share;
mod squashfs;
mod stage;
mod tar;
mod tool;
mod unpack;
mod versions;

use std::path::{Path, PathBuf};

use crate::diagnose::Report;
use crate::plan::{Export, Format, Key, Share};
use crate::run::{ExportJob, Exporter};

pub use bundle::{BootEntry, FileEntry, MADE_BY, MANIFEST, Manifest, OptionEntry, Package};
pub use check::check;
pub use error::Error;
pub use opened::Opened;
pub use unpack::unpack;
pub use versions::{CURRENT, Pruned, Shelf, Version};

/// Writes every format.
#[derive(Debug)]
pub struct Exports;

impl Exporter for Exports {
    fn fresh(&self, export: &Export, root: &Key, out: &Path) -> Option<PathBuf> {
        identity::fresh(export, out, &identity::identity(export, out, root))
    }

    fn export(&self, export: &Export, job: &ExportJob<'_>) -> Result<PathBuf, Box<Report>> {
        write(export, job).map_err(|error| Box::new(error.into()))
    }
}

/// Writes `OUT/NAME`, complete or not at all, and gives its path. One that rootwright
/// made before is replaced at once; anything else of that name is left alone. Of format
/// `nfs` it writes and gives a new version.
///
/// # Errors
/// See [`Error`]; whatever it is, what was at `OUT/NAME` is still there.
pub fn write(export: &Export, job: &ExportJob<'_>) -> Result<PathBuf, Error> {
    let identity = identity::identity(export, job.out, job.identity);
    let export = &bundle::with_time(export, job)?;
    if export.format.is_versioned() {
        return nfs::write(export, job, &identity);
    }
    let draft = publish::Draft::new(&export.name, job.out, job.staging, false)?;
    let answers = bundle::ask(export, job)?;
    artifact(export, job, &draft.path().join(export.format.artifact()))?;
    let place = bundle::Place::new(job.out, &export.name, None);
    bundle::write(export, job, draft.path(), &place, answers, &identity)?;
    draft.publish()
}

fn artifact(export: &Export, job: &ExportJob<'_>, to: &Path) -> Result<(), Error> {
    let (root, staging) = (job.root, job.staging);
    match &export.format {
        Format::Dir | Format::Nfs { .. } => {
            let before = job.out.join(&export.name).join("root");
            // Somebody may hold a file of the older tree open for writing: no hard links.
            let before = before.is_dir().then_some((before.as_path(), Share::Blocks));
            share::write(export, root, before, to)
        }
        Format::Tar { compression } => tar::write(export, *compression, root, to),
        Format::Squashfs { compression } => {
            squashfs::write(export, *compression, root, staging, to)
        }
        Format::Erofs { compression } => erofs::write(export, *compression, root, staging, to),
        Format::Cpio { compression } => cpio::write(export, *compression, root, staging, to),
        Format::Ext4 { size } => ext4::write(export, *size, root, staging, to),
        Format::Oci { .. } => oci::write(export, job, to),
    }
}
