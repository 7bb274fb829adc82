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

    /// The files below a folder of the stdlib, sorted; empty when there is none.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = match &self.folder {
            Some(base) => walk(&base.join(folder), folder),
            None => {
                // The top is no folder of itself.
                let dir = match folder {
                    "" => Some(&EMBEDDED),
                    folder => EMBEDDED.get_dir(folder),
                };
                let files = dir.into_iter().flat_map(Dir::files);
                files
                    .filter_map(|file| file.path().to_str().map(str::to_owned))
                    .collect()
            }
        };
        names.sort();
        names
    }

    /// The files below a folder of the stdlib and of its folders, sorted.
    pub fn tree(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = match &self.folder {
            Some(base) => walkdir::WalkDir::new(base.join(folder))
                .into_iter()
                .flatten()
                .filter(|entry| entry.file_type().is_file())
                .filter_map(|entry| {
                    let below = entry.path().strip_prefix(base).ok()?;
                    Some(below.to_str()?.to_owned())
                })
                .collect(),
            None => EMBEDDED
                .get_dir(folder)
                .map(|dir| {
                    let mut names = Vec::new();
                    embedded(dir, &mut names);
                    names
                })
                .unwrap_or_default(),
        };
        names.sort();
        names
    }

    /// Every script of the embedded stdlib with its text, sorted by path.
    pub fn all(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in ["", "distro", "dracut", "export", "package", "hints", "host"] {
            found.extend(
                self.list(folder)
                    .into_iter()
                    .filter(|name| name.ends_with(".rhai")),
            );
        }
        found.sort();
        found.dedup();
        found
    }
}

fn embedded(dir: &Dir<'_>, names: &mut Vec<String>) {
    let files = dir.files().filter_map(|file| file.path().to_str());
    names.extend(files.map(str::to_owned));
    dir.dirs().for_each(|dir| embedded(dir, names));
}

fn walk(folder: &Path, name: &str) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .map(|file| {
            if name.is_empty() {
                file
            } else {
                format!("{name}/{file}")
            }
        })
        .collect()
}
