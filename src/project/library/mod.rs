//! Libraries: recipe modules of other repositories, fetched with git and pinned.
//!
//! A copy on a shelf (`STORE/libraries/DIGEST`, or the person's own cache where the store
//! is not theirs) is named by the digest of its files, which `rootwright.lock` has.

pub mod address;
mod error;
mod files;
mod git;
mod upkeep;

use std::path::{Path, PathBuf};

pub use error::Error;
pub use upkeep::{UpdatedLibrary, add, update, vendor};

use crate::plan::short;
use crate::project::{Entry, Library, Pin, Wanted, tree};
use git::Git;

/// A state of a library that is on a shelf.
#[derive(Debug)]
pub struct FetchedLibrary {
    pub pin: Pin,
    /// Where its files are.
    pub folder: PathBuf,
    /// Submodules, which are left out.
    pub left_out: Vec<String>,
}

/// The first of `shelves` that can be written to; made where it is missing, and then for
/// nobody else to read, as the store is.
///
/// # Errors
/// When there is none.
pub fn shelf(shelves: &[PathBuf]) -> Result<PathBuf, Error> {
    use std::os::unix::fs::DirBuilderExt;
    let writable = |shelf: &&PathBuf| {
        let mut builder = std::fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(shelf);
        made.is_ok() && tempfile::tempdir_in(shelf).is_ok()
    };
    let found = shelves.iter().find(writable).cloned();
    found.ok_or_else(|| Error::NoShelf {
        tried: shelves.to_vec(),
    })
}

/// Fetches the newest state of what `entry` asks for, and puts it on a shelf.
///
/// `root` is the folder of `rootwright.toml`. Of a library that is pinned already, `before`
/// says what is there: its tag has to be where it was, and its history has to go on from
/// there.
///
/// # Errors
/// See [`Error`]; nothing is on the shelf then.
pub fn newest(
    entry: &Entry,
    root: &Path,
    before: Option<&Pin>,
    shelf: &Path,
) -> Result<FetchedLibrary, Error> {
    let address = address::absolute(&entry.git, root)?;
    let git = Git::new()?;
    let commit = match &entry.wanted {
        Wanted::Head => git.fetch(&address, "HEAD", before.is_some())?,
        Wanted::Branch(branch) => {
            let name = format!("refs/heads/{branch}");
            git.fetch(&address, &name, before.is_some())?
        }
        Wanted::Tag(tag) => git.fetch(&address, &format!("refs/tags/{tag}"), false)?,
        Wanted::Rev(rev) => revision(&git, &address, rev)?,
    };
    if let Some(before) = before.filter(|before| before.commit != commit) {
        match &entry.wanted {
            Wanted::Tag(tag) => return Err(moved(tag, before, &commit)),
            Wanted::Head | Wanted::Branch(_) if !git.has_ancestor(&commit, &before.commit) => {
                return Err(Error::Rewritten {
                    pinned: before.short().to_owned(),
                });
            }
            _ => {}
        }
    }
    let (folder, digest, left_out) = put(&git, &commit, None, shelf)?;
    Ok(FetchedLibrary {
        pin: Pin::new(&entry.git, &entry.wanted, commit, digest),
        folder,
        left_out,
    })
}

/// Fetches the state that a library is pinned to, and puts it on a shelf.
///
/// # Errors
/// When the repository has it no more, its tag means another one, or its files are others.
pub fn pinned(library: &Library, root: &Path, shelf: &Path) -> Result<(), Error> {
    // Without a pin there is nothing to fetch; using the library says so.
    let Some(pin) = library.pinned() else {
        return Ok(());
    };
    let address = address::absolute(&library.entry.git, root)?;
    let git = Git::new()?;
    let commit = match &library.entry.wanted {
        Wanted::Tag(tag) => {
            let found = git.fetch(&address, &format!("refs/tags/{tag}"), false)?;
            if found != pin.commit {
                return Err(moved(tag, pin, &found));
            }
            found
        }
        _ => revision(&git, &address, &pin.commit).map_err(|error| match error {
            // It answered, and has no such commit.
            Error::Git { what, .. } if what == "rev-parse" => Error::Rewritten {
                pinned: pin.short().to_owned(),
            },
            error => error,
        })?,
    };
    put(&git, &commit, Some(pin), shelf).map(drop)
}

fn moved(tag: &str, pin: &Pin, found: &str) -> Error {
    Error::MovedTag {
        tag: tag.to_owned(),
        pinned: pin.short().to_owned(),
        found: short(found).to_owned(),
    }
}

/// The commit that a revision means: alone where the server gives single commits, else out
/// of all branches and tags, where it has to be reachable.
fn revision(git: &Git, address: &str, rev: &str) -> Result<String, Error> {
    let whole = matches!(rev.len(), 40 | 64) && rev.bytes().all(|b| b.is_ascii_hexdigit());
    if whole && let Ok(commit) = git.fetch(address, rev, false) {
        return Ok(commit);
    }
    git.fetch_all(address)?;
    git.commit(rev)
}

/// Writes the files of a commit to a shelf, under their digest.
fn put(
    git: &Git,
    commit: &str,
    pin: Option<&Pin>,
    shelf: &Path,
) -> Result<(PathBuf, String, Vec<String>), Error> {
    let work = tempfile::Builder::new().prefix(".new-").tempdir_in(shelf)?;
    let left_out = files::write(git, commit, work.path())?;
    if tree::modules(work.path()).is_empty() {
        return Err(Error::NoModule);
    }
    let digest = tree::digest(work.path())?;
    if let Some(pin) = pin.filter(|pin| pin.digest != digest) {
        return Err(Error::Digest {
            commit: pin.short().to_owned(),
            found: short(&digest).to_owned(),
            pinned: short(&pin.digest).to_owned(),
        });
    }
    let folder = shelf.join(&digest);
    // What stands there under the same digest may have been changed: it goes.
    if folder.exists() && tree::digest(&folder).is_ok_and(|there| there == digest) {
        return Ok((folder, digest, left_out));
    }
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(work.path(), mode)?;
    fs_err::rename(work.path(), &folder)?;
    // It has another name now.
    let _ = work.keep();
    Ok((folder, digest, left_out))
}
