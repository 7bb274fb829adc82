//! Whether what was served is what it was.

use std::path::Path;

use fs_err as fs;

use super::error::Error;
use super::verdict::Check;
use crate::plan::Key;
use crate::store::LayerSum;

/// Stands for all that is served.
pub struct Content {
    digest: Key,
    what: String,
}

impl Content {
    /// Reads all of the artifact: names, modes, owners, times and contents.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(artifact: &Path) -> Result<Content, Error> {
        if artifact.is_dir() {
            let sum = LayerSum::of(artifact)?;
            return Ok(Content {
                digest: sum.digest,
                what: format!("{} files", sum.files),
            });
        }
        let mut hasher = blake3::Hasher::new();
        let file = fs::File::open(artifact)?;
        let bytes = file.metadata()?.len();
        hasher.update_reader(file)?;
        Ok(Content {
            digest: Key::of(&[hasher.finalize().as_bytes()]),
            what: format!("{} MiB", bytes >> 20),
        })
    }

    /// Compares it with what it was before.
    pub fn unchanged(&self, before: &Content) -> Check {
        let holds = before.digest == self.digest;
        let found = match holds {
            true => &self.what,
            false => "names, modes, owners, times or contents are others than before",
        };
        Check::new("what was served is unchanged", holds, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_to_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, "1").unwrap();
        for artifact in [folder.path(), &file] {
            std::fs::write(&file, "1").unwrap();
            let before = Content::of(artifact).unwrap();
            assert!(Content::of(artifact).unwrap().unchanged(&before).holds);
            std::fs::write(&file, "2").unwrap();
            let check = Content::of(artifact).unwrap().unchanged(&before);
            assert!(!check.holds);
            assert!(check.found.contains("others than before"));
        }
    }
}
