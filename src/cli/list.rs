//! `rootwright list`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::printer::Printer;
use super::{Done, repository};
use crate::diagnose::Report;
use crate::project;
use crate::recipe::check::MODULE_FOLDERS;
use crate::recipe::doc;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to look in [default: the repository, else this folder]
    folder: Option<PathBuf>,
}

pub fn run(args: &Args, printer: &Printer) -> Done {
    let folder = args.folder.clone().unwrap_or_else(repository::here);
    let recipes = recipes(&folder)?;
    let rows: Vec<(String, String)> = recipes
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            (path.display().to_string(), doc::of(&text).0)
        })
        .collect();
    let width = rows
        .iter()
        .map(|(path, _)| path.chars().count())
        .max()
        .unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|(path, title)| format!("{path:<width$}  {title}").trim_end().to_owned() + "\n")
        .collect();
    printer.out(&lines.concat());
    Ok(ExitCode::SUCCESS)
}

/// The recipes below a folder, sorted: scripts that are no library and no test.
pub fn recipes(folder: &Path) -> Result<Vec<PathBuf>, Report> {
    Ok(scripts(folder)?.0)
}

/// The recipes below a folder, and the modules in its `lib/` and `distro/`, both sorted.
pub fn scripts(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Report> {
    let (mut recipes, mut modules) = (Vec::new(), Vec::new());
    collect(folder, false, &mut recipes, &mut modules).map_err(|error| {
        Report::new(
            "list::unreadable",
            format!("cannot read `{}`: {error}", folder.display()),
        )
    })?;
    recipes.sort();
    modules.sort();
    Ok((recipes, modules))
}

fn collect(
    folder: &Path,
    in_modules: bool,
    recipes: &mut Vec<PathBuf>,
    modules: &mut Vec<PathBuf>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let kind = entry.file_type()?;
        let skipped =
            ["target", "out", project::VENDOR].contains(&name.as_ref()) || name.starts_with('.');
        if kind.is_dir() && !skipped {
            let in_modules = in_modules || MODULE_FOLDERS.contains(&name.as_ref());
            collect(&path, in_modules, recipes, modules)?;
        } else if kind.is_file() && name.ends_with(".rhai") && !name.ends_with("_test.rhai") {
            let found = if in_modules {
                &mut *modules
            } else {
                &mut *recipes
            };
            found.push(path.strip_prefix(".").map(Path::to_owned).unwrap_or(path));
        }
    }
    Ok(())
}
