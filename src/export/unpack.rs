//! The tree of an export that is packed.

use tempfile::TempDir;

use super::{Error, Opened, tools};
use crate::plan::Format;

/// Unpacks the artifact into a folder that is removed with what is given back; `None`
/// where it is a tree already. Owners and attributes are as in the artifact for root only.
///
/// # Errors
/// [`Error::Packed`] for a format that nothing unpacks here; else what the tool says.
pub fn unpack(opened: &Opened) -> Result<Option<TempDir>, Error> {
    let format = &opened.manifest.format;
    let path = &opened.artifact;
    if matches!(format, Format::Dir | Format::Nfs { .. }) {
        return Ok(None);
    }
    let folder = tempfile::tempdir().map_err(Error::io("make a folder to unpack", path))?;
    let (from, to) = (
        path.display().to_string(),
        folder.path().display().to_string(),
    );
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
            return Err(Error::Packed {
                path: path.clone(),
                format: other.name(),
            });
        }
    };
    let argv: Vec<String> = words.into_iter().map(str::to_owned).collect();
    tools::run_noisy("unpack", path, tools::process(&argv))?;
    Ok(Some(folder))
}
