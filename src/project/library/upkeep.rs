//! Libraries of a repository, written down: in `rootwright.toml`, in `rootwright.lock`, and
//! as copies in `vendor/`.

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::{Error, FetchedLibrary, files, newest, pinned};
use crate::project::{self, Entry, Library, Lock, Pin, VENDOR, config, tree};

/// Fetches a library, and writes it into both files.
///
/// # Errors
/// See [`Error`]; the files are as they were then.
pub fn add(
    entry: &Entry,
    root: &Path,
    lock: &mut Lock,
    shelf: &Path,
) -> Result<FetchedLibrary, Error> {
    let path = root.join(project::FILE);
    let fetched = newest(entry, root, None, shelf)?;
    let text = fs::read_to_string(&path)?;
    let text = with_entry(&text, entry);
    // `libraries = { … }` on one line takes no table below it.
    if config::parse(project::FILE, &text).is_err() {
        return Err(Error::Unwritable);
    }
    lock.library.insert(entry.name.clone(), fetched.pin.clone());
    // A library without a pin says what to do, a pin without a library does nothing.
    project::replace(&path, &text)?;
    lock.write(root)?;
    Ok(fetched)
}

/// The text of `rootwright.toml` with one library more.
fn with_entry(text: &str, entry: &Entry) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut out = text.trim_end().to_owned();
    out.push_str(&format!(
        "\n\n[libraries.{}]\ngit = {}\n",
        entry.name,
        quoted(&entry.git)
    ));
    let fields = entry.wanted.fields();
    for (key, value) in ["branch", "tag", "rev"].iter().zip(fields) {
        if let Some(value) = value {
            out.push_str(&format!("{key} = {}\n", quoted(&value)));
        }
    }
    if !entry.grants.is_empty() {
        let grants = entry.grants.iter().map(|grant| quoted(&grant.to_string()));
        let grants: Vec<String> = grants.collect();
        out.push_str(&format!("grants = [{}]\n", grants.join(", ")));
    }
    out.trim_start().to_owned()
}

/// A library that is pinned to another state than before.
pub struct UpdatedLibrary {
    /// The commit that it was pinned to, if there was one.
    pub from: Option<String>,
    pub now: Pin,
}

/// Pins a library to the newest state of what is asked for. With `accept`, that need not
/// follow from the state before. `None` where it is pinned to that already.
///
/// # Errors
/// See [`Error`]; the lock is as it was then.
pub fn update(
    library: &Library,
    root: &Path,
    lock: &mut Lock,
    accept: bool,
    shelf: &Path,
) -> Result<Option<UpdatedLibrary>, Error> {
    let before = library.pinned();
    let now = newest(&library.entry, root, before.filter(|_| !accept), shelf)?;
    if before == Some(&now.pin) {
        return Ok(None);
    }
    let name = &library.entry.name;
    lock.library.insert(name.clone(), now.pin.clone());
    if vendored(root, name).is_dir() {
        copy_to(&now.folder, &vendored(root, name))?;
    }
    let from = library.pin.as_ref().map(|pin| pin.short().to_owned());
    Ok(Some(UpdatedLibrary { from, now: now.pin }))
}

/// Puts a copy of a pinned library into the repository; `false` where it is there already.
///
/// # Errors
/// See [`Error`].
pub fn vendor(library: &Library, root: &Path, shelf: &Path) -> Result<bool, Error> {
    let Some(pin) = library.pinned() else {
        return Err(Error::NotPinned);
    };
    let is_right = |folder: &Path| {
        folder.is_dir() && tree::digest(folder).is_ok_and(|digest| digest == pin.digest)
    };
    let (to, from) = (vendored(root, &library.entry.name), shelf.join(&pin.digest));
    if is_right(&to) {
        return Ok(false);
    }
    if !is_right(&from) {
        pinned(library, root, shelf)?;
    }
    copy_to(&from, &to)?;
    Ok(true)
}

fn vendored(root: &Path, name: &str) -> PathBuf {
    root.join(VENDOR).join(name)
}

/// Replaces a folder by a copy of another.
fn copy_to(from: &Path, to: &Path) -> Result<(), Error> {
    let parent = to.parent().unwrap_or(to);
    fs::create_dir_all(parent)?;
    let work = tempfile::Builder::new()
        .prefix(".new-")
        .tempdir_in(parent)?;
    let new = work.path().join("new");
    files::copy(from, &new)?;
    if to.symlink_metadata().is_ok() {
        // It goes with the folder for work.
        fs::rename(to, work.path().join("old"))?;
    }
    Ok(fs::rename(&new, to)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Grant;
    use crate::project::Wanted;

    #[test]
    fn what_a_person_wrote_stays() {
        let entry = Entry {
            name: "net".to_owned(),
            git: "https://git.example.org/net \"x\"".to_owned(),
            wanted: Wanted::Tag("v1".to_owned()),
            grants: vec![Grant::HostRun],
            place: None,
        };
        let text = with_entry("# ours\nname = \"x\"\n", &entry);
        assert!(
            text.starts_with("# ours\nname = \"x\"\n\n[libraries.net]\n"),
            "{text}"
        );
        let read = config::parse("x", &text).unwrap();
        assert_eq!(read.libraries[0].git, entry.git);
        assert_eq!(read.libraries[0].wanted, entry.wanted);
        assert_eq!(read.libraries[0].grants, entry.grants);
    }
}
