//! A library as a repository asks for it.

use crate::diagnose::Span;
use crate::plan::Grant;

/// Which state of a library's repository is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The newest of the branch that the repository shows first.
    Head,
    Branch(String),
    Tag(String),
    Rev(String),
}

impl Wanted {
    /// As the fields `branch`, `tag` and `rev`.
    pub fn fields(&self) -> [Option<String>; 3] {
        match self.clone() {
            Wanted::Head => [None, None, None],
            Wanted::Branch(name) => [Some(name), None, None],
            Wanted::Tag(name) => [None, Some(name), None],
            Wanted::Rev(name) => [None, None, Some(name)],
        }
    }
}

/// A library as `rootwright.toml` names it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    /// An address that git takes; a path is relative to the repository.
    pub git: String,
    pub wanted: Wanted,
    pub grants: Vec<Grant>,
    /// The line that names it.
    pub place: Option<Span>,
}
