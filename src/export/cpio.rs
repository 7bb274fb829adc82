//! Format `cpio`: the root as an initramfs, in the one form that the kernel unpacks.
//! It has no room for extended attributes: file capabilities are not in it.

use std::path::Path;

use super::stage::Staged;
use super::tool::Places;
use super::{Error, tool};
use crate::plan::tool::cpio;
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
    let argvs: Vec<Vec<String>> = cpio(compression)
        .iter()
        .map(|words| places.argv(words))
        .collect();
    let pipe = argvs
        .iter()
        .map(|argv| tool::expression(argv).dir(tree.path()))
        .reduce(|left, right| left.pipe(right));
    let Some(pipe) = pipe else { return Ok(()) };
    let shown: Vec<&[String]> = argvs.iter().map(Vec::as_slice).collect();
    tool::run("pack the root into", file, &pipe.stdout_path(file), &shown)
}
