//! `dir`: the tree itself, in `root/`.

use std::path::Path;

use fs_err as fs;

use super::Error;
use super::error::tool;
use crate::plan::{Export, command};

pub fn write(export: &Export, root: &Path, folder: &Path) -> Result<(), Error> {
    let dest = folder.join("root");
    fs::create_dir(&dest).map_err(Error::write(&dest))?;
    let (from, to) = (root.display().to_string(), dest.display().to_string());
    if export.exclude.is_empty() {
        let argv = command::copy_argv(&from, &to);
        return tool(&duct::cmd(&argv[0], &argv[1..]), "cp");
    }
    let pack = command::tar_argv(export, &from, "-");
    let unpack = command::untar_argv(&to);
    let pack = duct::cmd(&pack[0], &pack[1..]);
    let unpack = duct::cmd(&unpack[0], &unpack[1..]);
    tool(&pack.pipe(unpack), "tar")
}
