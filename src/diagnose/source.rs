//! Places in scripts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point in a script: line and column, both counted from 1; a column is a character
/// (not a byte), and a tab is one.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A stretch of a script, from `start` up to and not including `end`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// The file as the user named it, or `stdlib:distro/x.rhai` for an embedded one.
    pub file: String,
    pub start: Position,
    pub end: Position,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.start)
    }
}

/// One call in the chain that led somewhere; chains run from the recipe inwards.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// What is called at `span`.
    pub function: String,
    pub span: Span,
}

/// What the last frame of a chain calls where it is no call, but the place of the error.
const HERE: &str = "here";

impl Frame {
    /// The place of an error.
    pub fn here(span: Span) -> Self {
        Frame {
            function: HERE.to_owned(),
            span,
        }
    }

    pub fn is_here(&self) -> bool {
        self.function == HERE
    }
}

/// The text of every script that took part, by the name that spans use.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: BTreeMap<String, Arc<str>>,
}

impl SourceMap {
    pub fn insert(&mut self, file: impl Into<String>, text: impl Into<Arc<str>>) {
        self.files.insert(file.into(), text.into());
    }

    pub fn extend(&mut self, other: SourceMap) {
        self.files.extend(other.files);
    }

    /// Every file with its text, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.files.iter();
        files.map(|(file, text)| (file.as_str(), text.as_ref()))
    }

    pub fn get(&self, file: &str) -> Option<&Arc<str>> {
        self.files.get(file)
    }

    /// The byte range of `span` in its file; `None` when the file is unknown or shorter.
    pub fn byte_range(&self, span: &Span) -> Option<std::ops::Range<usize>> {
        let text = self.get(&span.file)?;
        let start = byte_offset(text, span.start)?;
        let end = byte_offset(text, span.end)?.max(start);
        Some(start..end)
    }

    /// The text of one line, without its line break.
    pub fn line(&self, file: &str, line: u32) -> Option<&str> {
        self.get(file)?.lines().nth(line.checked_sub(1)? as usize)
    }
}

/// The byte offset of a position; a column past the end of its line is the line's end.
pub fn byte_offset(text: &str, at: Position) -> Option<usize> {
    let mut start = 0;
    for _ in 1..at.line {
        start += text.get(start..)?.find('\n')? + 1;
    }
    let line = text.get(start..)?;
    let line = line.split('\n').next().unwrap_or(line);
    let within = line
        .char_indices()
        .nth(at.column.saturating_sub(1) as usize)
        .map_or(line.len(), |(offset, _)| offset);
    Some(start + within)
}

/// The position of a byte offset; past the end it is the end.
pub fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or(before);
    let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
    Position {
        line: count(before.matches('\n').count()),
        column: count(line.chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters() {
        let text = "let ä = 1;\nlet b = 2;\n";
        assert_eq!(
            byte_offset(text, Position { line: 1, column: 7 }),
            Some("let ä ".len())
        );
        assert_eq!(
            byte_offset(text, Position { line: 2, column: 5 }),
            Some("let ä = 1;\nlet ".len())
        );
        assert_eq!(byte_offset(text, Position { line: 9, column: 1 }), None);
    }
}
