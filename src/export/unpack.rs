//! The tree of an export that is packed.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Error, Opened, tools};
use crate::plan::Format;

/// The tree; a copy that was unpacked is removed when this is dropped.
pub struct Unpacked {
    pub root: PathBuf,
    _folder: Option<TempDir>,
}

/// Unpacks the artifact, where it is no tree already. Owners and attributes are as in the artifact for root only.
///
/// # Errors
/// [`Error::Packed`] for a format that nothing unpacks here; else what the tool says.
pub fn unpack(opened: &Opened) -> Result<Unpacked, Error> {
    let format = &opened.manifest.format;
    let path = &opened.artifact;
    if matches!(format, Format::Dir | Format::Nfs { .. }) {
        let root = path.clone();
        return Ok(Unpacked {
            root,
            _folder: None,
        });
    }
    let folder = tempfile::tempdir().map_err(Error::io("make a folder to unpack", path))?;
    let shown = |path: &Path| path.display().to_string();
    let (from, to) = (shown(path), shown(folder.path()));
    let (into, extract) = (format!("--directory={to}"), format!("--extract={to}"));
    let words: Vec<&str> = match format {
        Format::Tar { .. } => vec![
            "tar",
            "--extract",
            "--numeric-owner",
            "--preserve-permissions",
            "--xattrs",
            "--xattrs-include=*",
            "--file",
            &from,
            &into,
        ],
        Format::Squashfs { .. } => vec![
            "unsquashfs",
            "-quiet",
            "-no-progress",
            "-force",
            "-dest",
            &to,
            &from,
        ],
        Format::Erofs { .. } => vec!["fsck.erofs", "--overwrite", &extract, &from],
        other => {
            let (path, format) = (path.clone(), other.name());
            return Err(Error::Packed { path, format });
        }
    };
    let argv: Vec<String> = words.into_iter().map(str::to_owned).collect();
    tools::run_noisy("unpack", path, tools::process(&argv))?;
    Ok(Unpacked {
        root: folder.path().to_owned(),
        _folder: Some(folder),
    })
}
