//! Format `squashfs`: one compressed image, read in place.

use std::path::Path;

use super::Error;
use super::stage::Staged;
use super::tool::Places;
use crate::plan::tool::squashfs;
use crate::plan::{Compression, Export};

pub fn write(
    export: &Export,
    compression: Compression,
    root: &Path,
    staging: &Path,
    file: &Path,
) -> Result<(), Error> {
    let tree = Staged::new(export, root, staging)?;
    let places = Places {
        export,
        root,
        tree: tree.path(),
        output: file,
    };
    places.pack(&squashfs(compression))
}
