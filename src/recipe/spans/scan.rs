//! The characters of a script, told apart: code, text, comments.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnose::{Position, Span};

/// What a character is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ByteKind {
    Code,
    Text,
    Comment,
}

/// A script with the kind of each of its bytes. Made once a file: a script may be as large as
/// the limits allow, and every call in it is looked up. What tells code from text is ASCII, so
/// a place in it is a byte's.
pub struct Scan {
    pub text: Arc<str>,
    kinds: Vec<ByteKind>,
    /// The bytes that lines start with.
    lines: Vec<usize>,
    /// The byte where a block comment starts that is never closed.
    pub open_comment: Option<usize>,
}

impl Scan {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let mut kinds = vec![ByteKind::Code; text.len()];
        let breaks = text.bytes().enumerate().filter(|(_, c)| *c == b'\n');
        let lines = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        let open_comment = mark(text.as_bytes(), &mut kinds);
        Scan {
            text,
            kinds,
            lines,
            open_comment,
        }
    }

    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// The byte at a position; a column past the end of its line is the line's end.
    pub fn byte_at(&self, at: Position) -> Option<usize> {
        let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
        let start = *self.lines.get(line)?;
        let next = self.lines.get(line + 1);
        let end = next.map_or(self.len(), |next| next.saturating_sub(1));
        let column = usize::try_from(at.column).ok()?.saturating_sub(1);
        let mut chars = self.text(&(start..end)).char_indices();
        Some(chars.nth(column).map_or(end, |(offset, _)| start + offset))
    }

    /// The bytes of a span.
    pub fn range(&self, span: &Span) -> Option<Range<usize>> {
        Some(self.byte_at(span.start)?..self.byte_at(span.end)?)
    }

    /// The line and the column, in characters, of a byte offset.
    pub fn position(&self, byte: usize) -> Position {
        let line = self.lines.partition_point(|start| *start <= byte);
        let start = self.lines.get(line.saturating_sub(1)).copied();
        let before = self.text(&(start.unwrap_or_default()..byte));
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX),
        }
    }

    /// A byte range as lines and columns.
    pub fn span(&self, file: &str, range: &Range<usize>) -> Span {
        Span {
            file: file.to_owned(),
            start: self.position(range.start),
            end: self.position(range.end),
        }
    }

    /// The byte at an index with its kind.
    pub fn get(&self, index: usize) -> Option<(u8, ByteKind)> {
        Some((*self.text.as_bytes().get(index)?, *self.kinds.get(index)?))
    }

    /// The byte of code at an index.
    pub fn code_at(&self, index: usize) -> Option<u8> {
        match self.get(index) {
            Some((c, ByteKind::Code)) => Some(c),
            _ => None,
        }
    }

    /// How many bytes from `index` on are of a kind.
    pub fn run_of(&self, kind: ByteKind, index: usize) -> usize {
        let rest = self.kinds.iter().skip(index);
        rest.take_while(|of| **of == kind).count()
    }

    pub fn text(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    pub fn skip_blank(&self, mut index: usize) -> usize {
        while self.get(index).is_some_and(|(c, kind)| match kind {
            ByteKind::Code => c.is_ascii_whitespace(),
            ByteKind::Comment => true,
            ByteKind::Text => false,
        }) {
            index += 1;
        }
        index
    }

    /// The index after the bracket that closes the one at `open`.
    pub fn closing(&self, open: usize) -> Option<usize> {
        let code = self.code_between(open, self.len());
        partner(code, b"([{").map(|index| index + 1)
    }

    pub fn word_end(&self, mut index: usize) -> usize {
        while self.code_at(index).is_some_and(is_word) {
            index += 1;
        }
        index
    }

    /// The start of the `a.b::` before a name, as far as it is plain words.
    pub fn receiver_start(&self, name: usize) -> usize {
        let mut start = name;
        loop {
            let separator = match (self.code(start, 1), self.code(start, 2)) {
                (Some(b'.'), _) => 1,
                (Some(b':'), Some(b':')) => 2,
                _ => return start,
            };
            let end = start - separator;
            let before = self.operand_start(end);
            if before == end {
                return start;
            }
            start = before;
        }
    }

    /// The start of the word, the text or the brackets that end at index `end`, with the
    /// word that is called there.
    fn operand_start(&self, end: usize) -> usize {
        let mut start = end;
        while matches!(self.code(start, 1), Some(b')' | b']')) {
            match self.opening(start) {
                Some(open) => start = open,
                None => return end,
            }
        }
        if start == end {
            let text = |start: usize| {
                let before = start.checked_sub(1).and_then(|index| self.get(index));
                matches!(before, Some((_, ByteKind::Text)))
            };
            while text(start) {
                start -= 1;
            }
        }
        while matches!(self.code(start, 1), Some(c) if is_word(c)) {
            start -= 1;
        }
        start
    }

    /// The index of the bracket that is closed by the one before index `end`.
    fn opening(&self, end: usize) -> Option<usize> {
        partner(self.code_between(0, end).rev(), b")]}")
    }

    /// The bytes of code from one index up to another, with their indices.
    pub fn code_between(
        &self,
        start: usize,
        end: usize,
    ) -> impl DoubleEndedIterator<Item = (usize, u8)> {
        let indices = start..end.min(self.len());
        indices.filter_map(|index| Some((index, self.code_at(index)?)))
    }

    fn code(&self, index: usize, before: usize) -> Option<u8> {
        self.code_at(index.checked_sub(before)?)
    }
}

/// The index of the bracket that ends what the first one of `code` begins; `first` are the
/// brackets that go deeper.
fn partner(code: impl Iterator<Item = (usize, u8)>, first: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    for (index, c) in code {
        if first.contains(&c) {
            depth += 1;
        } else if b"()[]{}".contains(&c) {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(index);
            }
        }
    }
    None
}

/// Whether a byte of code is part of a name. What is not ASCII is in none, and is kept whole.
pub fn is_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || !c.is_ascii()
}

/// Finds the strings and the comments; gives the byte of a block comment that is never
/// closed.
fn mark(text: &[u8], kinds: &mut [ByteKind]) -> Option<usize> {
    // The brace depth at which each `${` of a backtick string ends.
    let mut templates: Vec<usize> = Vec::new();
    let mut depth = 0usize;
    let mut open_comment = None;
    let mut at = 0;
    while let Some((skipped, c)) = next_mark(text.get(at..).unwrap_or_default()) {
        at += skipped;
        let (end, kind) = match (c, text.get(at + 1).copied()) {
            (b'/', Some(b'/')) => (line_end(text, at), ByteKind::Comment),
            (b'/', Some(b'*')) => {
                let end = block_comment_end(text, at);
                if end.is_none() {
                    open_comment = Some(at);
                }
                (end.unwrap_or(text.len()), ByteKind::Comment)
            }
            (b'#', Some(b'"' | b'#')) => (raw_end(text, at), ByteKind::Text),
            (b'"' | b'\'', _) => (quoted_end(text, at, c), ByteKind::Text),
            (b'`', _) => (
                template_end(text, at, &mut templates, depth),
                ByteKind::Text,
            ),
            (b'{', _) => {
                depth += 1;
                (at, ByteKind::Code)
            }
            (b'}', _) => {
                depth = depth.saturating_sub(1);
                if templates.last() == Some(&depth) {
                    templates.pop();
                    (
                        template_end(text, at, &mut templates, depth),
                        ByteKind::Text,
                    )
                } else {
                    (at, ByteKind::Code)
                }
            }
            _ => (at, ByteKind::Code),
        };
        if end == at {
            at += 1;
            continue;
        }
        let end = end.min(text.len());
        if let Some(kinds) = kinds.get_mut(at..end) {
            kinds.fill(kind);
        }
        if templates.last() == Some(&depth) && text.get(end - 1) == Some(&b'{') {
            depth += 1;
        }
        at = end;
    }
    open_comment
}

/// The next byte that may begin or end something, and how many come before it.
fn next_mark(text: &[u8]) -> Option<(usize, u8)> {
    let mut bytes = text.iter().copied().enumerate();
    bytes.find(|(_, c)| matches!(c, b'/' | b'#' | b'"' | b'\'' | b'`' | b'{' | b'}'))
}

/// The end of a raw string, `#"…"#` with any number of `#`; `at` where none starts there.
fn raw_end(text: &[u8], at: usize) -> usize {
    let hashes = |from: usize| {
        let rest = text.iter().skip(from);
        rest.take_while(|c| **c == b'#').count()
    };
    let opened = hashes(at);
    if text.get(at + opened) != Some(&b'"') {
        return at;
    }
    let mut i = at + opened + 1;
    while let Some(c) = text.get(i) {
        if *c == b'"' && hashes(i + 1) >= opened {
            return i + 1 + opened;
        }
        i += 1;
    }
    text.len()
}

/// The end of a stretch of backtick text that starts at `at` (a backtick, or the `}`
/// that ends an interpolation): after the closing backtick, or after a `${`.
fn template_end(text: &[u8], at: usize, templates: &mut Vec<usize>, depth: usize) -> usize {
    let mut i = at + 1;
    while let Some(c) = text.get(i) {
        match (c, text.get(i + 1)) {
            (b'`', Some(b'`')) => i += 2,
            (b'`', _) => return i + 1,
            (b'$', Some(b'{')) => {
                templates.push(depth);
                return i + 2;
            }
            _ => i += 1,
        }
    }
    text.len()
}

fn line_end(text: &[u8], at: usize) -> usize {
    let rest = text.iter().skip(at);
    at + rest.take_while(|c| **c != b'\n').count()
}

fn quoted_end(text: &[u8], at: usize, quote: u8) -> usize {
    let mut i = at + 1;
    while let Some(c) = text.get(i) {
        match c {
            b'\\' => i += 2,
            c if *c == quote => return i + 1,
            _ => i += 1,
        }
    }
    text.len()
}

fn block_comment_end(text: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut i = at;
    while let Some(c) = text.get(i) {
        match (c, text.get(i + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                i += 2;
            }
            (b'*', Some(b'/')) => {
                depth = depth.saturating_sub(1);
                i += 2;
                if depth == 0 {
                    return Some(i);
                }
            }
            _ => i += 1,
        }
    }
    None
}
