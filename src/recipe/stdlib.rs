//! The scripts that come with rootwright, embedded or in a folder that stands for them.

use std::path::{Component, Path, PathBuf};

use include_dir::{Dir, include_dir};

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

/// Where the stdlib is read from.
#[derive(Clone, Debug, Default)]
pub struct Stdlib {
    folder: Option<PathBuf>,
}

impl Stdlib {
    /// The embedded stdlib, or the one in `folder`.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Stdlib { folder }
    }

    /// The text of a file, by its path below the stdlib; `None` when there is no such file
    /// or it is not UTF-8.
    pub fn text(&self, path: &str) -> Option<String> {
        let inside = |part| matches!(part, Component::Normal(_));
        if !Path::new(path).components().all(inside) {
            return None;
        }
        match &self.folder {
            Some(folder) => fs_err::read_to_string(folder.join(path)).ok(),
            None => EMBEDDED.get_file(path)?.contents_utf8().map(str::to_owned),
        }
    }

    /// The files in a folder of the stdlib, sorted; empty when there is none.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let mut names = self.tree(folder);
        names.retain(|name| Path::new(name).parent() == Some(Path::new(folder)));
        names
    }

    /// The modules in a folder of the stdlib, by their names in it, sorted.
    pub fn modules(&self, folder: &str) -> Vec<String> {
        let files = self.list(folder).into_iter();
        let names = files.filter_map(|file| {
            let name = Path::new(&file).file_name()?.to_str()?;
            Some(name.strip_suffix(".rhai")?.to_owned())
        });
        names.collect()
    }

    /// The files below a folder of the stdlib and of its folders, sorted.
    pub fn tree(&self, folder: &str) -> Vec<String> {
        let mut names = Vec::new();
        match &self.folder {
            Some(base) => {
                let entries = walkdir::WalkDir::new(base.join(folder))
                    .into_iter()
                    .flatten();
                let files = entries.filter(|entry| entry.file_type().is_file());
                names.extend(files.filter_map(|entry| {
                    let below = entry.path().strip_prefix(base).ok()?;
                    Some(below.to_str()?.to_owned())
                }));
            }
            None if folder.is_empty() => embedded(&EMBEDDED, &mut names),
            None => {
                if let Some(dir) = EMBEDDED.get_dir(folder) {
                    embedded(dir, &mut names);
                }
            }
        }
        names.sort();
        names
    }

    /// Every script of the stdlib, sorted by path; what `new` copies is not among them.
    pub fn all(&self) -> Vec<String> {
        let mut names = self.tree("");
        names.retain(|name| name.ends_with(".rhai") && !name.starts_with("new/"));
        names
    }
}

fn embedded(dir: &Dir<'_>, names: &mut Vec<String>) {
    let files = dir.files().filter_map(|file| file.path().to_str());
    names.extend(files.map(str::to_owned));
    dir.dirs().for_each(|dir| embedded(dir, names));
}
