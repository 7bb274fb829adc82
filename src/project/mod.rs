//! A recipe repository and its project: what `rootwright.toml` and `rootwright.lock` say, and
//! where the copies of libraries are.

pub mod config;
pub mod library;
mod library_copy;
mod library_entry;
mod lock;
mod paths;
pub mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use config::{Options, Places, age};
pub use library_copy::Library;
pub use library_entry::{Entry, Wanted};
pub use lock::{FILE as LOCK_FILE, Lock, Pin, replace};
pub use paths::{from, from_here};

use crate::diagnose::{Report, Trouble};
use config::Config;

/// The file's name, in the top folder of a recipe repository.
pub const FILE: &str = "rootwright.toml";
/// The host's own, for what the repository does not say.
const HOST_FILE: &str = "/etc/rootwright/rootwright.toml";
/// The folder of a repository that has copies of its libraries in it.
pub const VENDOR: &str = "vendor";
pub use crate::diagnose::LIBRARY;

/// What holds for the recipes of a repository.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The folder of the recipe repository, from the current one.
    pub root: Option<PathBuf>,
    pub name: Option<String>,
    /// Where layers are kept.
    pub store: Option<PathBuf>,
    /// How old an archive's state may be before a build asks for a newer one.
    pub refresh: Option<Duration>,
    pub libraries: BTreeMap<String, Arc<Library>>,
    /// Of the repository's own file.
    pub places: Places,
    distros: BTreeMap<String, BTreeMap<String, String>>,
    options: Options,
    recipe_options: BTreeMap<String, Options>,
}

/// The repository that a file or folder is in, or is: the nearest folder with a
/// `rootwright.toml`, named from the current folder.
pub fn repository(path: &Path) -> Option<PathBuf> {
    let start = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut folders = start.ancestors();
    let root = folders.find(|folder| folder.join(FILE).is_file())?;
    Some(from_here(root))
}

impl Project {
    /// What holds for a recipe: what the repository that it is in says, then the host.
    /// `shelves` gives, for the store that those name, the folders that have copies of
    /// libraries in them, best first.
    ///
    /// # Errors
    /// When a file cannot be read, is no TOML, or has a key that means nothing.
    pub fn find(
        recipe: &Path,
        shelves: impl FnOnce(&Project) -> Vec<PathBuf>,
    ) -> Result<Project, Trouble> {
        let mut project = Project::default();
        let mut entries = Vec::new();
        if let Some(root) = repository(recipe) {
            let mut config = config::read(&root.join(FILE))?;
            entries = std::mem::take(&mut config.libraries);
            project.places = std::mem::take(&mut config.places);
            project.take(config);
            project.root = Some(root);
        }
        if Path::new(HOST_FILE).is_file() {
            let config = config::read(Path::new(HOST_FILE))?;
            if let Some(entry) = config.libraries.first() {
                let message = format!("`{HOST_FILE}` names a library, `{}`", entry.name);
                let report = Report::new("site::config", message);
                return Err(report
                    .help("libraries belong to a recipe repository, so that it builds the same elsewhere")
                    .into());
            }
            project.take(config);
        }
        if let Some(root) = project.root.clone().filter(|_| !entries.is_empty()) {
            let shelves = shelves(&project);
            project.libraries = libraries(&root, entries, &shelves)?;
        }
        Ok(project)
    }

    /// Takes what is not said yet.
    fn take(&mut self, config: Config) {
        self.name = self.name.take().or(config.name);
        self.store = self.store.take().or(config.store);
        self.refresh = self.refresh.or(config.refresh);
        let add = |known: &mut Options, more: Options| {
            for (key, value) in more {
                known.entry(key).or_insert(value);
            }
        };
        for (distro, settings) in config.distros {
            add(self.distros.entry(distro).or_default(), settings);
        }
        add(&mut self.options, config.options);
        for (recipe, options) in config.recipe_options {
            add(self.recipe_options.entry(recipe).or_default(), options);
        }
    }

    /// What the project says of a distro: `distro("x", "mirror")`.
    pub fn distro(&self, name: &str, key: &str) -> Option<&str> {
        self.distros.get(name)?.get(key).map(String::as_str)
    }

    /// The value that an option of a recipe has where nobody gives another.
    pub fn option(&self, recipe: &Path, name: &str) -> Option<&str> {
        let of = recipe.file_stem().and_then(|stem| stem.to_str());
        let own = of.and_then(|of| self.recipe_options.get(of)?.get(name));
        own.or_else(|| self.options.get(name)).map(String::as_str)
    }
}

fn libraries(
    root: &Path,
    entries: Vec<Entry>,
    shelves: &[PathBuf],
) -> Result<BTreeMap<String, Arc<Library>>, Trouble> {
    let mut lock = Lock::read(root)?;
    let made = entries.into_iter().map(|entry| {
        let name = entry.name.clone();
        let pin = lock.library.remove(&name);
        let vendored = root.join(VENDOR).join(&name);
        let mut copies = vec![vendored.strip_prefix(".").unwrap_or(&vendored).to_owned()];
        if let Some(pin) = &pin {
            copies.extend(shelves.iter().map(|shelf| shelf.join(&pin.digest)));
        }
        (name, Arc::new(Library::new(entry, pin, copies)))
    });
    Ok(made.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_named_from_a_folder() {
        for (base, path, named) in [
            ("/a/b", "/a/b", "."),
            ("/a/b", "/a/b/c/d", "c/d"),
            ("/a/b/c", "/a/b", ".."),
            ("/a/b/c", "/a/x", "../../x"),
            ("/a/b", "../x/./y", "../x/y"),
        ] {
            assert_eq!(from(Path::new(base), Path::new(path)), Path::new(named));
        }
    }
}
