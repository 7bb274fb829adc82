//! `tar`: one archive, `root.tar` with the compressor's suffix.

use std::path::Path;

use super::Error;
use super::error::tool;
use crate::plan::{Compression, Export, command};

pub fn write(export: &Export, compression: Compression, root: &Path, folder: &Path) -> Result<(), Error> {
    let file = folder.join(command::tar_name(compression));
    let argv = command::tar_argv(export, &root.display().to_string(), &file.display().to_string());
    tool(&duct::cmd(&argv[0], &argv[1..]), "tar")
}
