//! Format `squashfs`: one compressed image, read in place.

use std::path::Path;

use super::stage::Staged;
use super::{Error, tool};
use crate::plan::image::squashfs_argv;
use crate::plan::{Compression, Export};

pub fn write(
    export: &Export,
    compression: Compression,
    root: &Path,
    staging: &Path,
    file: &Path,
) -> Result<(), Error> {
    let tree = Staged::new(export, root, staging)?;
    let argv = squashfs_argv(
        compression,
        &file.display().to_string(),
        &tree.path().display().to_string(),
    );
    let pack = tool::dated(export, tool::process(&argv));
    tool::run("pack the root into", file, pack)
}
