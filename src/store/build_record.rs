//! What was built last from a recipe: a later plan is compared with it, to say in words
//! why something runs again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::{Store, read_json};
use crate::plan::{Key, Plan};

/// A build, as it is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Built {
    pub plan: Plan,
    pub layers: Vec<BuiltLayer>,
    /// Versions of the host's programs that decide what layers hold.
    pub versions: BTreeMap<String, String>,
    /// When the build began, in seconds since 1970.
    pub began: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuiltLayer {
    pub steps: Vec<usize>,
    /// The layer's key without the state of its archives.
    pub base: Key,
    pub key: Key,
}

/// A remembered build, as far as its layers' users matter.
#[derive(Clone, Debug, Deserialize)]
pub struct Users {
    pub plan: UsersPlan,
    pub layers: Vec<BuiltLayer>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct UsersPlan {
    pub recipe: crate::plan::Recipe,
}

impl Store {
    /// The folder of a recipe's builds; `recipe` is its path, whichever way it was given.
    fn builds(&self, recipe: &str) -> PathBuf {
        let path = fs::canonicalize(recipe).unwrap_or_else(|_| PathBuf::from(recipe));
        let name = Key::of(&[path.as_os_str().as_encoded_bytes()]);
        self.root.join("builds").join(name.short())
    }

    /// Remembers a build, in the place of the last one with the same options.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&self, build: &Built) -> io::Result<()> {
        let folder = self.builds(&build.plan.recipe.path);
        fs::create_dir_all(&folder)?;
        let options = options(&build.plan).map(|(name, value)| format!("{name}={value}"));
        let name = Key::of(&options.collect::<Vec<_>>());
        self.write_json(&folder, name.short(), build)
    }

    /// The builds of a recipe that are remembered, the youngest first.
    pub fn recorded(&self, recipe: &str) -> Vec<Built> {
        let mut builds: Vec<Built> = read_all(&self.builds(recipe));
        builds.sort_by_key(|build| std::cmp::Reverse(build.began));
        builds
    }

    /// The last build of a plan's recipe with the same options.
    pub fn last_build(&self, plan: &Plan) -> Option<Built> {
        let mut builds = self.recorded(&plan.recipe.path).into_iter();
        builds.find(|built| options(&built.plan).eq(options(plan)))
    }

    /// What programs of the host said their versions are, by what their files were.
    pub fn versions(&self) -> BTreeMap<String, String> {
        read_json(&self.folder("versions.json")).unwrap_or_default()
    }

    /// # Errors
    /// When it cannot be written.
    pub fn set_versions(&self, versions: &BTreeMap<String, String>) -> io::Result<()> {
        self.write_json(&self.root, "versions.json", versions)
    }

    /// Every build that is remembered.
    pub(super) fn all_recorded(&self) -> Vec<Users> {
        let folders = fs::read_dir(self.root.join("builds")).into_iter().flatten();
        folders
            .flatten()
            .flat_map(|folder| read_all(&folder.path()))
            .collect()
    }
}

fn options(plan: &Plan) -> impl Iterator<Item = (&String, &serde_json::Value)> {
    let options = plan.options.iter();
    options.map(|option| (&option.name, &option.value))
}

fn read_all<T: serde::de::DeserializeOwned>(folder: &Path) -> Vec<T> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries
        .flatten()
        .filter_map(|entry| read_json(&entry.path()))
        .collect()
}
