//! What leaves the machine: a tree or an archive, and beside it kernel, initramfs,
//! command line and manifest.
//!
//! A format that takes more than its tool's command line has a file of its own here. It fills a
//! directory that nobody looks at yet; [`publish`] gives that its final name when everything is
//! in it.

mod artifact;
mod closed_tree;
mod companions;
mod error;
mod ext4;
mod freshness;
pub mod in_use;
mod nfs;
mod oci;
mod oci_steps;
pub mod publish;
mod root;
mod shared_files;
mod stage;
mod tools;
mod unpack;
mod versions;

use std::path::{Path, PathBuf};

use crate::diagnose::Report;
use crate::plan::tool::{self, ToolPart};
use crate::plan::{Command, Export, Format, Key, Plan, Share};
use stage::Staged;
use tools::ToolPaths;

pub use artifact::OpenedExport;
pub use companions::{BootEntry, FileEntry, MADE_BY, MANIFEST, Manifest, OptionEntry, Package};
pub use error::Error;
pub use root::ExportRoot;
pub use unpack::{Unpacked, unpack};
pub use versions::{CURRENT, Pruned, Shelf, Version, remove};

/// Runs a command in the root and returns its output.
pub type InRoot<'a> = dyn Fn(&Command) -> Result<String, Report> + 'a;

/// What an export is made from.
pub struct ExportJob<'a> {
    pub plan: &'a Plan,
    pub root: ExportRoot<'a>,
    /// The output folder.
    pub out: &'a Path,
    /// A folder of the store for work.
    pub staging: &'a Path,
    /// Stands for everything in the root: the key of its topmost layer.
    pub identity: &'a Key,
    /// The root's layers, the lowest first, for formats that follow the steps.
    pub layers: &'a [ExportLayer],
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

/// The export in `out` if it was made of the same root (see [`ExportJob::identity`]) from the
/// same spec, and is complete. Costs milliseconds: the root need not be mounted.
pub fn fresh(export: &Export, root: &Key, out: &Path) -> Option<PathBuf> {
    let identity = freshness::identity(export, out, root);
    let place = out.join(&export.name);
    // Of an export with versions, any of them; it becomes the current one.
    match export.format.is_versioned() {
        true => nfs::fresh(&place, &export.format, &identity),
        false => freshness::is_fresh(&place, &identity).then_some(place),
    }
}

/// Writes `OUT/NAME`, complete or not at all, and gives its path. One that rootwright
/// made before is replaced at once; anything else of that name is left alone. Of format
/// `nfs` it writes and gives a new version.
///
/// # Errors
/// See [`Error`]; whatever it is, what was at `OUT/NAME` is still there.
pub fn write(export: &Export, job: &ExportJob<'_>) -> Result<PathBuf, Error> {
    let identity = freshness::identity(export, job.out, job.identity);
    let export = &companions::with_time(export, job)?;
    if export.format.is_versioned() {
        return nfs::write(export, job, &identity);
    }
    let draft = publish::Draft::new(&export.name, job.out, job.staging, false)?;
    let answers = companions::ask(export, job)?;
    let to = match export.format.is_tree() {
        true => closed_tree::make(draft.path())?,
        false => draft.path().join(export.format.artifact()),
    };
    artifact(export, job, &to)?;
    let place = companions::ExportLocation::new(job.out, &export.name, None);
    companions::write(export, job, draft.path(), &place, answers, &identity)?;
    draft.publish()
}

fn artifact(export: &Export, job: &ExportJob<'_>, to: &Path) -> Result<(), Error> {
    let (root, staging) = (job.root, job.staging);
    let places = ToolPaths::of_root(export, root, to);
    // Tools that know neither what is left out nor until when times are clamped get a copy.
    let staged = |pack: &dyn Fn(ToolPaths<'_>) -> Result<(), Error>| {
        let tree = Staged::new(export, root, staging)?;
        let tree = tree.path();
        pack(ToolPaths { tree, ..places })
    };
    match &export.format {
        Format::Dir | Format::Nfs { .. } => {
            let before = closed_tree::find(&job.out.join(&export.name));
            // Somebody may hold a file of the older tree open for writing: no hard links.
            let before = before.is_dir().then_some((before.as_path(), Share::Blocks));
            shared_files::write(export, root, before, to)
        }
        Format::Tar { compression } => {
            places.pack(&tool::tar(export, *compression, ToolPart::Output))
        }
        Format::Squashfs { compression } => staged(&|at| at.pack(&tool::squashfs(*compression))),
        Format::Erofs { compression } => staged(&|at| at.pack(&tool::erofs(export, *compression))),
        // The one form that the kernel unpacks; it has no room for extended attributes.
        Format::Cpio { compression } => staged(&|at| at.pipe(&tool::cpio(*compression))),
        Format::Ext4 { size } => ext4::write(export, *size, root, to),
        Format::Oci { .. } => oci::write(export, job, to),
    }
}
