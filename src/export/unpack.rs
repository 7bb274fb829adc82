//! The tree of an export that is packed.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Error, OpenedExport, tools};
use crate::plan::Format;

const TAR: &str = "tar --extract --numeric-owner --preserve-permissions --xattrs \
     --xattrs-include=* --file";

/// The tree; a copy that was unpacked is removed when this is dropped.
pub struct Unpacked {
    pub root: PathBuf,
    _folder: Option<TempDir>,
}

/// Unpacks the artifact, where it is no tree already. Owners and attributes are as in the artifact for root only.
///
/// # Errors
/// [`Error::Packed`] for a format that nothing unpacks here; else what the tool says.
pub fn unpack(opened: &OpenedExport) -> Result<Unpacked, Error> {
    let format = &opened.manifest.format;
    let path = &opened.artifact;
    if format.is_tree() {
        return Ok(Unpacked {
            root: path.clone(),
            _folder: None,
        });
    }
    let folder = tempfile::tempdir().map_err(Error::io("make a folder to unpack", path))?;
    let from = path.display().to_string();
    let to = folder.path().display().to_string();
    let (tool, files) = match format {
        Format::Tar { .. } => (TAR, [from, format!("--directory={to}")]),
        Format::Squashfs { .. } => ("unsquashfs -quiet -no-progress -force -dest", [to, from]),
        Format::Erofs { .. } => ("fsck.erofs --overwrite", [format!("--extract={to}"), from]),
        other => {
            let (path, format) = (path.clone(), other.name());
            return Err(Error::Packed { path, format });
        }
    };
    let argv: Vec<String> = tool.split(' ').map(str::to_owned).chain(files).collect();
    let process = tools::process(&argv).reads(path).writes(folder.path());
    tools::run_noisy("unpack", path, process)?;
    Ok(Unpacked {
        root: folder.path().to_owned(),
        _folder: Some(folder),
    })
}
