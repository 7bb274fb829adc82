//! Format `tar`: one archive, `root.tar` with the compressor's suffix.

use std::path::Path;

use super::Error;
use super::tool::Places;
use crate::plan::tool::{ToolPart, tar};
use crate::plan::{Compression, Export};

pub fn write(
    export: &Export,
    compression: Compression,
    root: &Path,
    file: &Path,
) -> Result<(), Error> {
    let places = Places {
        export,
        root,
        tree: root,
        output: file,
    };
    places.pack(&tar(export, compression, ToolPart::Output))
}
