//! The files of a commit, written to a folder.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use fs_err as fs;

use super::Error;
use super::git::{Blob, Git};

/// A library is scripts and small files; what is larger is fetched by recipes.
const MOST_BYTES: u64 = 64 << 20;
const MOST_FILES: usize = 10_000;

const PROGRAM: &str = "100755";
const LINK: &str = "120000";
const SUBMODULE: &str = "160000";

/// Writes the files of a commit to `folder`, which is empty, and gives the submodules that
/// are left out. What git keeps for itself (`.gitattributes`, `.github`) is left out, too:
/// in a copy in another repository it would have a say there.
///
/// # Errors
/// When a link leads out of the library, a name leaves the folder, or there is too much.
pub fn write(git: &Git, commit: &str, folder: &Path) -> Result<Vec<String>, Error> {
    let all = git.list(commit)?;
    let (submodules, all): (Vec<Blob>, Vec<Blob>) =
        all.into_iter().partition(|blob| blob.mode == SUBMODULE);
    let of_git = |blob: &&Blob| {
        let mut parts = blob.path.split(|byte| *byte == b'/');
        parts.any(|part| part.starts_with(b".git"))
    };
    let wanted: Vec<&Blob> = all.iter().filter(|blob| !of_git(blob)).collect();
    let bytes: u64 = wanted.iter().map(|blob| blob.bytes).sum();
    if bytes > MOST_BYTES || wanted.len() > MOST_FILES {
        return Err(Error::TooLarge {
            files: wanted.len(),
            bytes,
        });
    }
    let contents = git.contents(&wanted)?;
    let (links, files): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .zip(contents)
        .partition(|(blob, _)| blob.mode == LINK);
    // Links last, and nothing is written where something is: no file goes through a link.
    for (blob, content) in &files {
        let path = folder.join(plain(&blob.path)?);
        parent(&path)?;
        let mode = if blob.mode == PROGRAM { 0o755 } else { 0o644 };
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)?;
        file.write_all(content)?;
        // Whatever the umask took away.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        file.set_permissions(mode)?;
    }
    let mut made = BTreeSet::new();
    for (blob, target) in &links {
        let path = folder.join(plain(&blob.path)?);
        parent(&path)?;
        symlink(OsStr::from_bytes(target), &path)?;
        made.insert(path);
    }
    let real = fs::canonicalize(folder)?;
    for link in made {
        // One that leads nowhere may lead somewhere on another machine.
        let within = fs::canonicalize(&link).is_ok_and(|led| led.starts_with(&real));
        let target = fs::read_link(&link)?;
        if !within || target.is_absolute() {
            return Err(Error::Link {
                link: link.strip_prefix(folder).unwrap_or(&link).to_owned(),
                target,
            });
        }
    }
    let name = |blob: &Blob| String::from_utf8_lossy(&blob.path).into_owned();
    Ok(submodules.iter().map(name).collect())
}

/// A path that goes down and nowhere else.
fn plain(path: &[u8]) -> Result<PathBuf, Error> {
    let path = PathBuf::from(OsStr::from_bytes(path));
    let down = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    match down && path.components().next().is_some() {
        true => Ok(path),
        false => Err(Error::Name { path }),
    }
}

fn parent(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Copies a folder of files, programs and links.
///
/// # Errors
/// Those of the file system.
pub fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        let below = entry.path().strip_prefix(from).unwrap_or(entry.path());
        let target = to.join(below);
        let kind = entry.file_type();
        if kind.is_dir() {
            fs::create_dir_all(&target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
