//! Formats that tools pack from the root or a copy of it: `tar`, `squashfs`, `erofs`, `cpio`.

use std::path::Path;

use super::stage::Staged;
use super::tools::{self, Places};
use super::Error;
use crate::plan::tool::{ToolPart, cpio, erofs, squashfs, tar};
use crate::plan::{Compression, Export, Format};
use crate::run::process::Process;

pub fn write(export: &Export, root: &Path, staging: &Path, file: &Path) -> Result<(), Error> {
    if let Format::Tar { compression } = &export.format {
        let words = tar(export, *compression, ToolPart::Output);
        return Places::of_root(export, root, file).pack(&words);
    }
    let staged = Staged::new(export, root, staging)?;
    let places = Places {
        tree: staged.path(),
        ..Places::of_root(export, root, file)
    };
    match &export.format {
        Format::Squashfs { compression } => places.pack(&squashfs(*compression)),
        Format::Erofs { compression } => places.pack(&erofs(export, *compression)),
        Format::Cpio { compression } => write_cpio(&places, *compression),
        _ => Ok(()),
    }
}
