//! Who wrote a script.

use super::Frame;

/// How the names of the standard library's scripts begin; a recipe's own files never do.
pub const STDLIB: &str = "stdlib:";
/// How the names of a library's modules begin, in imports and in spans.
pub const LIBRARY: char = '@';

/// Who wrote the script that a call stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin<'a> {
    /// Comes with rootwright.
    Stdlib,
    /// A library of this name.
    Library(&'a str),
    /// The recipe, or a module of its repository.
    Project,
}

impl Origin<'_> {
    /// The origin of a file, by its name in spans.
    pub fn of(file: &str) -> Origin<'_> {
        if file.starts_with(STDLIB) {
            return Origin::Stdlib;
        }
        match file.strip_prefix(LIBRARY) {
            Some(name) => Origin::Library(name.split('/').next().unwrap_or(name)),
            None => Origin::Project,
        }
    }
}

impl Frame {
    pub fn origin(&self) -> Origin<'_> {
        Origin::of(&self.span.file)
    }
}

/// Who wrote the script that the last of these calls stands in.
pub fn innermost_origin(calls: &[Frame]) -> Option<Origin<'_>> {
    calls.last().map(Frame::origin)
}

/// The calls before the first of the standard library, which do not help to fix a recipe.
pub fn own_calls(calls: &[Frame]) -> Vec<Frame> {
    let own = |frame: &&Frame| frame.origin() != Origin::Stdlib;
    calls.iter().take_while(own).cloned().collect()
}
