//! Downloads of package managers, kept for other builds.
//!
//! A pool is a folder of files named `SHA256-NAME`. A command never sees the pool: it gets an
//! empty folder for its downloads and, below that in an overlay, links to the files that it may
//! use. So nothing that it does reaches the pool. Its new files are copied there when it has ended.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fs_err as fs;

use super::{Store, sha256};
use crate::plan::Downloads;

/// A file that the index of a repository offers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    pub sha256: String,
    /// The name under which the package manager looks for it.
    pub name: String,
}

/// Which files of a pool a command gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Offers {
    #[default]
    None,
    /// These, if their digests are right.
    Files(Vec<Offer>),
    /// All, by their names: the command checks them itself.
    All,
}

/// The folders of a command that downloads. They are removed when this is dropped.
pub struct Downloaded {
    pool: PathBuf,
    folder: tempfile::TempDir,
    suffix: String,
    offers_any: bool,
    /// Whether other builds could use a file.
    keeps: bool,
}

impl Offer {
    /// Reads a line `SHA256 NAME`. Returns nothing if the name isn't one of a file in a folder.
    pub fn parse(line: &str) -> Option<Offer> {
        let (sha256, name) = line.split_once(' ')?;
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']);
        (is_digest(sha256) && plain).then(|| Offer {
            sha256: sha256.to_owned(),
            name: name.to_owned(),
        })
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether a file of the pool is what it was. If not, it is removed.
fn is_good(path: &Path, expected: &str) -> bool {
    match sha256(path) {
        Ok(digest) if digest == expected => true,
        Ok(_) => {
            tracing::warn!("`{}` has changed on the disk: removed", path.display());
            let _ = fs::remove_file(path);
            false
        }
        // A collector may have removed it.
        Err(error) => {
            tracing::debug!("{error}");
            false
        }
    }
}

impl Store {
    /// Makes the folders of a command below `work`, with what it may use of the pool.
    ///
    /// # Errors
    /// When they can't be made.
    pub fn downloaded(
        &self,
        downloads: &Downloads,
        offers: &Offers,
        work: &Path,
    ) -> io::Result<Downloaded> {
        let pool = self.folder("packages").join(&downloads.pool);
        fs::create_dir_all(&pool)?;
        let folder = tempfile::TempDir::with_prefix_in("downloads-", work)?;
        let mut downloaded = Downloaded {
            pool,
            folder,
            suffix: downloads.suffix.clone(),
            offers_any: false,
            keeps: downloads.check.is_some(),
        };
        for folder in [downloaded.new_files(), downloaded.offered_files()] {
            fs::create_dir(&folder)?;
            fs::set_permissions(&folder, PermissionsExt::from_mode(0o755))?;
        }
        let files = match offers {
            Offers::None => BTreeMap::new(),
            Offers::Files(offers) => downloaded.verified(offers)?,
            Offers::All => downloaded.newest()?,
        };
        for (name, path) in files {
            // A collector may have removed it.
            downloaded.offers_any |=
                fs::hard_link(path, downloaded.offered_files().join(name)).is_ok();
        }
        Ok(downloaded)
    }
}

impl Downloaded {
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that the command writes to.
    pub fn new_files(&self) -> PathBuf {
        self.folder.path().join("new")
    }

    /// The folder of files that the command may use, which nobody writes to.
    pub fn offered(&self) -> Option<PathBuf> {
        self.offers_any.then(|| self.offered_files())
    }

    fn offered_files(&self) -> PathBuf {
        self.folder.path().join("offered")
    }

    /// The files of the pool, by digest and name.
    fn files(&self) -> io::Result<Vec<(Offer, PathBuf)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.pool)? {
            let entry = entry?;
            let name = entry.file_name();
            let parts = name.to_str().and_then(|name| name.split_once('-'));
            let offer = parts.and_then(|(sha256, name)| Offer::parse(&format!("{sha256} {name}")));
            files.extend(offer.map(|offer| (offer, entry.path())));
        }
        Ok(files)
    }

    /// The pool's files that are offered. A file that has changed on the disk is removed.
    fn verified(&self, offers: &[Offer]) -> io::Result<BTreeMap<String, PathBuf>> {
        let mut pool: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for (file, path) in self.files()? {
            pool.entry(file.sha256).or_default().push(path);
        }
        let named = |offer: &&Offer| offer.name.ends_with(&self.suffix);
        let mut verified = BTreeMap::new();
        for offer in offers.iter().filter(named) {
            let mut same = pool.get(&offer.sha256).into_iter().flatten();
            if let Some(path) = same.find(|path| is_good(path, &offer.sha256)) {
                verified.insert(offer.name.clone(), path.clone());
            }
        }
        Ok(verified)
    }

    /// Every file by its name; of two, the younger.
    fn newest(&self) -> io::Result<BTreeMap<String, PathBuf>> {
        let mut newest: BTreeMap<String, (SystemTime, PathBuf)> = BTreeMap::new();
        for (file, path) in self.files()? {
            let Ok(made) = fs::metadata(&path).and_then(|metadata| metadata.modified()) else {
                continue;
            };
            if newest
                .get(&file.name)
                .is_none_or(|(other, _)| *other < made)
            {
                newest.insert(file.name, (made, path));
            }
        }
        Ok(newest
            .into_iter()
            .map(|(name, (_, path))| (name, path))
            .collect())
    }

    /// Copies new files to the pool. It isn't an error if the pool can't take one: the next build
    /// downloads it again.
    pub fn keep(self) {
        if !self.keeps {
            return;
        }
        let entries = fs::read_dir(self.new_files()).into_iter().flatten();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| name.ends_with(&self.suffix)) else {
                continue;
            };
            if entry.file_type().is_ok_and(|kind| kind.is_file())
                && let Err(error) = self.take(&entry.path(), name)
            {
                tracing::debug!("{error}");
            }
        }
    }

    /// Copies a file, so that the pool's has no other name, owner, or attributes.
    fn take(&self, file: &Path, name: &str) -> io::Result<()> {
        let copy = tempfile::NamedTempFile::new_in(self.folder.path())?;
        fs::copy(file, copy.path())?;
        fs::set_permissions(copy.path(), PermissionsExt::from_mode(0o644))?;
        let digest = sha256(copy.path())?;
        let place = self.pool.join(format!("{digest}-{name}"));
        // One that is there was found good when it was offered, or is replaced.
        copy.persist(place).map(drop).map_err(|error| error.error)
    }
}
