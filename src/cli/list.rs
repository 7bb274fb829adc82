//! `rootwright list`

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use walkdir::WalkDir;

use super::printer::{Printer, table};
use super::{Done, repository};
use crate::diagnose::Report;
use crate::project;
use crate::recipe::check::MODULE_FOLDERS;
use crate::recipe::doc;
use crate::recipe::testing::SUFFIX;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to look in [default: the repository, else this folder]
    folder: Option<PathBuf>,
}

pub fn run(args: &Args, printer: &Printer) -> Done {
    let folder = args.folder.clone().unwrap_or_else(repository::here);
    let recipes = recipes(&folder)?;
    let rows: Vec<[String; 2]> = recipes
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            [path.display().to_string(), doc::of(&text).0]
        })
        .collect();
    printer.out(&table(&rows));
    Ok(ExitCode::SUCCESS)
}

/// The recipes below a folder, sorted: scripts that are no library and no test.
pub fn recipes(folder: &Path) -> Result<Vec<PathBuf>, Box<Report>> {
    Ok(scripts(folder)?.0)
}

/// The recipes below a folder, and the modules in its `lib/` and `distro/`, both sorted.
pub fn scripts(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Box<Report>> {
    let unreadable = |error| {
        let message = format!("cannot read `{}`: {error}", folder.display());
        Box::new(Report::new("list::unreadable", message))
    };
    let (mut recipes, mut modules) = (Vec::new(), Vec::new());
    for file in files(folder) {
        let file = file.map_err(unreadable)?;
        if ends_with(&file, ".rhai") && !ends_with(&file, SUFFIX) {
            let below = file.strip_prefix(folder).unwrap_or(&file);
            let is_module = |part: &OsStr| MODULE_FOLDERS.iter().any(|folder| part == *folder);
            match below
                .parent()
                .is_some_and(|folders| folders.iter().any(is_module))
            {
                true => modules.push(file),
                false => recipes.push(file),
            }
        }
    }
    Ok((recipes, modules))
}

/// The files in a folder and below, sorted; what a repository has of others or makes is
/// passed over.
pub fn files(folder: &Path) -> impl Iterator<Item = std::io::Result<PathBuf>> {
    let skipped =
        |name: &str| name.starts_with('.') || ["target", "out", project::VENDOR].contains(&name);
    let walk = WalkDir::new(folder).min_depth(1).into_iter();
    let walk = walk.filter_entry(move |entry| {
        !entry.file_type().is_dir() || !skipped(&entry.file_name().to_string_lossy())
    });
    let mut files: Vec<std::io::Result<PathBuf>> = walk
        .filter(|entry| {
            entry
                .as_ref()
                .map_or(true, |entry| entry.file_type().is_file())
        })
        .map(|entry| {
            let path = entry?.into_path();
            Ok(path.strip_prefix(".").map(Path::to_owned).unwrap_or(path))
        })
        .collect();
    files.sort_by(|a, b| a.as_ref().ok().cmp(&b.as_ref().ok()));
    files.into_iter()
}

pub fn ends_with(file: &Path, suffix: &str) -> bool {
    file.to_string_lossy().ends_with(suffix)
}
