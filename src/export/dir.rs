//! Format `dir`: the tree itself, in `root/`.

use std::path::Path;

use std::fs;

use super::{Error, tool};
use crate::plan::Export;
use crate::plan::command::{copy_argv, tar_argv, untar_argv};

/// Owners, modes, times, links, extended attributes, access lists, devices and holes are
/// kept; blocks are shared where the file system can.
pub fn write(export: &Export, root: &Path, bundle: &Path) -> Result<(), Error> {
    let dest = bundle.join("root");
    fs::create_dir(&dest).map_err(|error| Error::Io {
        doing: "make",
        path: dest.clone(),
        error,
    })?;
    let (from, to) = (root.display().to_string(), dest.display().to_string());
    if export.exclude.is_empty() {
        let copy = copy_argv(&from, &to);
        return tool::run(
            "copy the root to",
            &dest,
            &tool::expression(&copy),
            &[&copy],
        );
    }
    let pack = tar_argv(export, &from, "-");
    let unpack = untar_argv(&to);
    let pipe = tool::expression(&pack).pipe(tool::expression(&unpack));
    tool::run("copy the root to", &dest, &pipe, &[&pack, &unpack])
}
