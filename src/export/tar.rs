//! Format `tar`: one archive, `root.tar` with the compressor's suffix.

use std::path::Path;

use super::{Error, tool};
use crate::plan::command::tar_argv;
use crate::plan::{Compression, Export};

pub fn write(
    export: &Export,
    compression: Compression,
    root: &Path,
    file: &Path,
) -> Result<(), Error> {
    let (from, to) = (root.display().to_string(), file.display().to_string());
    let pack = tar_argv(export, compression, &from, &to);
    tool::run("pack the root into", file, tool::process(&pack))
}
