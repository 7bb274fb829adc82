//! Bundles: a plan with every file that it reads, for another machine.
//!
//! A bundle is a tar archive: `plan.json`; `scripts.json`, the text of every script, for error
//! reports; and below `files/` every file and tree of [`Plan::files`] under its digest, once. The
//! same plan makes the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use crate::diagnose::{Report, SourceMap};
use crate::plan::digest::digest_tree;
use crate::plan::{Key, Plan, SCHEMA_VERSION};
use crate::run::Files;

const PLAN: &str = "plan.json";
const SCRIPTS: &str = "scripts.json";
const FILES: &str = "files";
/// Bytes of a plan that is read: a thousand times those of a large recipe's.
const PLAN_BYTES: u64 = 1 << 30;

/// Why a bundle cannot be written or used.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "bundle::")]
pub enum Error {
    #[error("cannot write the bundle `{path}`: {error}")]
    Write { path: PathBuf, error: io::Error },
    #[error("cannot read the bundle `{path}`: {error}")]
    Read { path: PathBuf, error: io::Error },
    #[error("`{name}` is not what it was when the plan was made")]
    Changed { name: String },
    #[error("`{path}` is not a bundle: {why}")]
    NotABundle { path: PathBuf, why: String },
    #[error(
        "the bundle `{path}` has the plan's version {found}, and this program reads {SCHEMA_VERSION}"
    )]
    Version { path: PathBuf, found: u64 },
    #[error("the file `{name}` of the bundle has another digest than its plan says")]
    Digest { name: String },
    #[error("the bundle `{path}` lacks the file `{name}`")]
    #[strum(serialize = "digest")]
    Lacks { path: PathBuf, name: String },
}

impl From<Error> for Report {
    fn from(error: Error) -> Report {
        let report = Report::of(&error);
        match error {
            Error::Write { .. } | Error::Read { .. } => report,
            Error::Changed { .. } => report.help("write the bundle again"),
            Error::NotABundle { .. } => {
                report.help("`rootwright plan RECIPE --format bundle --output FILE` writes one")
            }
            Error::Version { .. } => {
                report.help("write the bundle again with the rootwright that applies it")
            }
            Error::Digest { .. } | Error::Lacks { .. } => report
                .help("the bundle is damaged or was changed: get it again from where it was made"),
        }
    }
}

/// Writes a bundle to `path`, whole or not at all.
///
/// # Errors
/// When a file of the plan has changed since, or cannot be read or written.
pub fn write(plan: &Plan, scripts: &SourceMap, path: &Path) -> Result<(), Error> {
    let failed = |error| Error::Write {
        path: path.to_owned(),
        error,
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let draft = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut archive = tar::Builder::new(BufWriter::new(draft.as_file()));
    archive.mode(tar::HeaderMode::Deterministic);
    archive.follow_symlinks(false);
    let scripts: BTreeMap<&str, &str> = scripts.iter().collect();
    for (name, json) in [
        (PLAN, serde_json::to_vec(plan)),
        (SCRIPTS, serde_json::to_vec(&scripts)),
    ] {
        let json = json.map_err(|error| failed(error.into()))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(json.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, json.as_slice())
            .map_err(failed)?;
    }
    for file in &plan.files {
        let source = Path::new(&file.path);
        let name = file.name.clone();
        if !digest_tree(source).is_ok_and(|digest| digest == file.digest) {
            return Err(Error::Changed { name });
        }
        let to = Path::new(FILES).join(&file.digest);
        add(&mut archive, source, &to, true).map_err(failed)?;
    }
    let mut out = archive.into_inner().map_err(failed)?;
    out.flush().map_err(failed)?;
    drop(out);
    let readable = std::fs::Permissions::from_mode(0o644);
    draft.as_file().set_permissions(readable).map_err(failed)?;
    draft
        .persist(path)
        .map_err(|error| failed(error.error))
        .map(drop)
}

/// Adds a file or a tree with its permission bits, entries in the order of their names. A link
/// at the top stands for what it leads to, as in [`digest_tree`].
fn add<W: Write>(
    archive: &mut tar::Builder<W>,
    from: &Path,
    to: &Path,
    top: bool,
) -> io::Result<()> {
    let metadata = match top {
        true => std::fs::metadata(from)?,
        false => std::fs::symlink_metadata(from)?,
    };
    let mut header = tar::Header::new_gnu();
    header.set_mode(metadata.permissions().mode() & 0o7777);
    if metadata.is_symlink() {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        return archive.append_link(&mut header, to, std::fs::read_link(from)?);
    }
    if metadata.is_dir() {
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        archive.append_data(&mut header, to, io::empty())?;
        let mut entries = std::fs::read_dir(from)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            add(archive, &entry.path(), &to.join(entry.file_name()), false)?;
        }
        return Ok(());
    }
    header.set_size(metadata.len());
    archive.append_data(&mut header, to, File::open(from)?)
}

/// A bundle that was read: its files are in a folder that goes with it.
#[derive(Debug)]
pub struct Bundle {
    pub plan: Plan,
    pub scripts: SourceMap,
    folder: tempfile::TempDir,
}

impl Bundle {
    /// Where the files of the plan are.
    pub fn files(&self) -> Files {
        Files::Bundle(self.folder.path().join(FILES))
    }

    /// Reads a bundle and checks every file against the digest that the plan has.
    ///
    /// # Errors
    /// When the file is no bundle, has entries that no bundle has, lacks a file, or has one with
    /// another digest.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::Read {
            path: path.to_owned(),
            error,
        };
        let not = |why: String| Error::NotABundle {
            path: path.to_owned(),
            why,
        };
        let broken = |error: io::Error| not(error.to_string());
        let folder = tempfile::tempdir().map_err(failed)?;
        std::fs::create_dir(folder.path().join(FILES)).map_err(failed)?;
        let file = File::open(path).map_err(failed)?;
        let mut archive = tar::Archive::new(BufReader::new(file));
        let mut plan: Option<Plan> = None;
        let mut scripts = SourceMap::default();
        let entries = archive.entries().map_err(broken)?;
        for entry in entries {
            let mut entry = entry.map_err(broken)?;
            let name = entry.path().map_err(broken)?.into_owned();
            let is_plan = name == Path::new(PLAN) && plan.is_none();
            if is_plan || name == Path::new(SCRIPTS) {
                let mut json = Vec::new();
                let mut limited = entry.by_ref().take(PLAN_BYTES);
                limited.read_to_end(&mut json).map_err(failed)?;
                if is_plan {
                    plan = Some(parse(path, &json)?);
                    continue;
                }
                let texts: BTreeMap<String, String> =
                    serde_json::from_slice(&json).map_err(|error| not(error.to_string()))?;
                for (file, text) in texts {
                    scripts.insert(file, text);
                }
                continue;
            }
            let kind = entry.header().entry_type();
            let plain = kind.is_file() || kind.is_dir() || kind.is_symlink();
            if plan.is_none() || !plain || !is_below_files(&name) {
                return Err(not(format!("it has the entry `{}`", name.display())));
            }
            entry.set_preserve_mtime(false);
            entry.set_preserve_permissions(true);
            // Refuses names and links that lead outside.
            if !entry.unpack_in(folder.path()).map_err(failed)? {
                return Err(not(format!("the entry `{}` leaves it", name.display())));
            }
        }
        let plan = plan.ok_or_else(|| not(format!("it has no {PLAN}")))?;
        let bundle = Bundle {
            plan,
            scripts,
            folder,
        };
        for file in &bundle.plan.files {
            let place = bundle.folder.path().join(FILES).join(&file.digest);
            let (path, name) = (path.to_owned(), file.name.clone());
            match digest_tree(&place) {
                Ok(digest) if digest == file.digest => {}
                Ok(_) => return Err(Error::Digest { name }),
                Err(_) => return Err(Error::Lacks { path, name }),
            }
        }
        Ok(bundle)
    }
}

fn parse(path: &Path, json: &[u8]) -> Result<Plan, Error> {
    let not = |error: serde_json::Error| Error::NotABundle {
        path: path.to_owned(),
        why: format!("its plan cannot be read: {error}"),
    };
    let value: serde_json::Value = serde_json::from_slice(json).map_err(not)?;
    let found = value.get("schema").and_then(serde_json::Value::as_u64);
    if found != Some(u64::from(SCHEMA_VERSION)) {
        return Err(Error::Version {
            path: path.to_owned(),
            found: found.unwrap_or_default(),
        });
    }
    serde_json::from_value(value).map_err(not)
}

/// `files/DIGEST` and what is below it.
fn is_below_files(name: &Path) -> bool {
    let mut parts = name.components();
    let first = parts.next() == Some(Component::Normal(FILES.as_ref()));
    let digest = match parts.next() {
        Some(Component::Normal(digest)) => digest.to_str().unwrap_or_default(),
        _ => "",
    };
    first && Key::parse(digest).is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_under_a_digest_belong_to_a_bundle() {
        let digest = "a".repeat(64);
        for (name, is) in [
            (format!("files/{digest}"), true),
            (format!("files/{digest}/etc/motd"), true),
            (format!("files/{digest}/../../x"), false),
            (format!("/files/{digest}"), false),
            ("files/motd".to_owned(), false),
            (PLAN.to_owned(), false),
        ] {
            assert_eq!(is_below_files(Path::new(&name)), is, "{name}");
        }
    }
}
