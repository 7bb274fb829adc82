//! The repository that a command is run in: its recipes by name, its folder, its project.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use walkdir::{DirEntry, WalkDir};

use super::{ErrorFormat, Global};
use crate::diagnose::{Report, Trouble, nearest};
use crate::project::{self, Project, library};
use crate::recipe::check::MODULE_FOLDERS;
use crate::recipe::testing::SUFFIX;

/// The projects that were looked at, by the repository's folder.
#[derive(Debug, Default)]
pub struct Projects(Mutex<BTreeMap<Option<PathBuf>, Project>>);

/// The folder that commands without an argument work on: the repository around the
/// current folder, else that one.
pub fn here() -> PathBuf {
    project::repository(Path::new(".")).unwrap_or_else(|| PathBuf::from("."))
}

/// The repository around the current folder.
///
/// # Errors
/// When there is none.
pub fn required() -> Result<PathBuf, Report> {
    project::repository(Path::new(".")).ok_or_else(|| {
        let file = project::FILE;
        let message = format!("there is no `{file}` here, nor in a folder above");
        let report = Report::new("site::no_repository", message);
        report.help("`rootwright new NAME` makes a recipe repository")
    })
}

/// A recipe as the command line names it: a file, or the name of one of the repository's
/// recipes. Nothing is wrong with a path that leads nowhere yet; using it says so.
///
/// # Errors
/// When several recipes have the name, or none in the repository.
pub fn recipe(text: &str) -> Result<PathBuf, String> {
    match named(text) {
        RecipeName::Path(path) => Ok(path),
        RecipeName::Several(paths) => {
            let paths: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
            Err(format!("there is more than one: {}", paths.join(", ")))
        }
        RecipeName::None(near) => {
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            Err(format!(
                "there is no such file here, and no recipe of that name in the repository{near}"
            ))
        }
    }
}

/// The same, of what may be no recipe at all.
///
/// # Errors
/// When several recipes have the name.
pub fn target(text: &str) -> Result<PathBuf, String> {
    match named(text) {
        RecipeName::None(_) => Ok(PathBuf::from(text)),
        _ => recipe(text),
    }
}

enum RecipeName {
    Path(PathBuf),
    Several(Vec<PathBuf>),
    /// And the recipe whose name is near.
    None(Option<String>),
}

fn named(text: &str) -> RecipeName {
    let path = PathBuf::from(text);
    let is_name = !text.is_empty() && !text.ends_with(".rhai") && !text.starts_with(['.', '/']);
    let root = project::repository(Path::new(".")).filter(|_| is_name && !path.exists());
    let recipes = root.and_then(|root| Some((recipes(&root).ok()?, root)));
    let Some((recipes, root)) = recipes else {
        return RecipeName::Path(path);
    };
    // `node`, or as much of the path as tells it apart: `web/node`.
    let wanted = Path::new(text);
    let without = |recipe: &PathBuf| recipe.with_extension("");
    let mut found = recipes.clone();
    found.retain(|recipe| without(recipe).ends_with(wanted));
    // The whole path from the top counts more than the end of another.
    let from_top = project::from_here(&root.join(wanted));
    if let Some(exact) = found.iter().find(|recipe| without(recipe) == from_top) {
        found = vec![exact.clone()];
    }
    match found.as_slice() {
        [one] => RecipeName::Path(one.clone()),
        [] => {
            let names = recipes
                .iter()
                .filter_map(|recipe| recipe.file_stem()?.to_str());
            RecipeName::None(nearest(text, names).map(str::to_owned))
        }
        _ => RecipeName::Several(found),
    }
}

impl Global {
    /// What holds for a recipe. Libraries that are pinned and have no copy are fetched; one
    /// that cannot be is missing only where it is used.
    pub(super) fn project(&self, recipe: &Path) -> Result<Project, Trouble> {
        let key = project::repository(recipe);
        let known = self.projects.0.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if let Some(project) = known.get(&key) {
            return Ok(project.clone());
        }
        let project = Project::find(recipe, |project| self.shelves(project))?;
        if let Some(root) = &project.root {
            self.fetch_missing(&project, root);
        }
        known.insert(key, project.clone());
        Ok(project)
    }

    /// The folders that have copies of libraries in them: of the store, and of the person,
    /// who may be nobody that the store is for.
    pub(super) fn shelves(&self, project: &Project) -> Vec<PathBuf> {
        const FOLDER: &str = "libraries";
        let mut shelves = vec![self.store(project).join(FOLDER)];
        let cache = super::user_cache();
        shelves.extend(cache.map(|cache| cache.join(FOLDER)));
        shelves
    }

    fn fetch_missing(&self, project: &Project, root: &Path) {
        let missing = project
            .libraries
            .values()
            .filter(|library| library.pinned().is_some() && library.copy().is_none());
        for library in missing {
            let name = &library.entry.name;
            if !matches!(self.error_format, ErrorFormat::Json) {
                eprintln!("fetching the library `{name}` from {}", library.entry.git);
            }
            let fetched = library::shelf(&self.shelves(project))
                .and_then(|shelf| library::pinned(library, root, &shelf));
            if let Err(error) = fetched {
                library.is_missing(error.report(name));
            }
        }
    }
}

/// The recipes below a folder, sorted: scripts that are no library and no test.
pub fn recipes(folder: &Path) -> Result<Vec<PathBuf>, Report> {
    Ok(scripts(folder)?.0)
}

/// The recipes below a folder, and the modules in its `lib/` and `distro/`, both sorted.
pub fn scripts(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Report> {
    let unreadable = |error| {
        let message = format!("cannot read `{}`: {error}", folder.display());
        Report::new("list::unreadable", message)
    };
    let (mut recipes, mut modules) = (Vec::new(), Vec::new());
    for file in files(folder) {
        let file = file.map_err(unreadable)?;
        if ends_with(&file, ".rhai") && !ends_with(&file, SUFFIX) {
            let below = file.strip_prefix(folder).unwrap_or(&file);
            let is_module = |part: &OsStr| MODULE_FOLDERS.iter().any(|folder| part == *folder);
            let mut folders = below.parent().into_iter().flatten();
            match folders.any(is_module) {
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
    let is_file = |entry: &walkdir::Result<DirEntry>| {
        let entry = entry.as_ref();
        entry.map_or(true, |entry| entry.file_type().is_file())
    };
    let mut files: Vec<std::io::Result<PathBuf>> = walk
        .filter(is_file)
        .map(|entry| {
            let path = entry?.into_path();
            Ok(path.strip_prefix(".").map(Path::to_owned).unwrap_or(path))
        })
        .collect();
    files.sort_by(|a, b| a.as_ref().ok().cmp(&b.as_ref().ok()));
    files.into_iter()
}

/// Whether a path is that of a script.
pub fn is_recipe(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "rhai")
}

pub fn ends_with(file: &Path, suffix: &str) -> bool {
    file.to_string_lossy().ends_with(suffix)
}
