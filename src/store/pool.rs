//! Downloads of package managers, kept for other builds.
//!
//! A pool is a folder of files named `DIGEST-NAME`. A build sees a folder of links to
//! them, under their own names, and never the pool itself: what a package manager does to
//! its folder stays there, and two builds do not meet in one. The package manager checks
//! what it finds against its own lists; a file that does not fit them is downloaded anew.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::{Store, digest_of};
use crate::plan::Downloads;

/// The folder that a command downloads to.
pub struct Downloaded {
    pool: PathBuf,
    folder: tempfile::TempDir,
    suffix: String,
}

impl Store {
    /// A folder below `work` with all that the pool has.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn downloaded(&self, downloads: &Downloads, work: &Path) -> io::Result<Downloaded> {
        let pool = self.folder("packages").join(&downloads.pool);
        fs::create_dir_all(&pool)?;
        let folder = tempfile::TempDir::with_prefix_in("downloads-", work)?;
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
        // Two files of one name: the younger is the one that lists speak of now.
        let mut newest: BTreeMap<String, (std::time::SystemTime, PathBuf)> = BTreeMap::new();
        for entry in fs::read_dir(&pool)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((_, name)) = name.to_str().and_then(|name| name.split_once('-')) else {
                continue;
            };
            let made = entry.metadata()?.modified()?;
            if newest.get(name).is_none_or(|(other, _)| *other < made) {
                newest.insert(name.to_owned(), (made, entry.path()));
            }
        }
        for (name, (_, path)) in &newest {
            fs::hard_link(path, folder.path().join(name))?;
        }
        Ok(Downloaded {
            pool,
            folder,
            suffix: downloads.suffix.clone(),
        })
    }
}

impl Downloaded {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes what is new into the pool. A pool that cannot take it is no failure: the next
    /// build downloads again.
    pub fn keep(self) {
        let entries = fs::read_dir(self.folder.path()).into_iter().flatten();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.ends_with(&self.suffix)) else {
                continue;
            };
            // What came from the pool has its link there.
            let new = |of: std::fs::Metadata| of.is_file() && of.nlink() == 1;
            if entry.metadata().is_ok_and(new) {
                let _ = take(&entry.path(), &self.pool, name);
            }
        }
    }
}

fn take(file: &Path, pool: &Path, name: &str) -> io::Result<()> {
    let digest = digest_of(file)?;
    // Its own time says when it came, not when the packager made it.
    let opened = fs::File::options().write(true).open(file)?;
    opened.file().set_modified(std::time::SystemTime::now())?;
    fs::rename(file, pool.join(format!("{digest}-{name}")))
}
