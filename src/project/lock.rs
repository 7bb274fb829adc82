//! `rootwright.lock`: what the libraries of a repository are pinned to.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Wanted, from_here};
use crate::diagnose::{Report, Trouble};
use crate::plan::short;

/// The file's name, beside `rootwright.toml`.
pub const FILE: &str = "rootwright.lock";
const VERSION: u32 = 1;
const HEAD: &str =
    "# Written by `rootwright add` and `rootwright update`; belongs into version control.\n";

/// The pins of a repository, by the library's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    #[serde(default)]
    pub library: BTreeMap<String, Pin>,
}

/// What one library is pinned to, and by what it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    pub git: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<String>,
    /// The whole name of the commit.
    pub commit: String,
    /// Of the library's files: see [`super::tree::digest`].
    pub digest: String,
}

impl Pin {
    pub fn new(git: &str, wanted: &Wanted, commit: String, digest: String) -> Self {
        let [branch, tag, rev] = wanted.fields();
        Pin {
            git: git.to_owned(),
            branch,
            tag,
            rev,
            commit,
            digest,
        }
    }

    /// Whether it was found by what `rootwright.toml` asks for now.
    pub fn is_of(&self, git: &str, wanted: &Wanted) -> bool {
        let [branch, tag, rev] = wanted.fields();
        (&*self.git, &self.branch, &self.tag, &self.rev) == (git, &branch, &tag, &rev)
    }

    /// The commit in as many digits as a person compares.
    pub fn short(&self) -> &str {
        short(&self.commit)
    }
}

impl Lock {
    /// Of a repository; empty where there is no such file.
    ///
    /// # Errors
    /// When the file cannot be read, or is of a version that this program does not know.
    pub fn read(root: &Path) -> Result<Lock, Trouble> {
        let path = root.join(FILE);
        let refuse = |message: String| {
            let report = Report::new("site::lock", message);
            Trouble::from(report.help(
                "take it from version control again; or remove it, and `rootwright update` pins what is newest",
            ))
        };
        let shown = from_here(&path);
        let shown = shown.display();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Lock::default()),
            Err(error) => return Err(refuse(format!("cannot read `{shown}`: {error}"))),
        };
        let lock: Lock = toml::from_str(&text)
            .map_err(|error| refuse(format!("`{shown}` is no lock: {}", error.message())))?;
        if lock.version != VERSION {
            let version = lock.version;
            return Err(refuse(format!(
                "`{shown}` has version {version}, and this rootwright knows version {VERSION}"
            )));
        }
        let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
        let mut pins = lock.library.iter();
        match pins.find(|(_, pin)| !word(&pin.commit) || !word(&pin.digest)) {
            Some((name, _)) => Err(refuse(format!(
                "`{shown}` pins `{name}` to no commit and digest"
            ))),
            None => Ok(lock),
        }
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, root: &Path) -> std::io::Result<()> {
        let lock = Lock {
            version: VERSION,
            ..self.clone()
        };
        let text = toml::to_string(&lock).map_err(std::io::Error::other)?;
        replace(&root.join(FILE), &format!("{HEAD}{text}"))
    }
}

/// Replaces a file with another one, so that no reader sees half of it.
pub fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
