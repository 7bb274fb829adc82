//! What systemd-nspawn makes in a root to mount paths of the host on. It leaves it there, and
//! an image would have the builder's paths.

use std::path::{Path, PathBuf};

use pathrs::Root;
use pathrs::error::ErrorKind;
use rustix::io::Errno;

use super::Error;
use crate::plan::Bind;

/// Paths that a root lacks while nothing is mounted on them, the deepest of each bind first.
/// They are removed when this is dropped; [`MountPoints::remove`] says whether that worked.
#[must_use]
pub struct MountPoints {
    root: PathBuf,
    missing: Vec<PathBuf>,
}

impl MountPoints {
    /// # Errors
    /// When the root cannot be opened.
    pub fn of(root: &Path, binds: &[Bind]) -> Result<Self, Error> {
        let mut missing = Vec::new();
        for bind in binds {
            let path = Path::new(&bind.path);
            let inside = open(root)?;
            let paths = path.ancestors();
            let lacks = paths.take_while(|path| inside.resolve(path).is_err());
            missing.extend(lacks.map(Path::to_owned));
        }
        Ok(MountPoints {
            root: root.to_owned(),
            missing,
        })
    }

    /// Takes away what was missing and is empty: what a command has put beside a mount stays.
    ///
    /// # Errors
    /// When the root cannot be changed.
    pub fn remove(&mut self) -> Result<(), Error> {
        for path in std::mem::take(&mut self.missing) {
            let inside = open(&self.root)?;
            let removed = match inside.remove_dir(&path) {
                Err(error) if is(&error, Errno::NOTDIR) => inside.remove_file(&path),
                removed => removed,
            };
            match removed {
                Err(error) if !is(&error, Errno::NOTEMPTY) && !is(&error, Errno::NOENT) => {
                    return Err(failed(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Drop for MountPoints {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!("{error}");
        }
    }
}

fn open(root: &Path) -> Result<Root, Error> {
    Root::open(root).map_err(failed)
}

/// The root's topmost layer is the store's.
fn failed(error: pathrs::error::Error) -> Error {
    Error::store(std::io::Error::other(error))
}

fn is(error: &pathrs::error::Error, number: Errno) -> bool {
    matches!(error.kind(), ErrorKind::OsError(Some(found)) if found == number.raw_os_error())
}
