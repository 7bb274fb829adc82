//! The characters of a script, told apart: code, text, comments.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnose::{Position, Span};

/// What a character is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CharKind {
    Code,
    Text,
    Comment,
}

/// The characters of a script with their byte offsets and their kinds. Made once a file:
/// a script may be as large as the limits allow, and every call in it is looked up.
pub struct Scan {
    pub text: Arc<str>,
    pub chars: Vec<(usize, char, CharKind)>,
    /// Indices of the characters that lines start with.
    lines: Vec<usize>,
    /// The byte where a block comment starts that is never closed.
    pub open_comment: Option<usize>,
}

impl Scan {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let mut chars: Vec<(usize, char, CharKind)> = text
            .char_indices()
            .map(|(offset, c)| (offset, c, CharKind::Code))
            .collect();
        let breaks = chars.iter().enumerate().filter(|(_, (_, c, _))| *c == '\n');
        let lines = std::iter::once(0)
            .chain(breaks.map(|(index, _)| index + 1))
            .collect();
        let open_comment = mark(&mut chars);
        Scan {
            text,
            chars,
            lines,
            open_comment,
        }
    }

    pub fn index_at(&self, byte: usize) -> usize {
        self.chars.partition_point(|(offset, _, _)| *offset < byte)
    }

    pub fn byte(&self, index: usize) -> usize {
        self.chars
            .get(index)
            .map_or(self.text.len(), |(offset, _, _)| *offset)
    }

    /// The byte at a position; a column past the end of its line is the line's end.
    pub fn byte_at(&self, at: Position) -> Option<usize> {
        let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
        let start = *self.lines.get(line)?;
        let end = self
            .lines
            .get(line + 1)
            .map_or(self.chars.len(), |next| next.saturating_sub(1));
        let column = usize::try_from(at.column).ok()?.saturating_sub(1);
        Some(self.byte(start.saturating_add(column).min(end)))
    }

    /// The line and the column, in characters, of a byte offset.
    pub fn position(&self, byte: usize) -> Position {
        let index = self.index_at(byte);
        let line = self.lines.partition_point(|start| *start <= index);
        let start = self.lines.get(line.saturating_sub(1)).copied();
        let column = index.saturating_sub(start.unwrap_or_default()) + 1;
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
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

    /// The character of code at an index.
    pub fn code_at(&self, index: usize) -> Option<char> {
        match self.chars.get(index) {
            Some((_, c, CharKind::Code)) => Some(*c),
            _ => None,
        }
    }

    pub fn kind(&self, index: usize) -> Option<CharKind> {
        self.chars.get(index).map(|(_, _, kind)| *kind)
    }

    pub fn text(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    pub fn skip_blank(&self, index: usize) -> usize {
        let rest = self.chars.iter().skip(index);
        let blank = rest.take_while(|(_, c, kind)| match kind {
            CharKind::Code => c.is_whitespace(),
            CharKind::Comment => true,
            CharKind::Text => false,
        });
        index + blank.count()
    }

    /// The index after the bracket that closes the one at `open`.
    pub fn closing(&self, open: usize) -> Option<usize> {
        let code = self.code_between(open, self.chars.len());
        partner(code, "([{").map(|index| index + 1)
    }

    pub fn word_end(&self, mut index: usize) -> usize {
        while matches!(self.chars.get(index), Some((_, c, CharKind::Code)) if is_word(*c)) {
            index += 1;
        }
        index
    }

    /// The start of the `a.b::` before a name, as far as it is plain words.
    pub fn receiver_start(&self, name: usize) -> usize {
        let mut start = name;
        loop {
            let separator = match (self.code(start, 1), self.code(start, 2)) {
                (Some('.'), _) => 1,
                (Some(':'), Some(':')) => 2,
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
        while matches!(self.code(start, 1), Some(')' | ']')) {
            match self.opening(start) {
                Some(open) => start = open,
                None => return end,
            }
        }
        if start == end {
            let text = |index: usize| {
                let before = index.checked_sub(1).and_then(|i| self.chars.get(i));
                matches!(before, Some((_, _, CharKind::Text)))
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
        partner(self.code_between(0, end).rev(), ")]}")
    }

    /// The characters of code from one index up to another, with their indices.
    pub fn code_between(
        &self,
        start: usize,
        end: usize,
    ) -> impl DoubleEndedIterator<Item = (usize, char)> {
        let all = self.chars.iter().enumerate().take(end).skip(start);
        all.filter(|(_, (_, _, kind))| *kind == CharKind::Code)
            .map(|(index, (_, c, _))| (index, *c))
    }

    fn code(&self, index: usize, before: usize) -> Option<char> {
        match self.chars.get(index.checked_sub(before)?) {
            Some((_, c, CharKind::Code)) => Some(*c),
            _ => None,
        }
    }
}

/// The index of the bracket that ends what the first one of `code` begins; `first` are the
/// brackets that go deeper.
fn partner(code: impl Iterator<Item = (usize, char)>, first: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (index, c) in code {
        if first.contains(c) {
            depth += 1;
        } else if "()[]{}".contains(c) {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(index);
            }
        }
    }
    None
}

pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Finds the strings and the comments; gives the byte of a block comment that is never
/// closed.
fn mark(chars: &mut [(usize, char, CharKind)]) -> Option<usize> {
    let code = |c: &(usize, char, CharKind)| c.1;
    // The brace depth at which each `${` of a backtick string ends.
    let mut templates: Vec<usize> = Vec::new();
    let mut depth = 0usize;
    let mut open_comment = None;
    let mut at = 0;
    while let Some(c) = chars.get(at).map(code) {
        let (end, kind) = match (c, chars.get(at + 1).map(code)) {
            ('/', Some('/')) => (line_end(chars, at), CharKind::Comment),
            ('/', Some('*')) => {
                let end = block_comment_end(chars, at);
                if end.is_none() {
                    open_comment = chars.get(at).map(|(offset, _, _)| *offset);
                }
                (end.unwrap_or(chars.len()), CharKind::Comment)
            }
            ('#', Some('"' | '#')) => (raw_end(chars, at), CharKind::Text),
            ('"' | '\'', _) => (quoted_end(chars, at, c), CharKind::Text),
            ('`', _) => (
                template_end(chars, at, &mut templates, depth),
                CharKind::Text,
            ),
            ('{', _) => {
                depth += 1;
                (at, CharKind::Code)
            }
            ('}', _) => {
                depth = depth.saturating_sub(1);
                if templates.last() == Some(&depth) {
                    templates.pop();
                    (
                        template_end(chars, at, &mut templates, depth),
                        CharKind::Text,
                    )
                } else {
                    (at, CharKind::Code)
                }
            }
            _ => (at, CharKind::Code),
        };
        if end == at {
            at += 1;
            continue;
        }
        let end = end.min(chars.len());
        let mut last = None;
        for entry in chars.iter_mut().take(end).skip(at) {
            entry.2 = kind;
            last = Some(entry.1);
        }
        if templates.last() == Some(&depth) && last == Some('{') {
            depth += 1;
        }
        at = end;
    }
    open_comment
}

/// The end of a raw string, `#"…"#` with any number of `#`; `at` where none starts there.
fn raw_end(chars: &[(usize, char, CharKind)], at: usize) -> usize {
    let hashes = |from: usize| {
        let rest = chars.iter().skip(from);
        rest.take_while(|(_, c, _)| *c == '#').count()
    };
    let opened = hashes(at);
    if chars.get(at + opened).map(|(_, c, _)| *c) != Some('"') {
        return at;
    }
    let mut i = at + opened + 1;
    while let Some((_, c, _)) = chars.get(i) {
        if *c == '"' && hashes(i + 1) >= opened {
            return i + 1 + opened;
        }
        i += 1;
    }
    chars.len()
}

/// The end of a stretch of backtick text that starts at `at` (a backtick, or the `}`
/// that ends an interpolation): after the closing backtick, or after a `${`.
fn template_end(
    chars: &[(usize, char, CharKind)],
    at: usize,
    templates: &mut Vec<usize>,
    depth: usize,
) -> usize {
    let mut i = at + 1;
    while let Some((_, c, _)) = chars.get(i) {
        match (c, chars.get(i + 1).map(|(_, c, _)| *c)) {
            ('`', Some('`')) => i += 2,
            ('`', _) => return i + 1,
            ('$', Some('{')) => {
                templates.push(depth);
                return i + 2;
            }
            _ => i += 1,
        }
    }
    chars.len()
}

fn line_end(chars: &[(usize, char, CharKind)], at: usize) -> usize {
    let rest = chars.iter().skip(at);
    at + rest.take_while(|(_, c, _)| *c != '\n').count()
}

fn quoted_end(chars: &[(usize, char, CharKind)], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while let Some((_, c, _)) = chars.get(i) {
        match c {
            '\\' => i += 2,
            c if *c == quote => return i + 1,
            _ => i += 1,
        }
    }
    chars.len()
}

fn block_comment_end(chars: &[(usize, char, CharKind)], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut i = at;
    while let Some((_, c, _)) = chars.get(i) {
        match (c, chars.get(i + 1).map(|(_, c, _)| *c)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
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
