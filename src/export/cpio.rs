//! Format `cpio`: the root as an initramfs, in the one form that the kernel unpacks.
//! It has no room for extended attributes: file capabilities are not in it.

use std::path::Path;

use super::stage::Staged;
use super::{Error, tool};
use crate::plan::image::cpio_argvs;
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
    let mut argvs = cpio_argvs().to_vec();
    if let Some(program) = compression.argv() {
        argvs.push(program.iter().map(|&word| word.to_owned()).collect());
    }
    let mut processes: Vec<Process> = argvs
        .iter()
        .map(|argv| tool::process(argv).dir(tree.path()))
        .collect();
    if let Some(last) = processes.pop() {
        processes.push(last.stdout_file(tool::create(file)?));
    }
    tool::pipe("pack the root into", file, processes)
}
