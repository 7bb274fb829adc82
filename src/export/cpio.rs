//! Format `cpio`: the root as an initramfs, in the one form that the kernel unpacks.
//! It has no room for extended attributes: file capabilities are not in it.

use std::path::Path;

use super::stage::Staged;
use super::tool::Places;
use super::{Error, tool};
use crate::plan::tool::cpio;
use crate::plan::{Compression, Export};
use crate::run::process::Process;

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
    let mut processes: Vec<Process> = cpio(compression)
        .iter()
        .map(|words| tool::process(&places.argv(words)).dir(tree.path()))
        .collect();
    if let Some(last) = processes.pop() {
        processes.push(last.stdout_file(tool::create(file)?));
    }
    tool::pipe("pack the root into", file, processes)
}
