//! An export gets its name when it is complete: staged elsewhere, then renamed.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{CWD, FlockOperation, RenameFlags};

use super::Error;

/// The file that marks a folder as an export of ours.
pub const MARKER: &str = "manifest.json";

/// A folder that becomes an export; removed when it is dropped before.
pub struct Staging {
    folder: tempfile::TempDir,
    _lock: fs::File,
    name: String,
    out: PathBuf,
}

impl Staging {
    /// In `store` where that is on the same file system as `out`, so that nothing but
    /// complete exports is ever in `out`; else beside the export, hidden and locked.
    pub fn new(out: &Path, store: &Path, name: &str) -> Result<Self, Error> {
        let fail = |source| Error::Out { path: out.to_owned(), source };
        check(out, name)?;
        fs::create_dir_all(out).map_err(fail)?;
        let out = fs::canonicalize(out).map_err(fail)?;
        remove_stale(&out);
        let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev());
        let same = matches!((device(&out), device(store)), (Ok(a), Ok(b)) if a == b);
        let parent = if same { store } else { out.as_path() };
        let folder = tempfile::Builder::new()
            .prefix(&format!(".{name}.partial-"))
            .tempdir_in(parent)
            .map_err(fail)?;
        let lock = fs::File::open(folder.path()).map_err(fail)?;
        rustix::fs::flock(lock.as_fd(), FlockOperation::LockExclusive).map_err(|error| fail(error.into()))?;
        // What is served to others is readable by them.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).map_err(fail)?;
        Ok(Staging { folder, _lock: lock, name: name.to_owned(), out })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the folder its name, in the place of an older export of that name.
    pub fn publish(self) -> Result<PathBuf, Error> {
        let fail = |source| Error::Out { path: self.out.clone(), source };
        let target = self.out.join(&self.name);
        let staged = fs::File::open(self.path()).map_err(fail)?;
        rustix::fs::syncfs(staged.as_fd()).map_err(|error| fail(error.into()))?;
        check(&self.out, &self.name)?;
        let flags = if target.symlink_metadata().is_ok() {
            // The older export is in the staging folder after this, and goes with it.
            RenameFlags::EXCHANGE
        } else {
            RenameFlags::NOREPLACE
        };
        rustix::fs::renameat_with(CWD, self.path(), CWD, &target, flags).map_err(|error| fail(error.into()))?;
        fs::File::open(&self.out).and_then(|out| out.sync_all()).map_err(fail)?;
        Ok(target)
    }
}

/// Removes what killed builds have left beside the exports.
fn remove_stale(out: &Path) {
    let Ok(entries) = fs::read_dir(out) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with('.') && name.contains(".partial-")) {
            continue;
        }
        if let Ok(folder) = fs::File::open(entry.path())
            && rustix::fs::flock(folder.as_fd(), FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            // A folder that cannot be removed now is tried again by the next export.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether an export of this name can go to `out`: what is there has to be one of ours.
pub fn check(out: &Path, name: &str) -> Result<(), Error> {
    let fail = |source| Error::Out { path: out.to_owned(), source };
    let existing = out.ancestors().find(|path| path.symlink_metadata().is_ok());
    if let Some(existing) = existing.filter(|path| !path.as_os_str().is_empty()) {
        if !existing.is_dir() {
            return Err(fail(std::io::ErrorKind::NotADirectory.into()));
        }
        rustix::fs::access(existing, rustix::fs::Access::WRITE_OK).map_err(|error| fail(error.into()))?;
    }
    let target = out.join(name);
    if target.symlink_metadata().is_err() {
        return Ok(());
    }
    let ours = fs::read(target.join(MARKER))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .is_some_and(|manifest| manifest.get("rootwright").is_some());
    if ours && !target.is_symlink() {
        Ok(())
    } else {
        Err(Error::Foreign { path: target })
    }
}
