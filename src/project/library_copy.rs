//! A library of a repository: what is asked for, what it is pinned to, and its copy.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Entry, Pin, tree};
use crate::diagnose::Report;
use crate::plan::short;

/// An entry, its pin, and where copies of it may be.
#[derive(Debug)]
pub struct Library {
    pub entry: Entry,
    pub pin: Option<Pin>,
    /// Best first.
    copies: Vec<PathBuf>,
    /// The copy, once it was looked at; or why there is none.
    verified: OnceLock<Result<PathBuf, Report>>,
}

impl Library {
    pub fn new(entry: Entry, pin: Option<Pin>, copies: Vec<PathBuf>) -> Self {
        Library {
            entry,
            pin,
            copies,
            verified: OnceLock::new(),
        }
    }

    /// The pin that it has, if that is what `rootwright.toml` asks for.
    pub fn pinned(&self) -> Option<&Pin> {
        let pin = self.pin.as_ref()?;
        pin.is_of(&self.entry.git, &self.entry.wanted)
            .then_some(pin)
    }

    /// The copy that is there, whatever is in it.
    pub fn copy(&self) -> Option<&Path> {
        let mut copies = self.copies.iter();
        copies.find(|copy| copy.is_dir()).map(PathBuf::as_path)
    }

    /// Notes why there is no copy.
    pub fn is_missing(&self, report: Report) {
        let _ = self.verified.set(Err(report));
    }

    /// The folder of the library, which holds what it is pinned to. Looked at once.
    ///
    /// # Errors
    /// A report without a place: no pin, no copy, or another one.
    pub fn folder(&self) -> Result<&Path, Report> {
        match self.verified.get_or_init(|| self.verify()) {
            Ok(folder) => Ok(folder),
            Err(report) => Err(report.clone()),
        }
    }

    fn verify(&self) -> Result<PathBuf, Report> {
        let name = &self.entry.name;
        let refuse = |code: &str, message: String| Report::new(format!("library::{code}"), message);
        let update = format!("`rootwright update {name}` fetches it and pins it");
        let Some(pin) = self.pinned() else {
            let message = match &self.pin {
                None => format!(
                    "the library `{name}` is in rootwright.toml, and not in rootwright.lock"
                ),
                Some(_) => format!(
                    "rootwright.toml asks for another `{name}` than the one that rootwright.lock pins"
                ),
            };
            return Err(refuse("not_pinned", message).help(update));
        };
        let Some(copy) = self.copy() else {
            let message = format!("the library `{name}` has not been fetched");
            return Err(refuse("not_fetched", message));
        };
        let shown = copy.display();
        let cause = match tree::digest(copy) {
            Ok(digest) if digest == pin.digest => return Ok(copy.to_owned()),
            Ok(digest) => {
                let (found, pinned) = (short(&digest), short(&pin.digest));
                format!("the files in `{shown}` have the digest {found}, and {pinned} is pinned")
            }
            Err(error) => format!("`{shown}` cannot be read: {error}"),
        };
        let message = format!("the copy of the library `{name}` is not what rootwright.lock pins");
        Err(refuse("changed_copy", message).cause(cause).help(format!(
            "whoever changed it should say why; `rm -r {shown}`, and it is fetched again"
        )))
    }
}
