//! Format `tar`: one archive, `root.tar` with the compressor's suffix.

use std::path::Path;

use super::{Error, tool};
use crate::plan::command::tar_argv;
use crate::plan::{Compression, Export};

/// The name of the archive below the export's folder.
pub fn file_name(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "root.tar",
        Compression::Gzip => "root.tar.gz",
        Compression::Zstd => "root.tar.zst",
    }
}

/// Gives the archive's name.
pub fn write(
    export: &Export,
    compression: Compression,
    root: &Path,
    bundle: &Path,
) -> Result<&'static str, Error> {
    let name = file_name(compression);
    let file = bundle.join(name);
    let (from, to) = (root.display().to_string(), file.display().to_string());
    let pack = tar_argv(export, &from, &to);
    tool::run(
        "pack the root into",
        &file,
        &tool::expression(&pack),
        &[&pack],
    )?;
    Ok(name)
}
