//! The files beside a tree or an archive: `vmlinuz`, `initramfs.img`, `cmdline` and
//! `manifest.json`. What the root does not have is not written.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use std::fs;

use super::{Error, ExportJob};
use crate::plan::{Export, Format, Key};
use crate::run::files::{self, Tree, glob};

/// The name of the manifest, which also marks an export as rootwright's.
pub const MANIFEST: &str = "manifest.json";

/// What [`Manifest::made_by`] says.
pub const MADE_BY: &str = "rootwright";

/// What an export was made from, and what it consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`MADE_BY`]: without it, a folder is not replaced.
    pub made_by: String,
    /// The version of the manifest's own form.
    pub schema: u32,
    /// The version of rootwright.
    pub rootwright: String,
    pub name: String,
    /// What the export was made from, as a digest.
    #[serde(default)]
    pub identity: Option<Key>,
    pub format: Format,
    pub recipe: RecipeEntry,
    pub options: Vec<OptionEntry>,
    /// The newest kernel in the root, if there is one.
    pub kernel_version: Option<String>,
    /// The files of the export by name; the tree of format `dir` is not among them.
    pub files: BTreeMap<String, FileEntry>,
    /// Sorted by name.
    pub packages: Vec<Package>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeEntry {
    pub path: String,
    pub title: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptionEntry {
    pub name: String,
    pub value: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// In bytes.
    pub size: u64,
    pub sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub architecture: String,
}

/// What the root's package manager says is installed.
pub fn packages(export: &Export, job: &ExportJob<'_>) -> Result<Vec<Package>, Error> {
    if export.packages.is_empty() {
        return Ok(Vec::new());
    }
    let output = (job.in_root)(&export.packages).map_err(|report| Error::Packages { report })?;
    let mut packages = Vec::new();
    for (index, line) in output.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, version, architecture] = fields.as_slice() else {
            return Err(Error::PackageLine {
                number: index + 1,
                line: line.to_owned(),
            });
        };
        packages.push(Package {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            architecture: (*architecture).to_owned(),
        });
    }
    packages.sort();
    Ok(packages)
}

/// Writes all that goes beside the tree or the `archive`.
pub fn write(
    export: &Export,
    job: &ExportJob<'_>,
    bundle: &Path,
    packages: Vec<Package>,
    archive: Option<&str>,
) -> Result<(), Error> {
    let kernel_version = files::newest_kernel(job.root);
    let tree = Tree::open(job.root).map_err(|error| Error::Root { error })?;
    let mut listed: Vec<&str> = archive.into_iter().collect();
    for (patterns, name) in [
        (&export.kernel, "vmlinuz"),
        (&export.initramfs, "initramfs.img"),
    ] {
        let to = bundle.join(name);
        let found = first_file(&tree, patterns, kernel_version.as_deref())
            .and_then(|found| match found {
                Some(mut from) => {
                    write_file(&to, |file| io::copy(&mut from, file).map(drop)).map(|()| true)
                }
                None => Ok(false),
            })
            .map_err(|error| Error::Io {
                doing: "write",
                path: to.clone(),
                error,
            })?;
        if found {
            listed.push(name);
        }
    }
    if let Some(cmdline) = &export.cmdline {
        let to = bundle.join("cmdline");
        let line = format!("{}\n", cmdline.trim_end());
        write_text(&to, &line)?;
        listed.push("cmdline");
    }
    let mut entries = BTreeMap::new();
    for name in listed {
        entries.insert(name.to_owned(), entry(&bundle.join(name))?);
    }
    let plan = job.plan;
    let manifest = Manifest {
        made_by: MADE_BY.to_owned(),
        schema: 1,
        rootwright: env!("CARGO_PKG_VERSION").to_owned(),
        name: export.name.clone(),
        identity: Some(job.identity.clone()),
        format: export.format.clone(),
        recipe: RecipeEntry {
            path: plan.recipe.path.clone(),
            title: plan.recipe.title.clone(),
        },
        options: plan
            .options
            .iter()
            .map(|option| OptionEntry {
                name: option.name.clone(),
                value: option.value.clone(),
            })
            .collect(),
        kernel_version,
        files: entries,
        packages,
    };
    let mut text =
        serde_json::to_string_pretty(&manifest).map_err(|error| Error::Manifest { error })?;
    text.push('\n');
    write_text(&bundle.join(MANIFEST), &text)
}

/// Whether the export in `folder` is of this identity, and what belongs to it is there:
/// every file with its size, and none younger than the manifest. The files of a tree are
/// not looked at.
pub fn is_of(folder: &Path, identity: &Key) -> bool {
    let read = || -> Option<bool> {
        let place = folder.join(MANIFEST);
        let manifest: Manifest = serde_json::from_slice(&fs::read(&place).ok()?).ok()?;
        let written = fs::metadata(&place).ok()?.modified().ok()?;
        let whole = manifest.files.iter().all(|(name, entry)| {
            let metadata = fs::symlink_metadata(folder.join(name));
            metadata.is_ok_and(|metadata| {
                metadata.is_file()
                    && metadata.len() == entry.size
                    && metadata.modified().is_ok_and(|time| time <= written)
            })
        });
        let tree = manifest.format != Format::Dir || folder.join("root").is_dir();
        Some(whole && tree && manifest.identity.as_ref() == Some(identity))
    };
    read().unwrap_or(false)
}

/// The first pattern that names a regular file, links followed inside of the root; of
/// several names the last in the order of versions.
fn first_file(
    tree: &Tree,
    patterns: &[String],
    kernel_version: Option<&str>,
) -> io::Result<Option<std::fs::File>> {
    for pattern in patterns {
        let pattern = match kernel_version {
            Some(version) => pattern.replace("{kver}", version),
            None if pattern.contains("{kver}") => continue,
            None => pattern.clone(),
        };
        let mut paths = glob::expand(tree, &pattern)?;
        paths.sort_by(|a, b| files::version_order(&text(b), &text(a)));
        for path in paths {
            if let Some(file) = tree.open_file(&path)? {
                return Ok(Some(file));
            }
        }
    }
    Ok(None)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn entry(path: &PathBuf) -> Result<FileEntry, Error> {
    let read = || -> io::Result<FileEntry> {
        Ok(FileEntry {
            size: fs::metadata(path)?.len(),
            sha256: files::sha256(path)?,
        })
    };
    read().map_err(|error| Error::Io {
        doing: "read",
        path: path.clone(),
        error,
    })
}

fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    write_file(path, |file| io::Write::write_all(file, text.as_bytes())).map_err(|error| {
        Error::Io {
            doing: "write",
            path: path.to_owned(),
            error,
        }
    })
}

/// A new file that a server may read, whatever the umask and the mode in the root: an
/// initramfs is often 0600, and a TFTP or HTTP server is not root.
fn write_file(path: &Path, fill: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    fill(&mut file)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
