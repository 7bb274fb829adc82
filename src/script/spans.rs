//! Where a call ends, and where its arguments and their fields stand. Rhai gives the
//! point where a call's name starts; an underline needs both ends.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnose::{Position, Span};

/// What a character is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Text,
    Comment,
}

/// The characters of a script with their byte offsets and their kinds. Made once a file:
/// a script may be as large as the limits allow, and every call in it is looked up.
pub struct Scan {
    text: Arc<str>,
    chars: Vec<(usize, char, Kind)>,
    /// Indices of the characters that lines start with.
    lines: Vec<usize>,
}

impl Scan {
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let mut chars: Vec<(usize, char, Kind)> = text
            .char_indices()
            .map(|(offset, c)| (offset, c, Kind::Code))
            .collect();
        let breaks = chars.iter().enumerate().filter(|(_, (_, c, _))| *c == '\n');
        let lines = std::iter::once(0)
            .chain(breaks.map(|(index, _)| index + 1))
            .collect();
        mark(&mut chars);
        Scan { text, chars, lines }
    }

    fn index_at(&self, byte: usize) -> usize {
        self.chars.partition_point(|(offset, _, _)| *offset < byte)
    }

    fn byte(&self, index: usize) -> usize {
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
    fn position(&self, byte: usize) -> Position {
        let index = self.index_at(byte);
        let line = self.lines.partition_point(|start| *start <= index);
        let start = self.lines.get(line.saturating_sub(1)).copied();
        let column = index.saturating_sub(start.unwrap_or_default()) + 1;
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }

    /// The span of the call whose name starts at byte `name`.
    pub fn call_span(&self, file: &str, name: usize) -> Span {
        let range = self.call(name);
        Span {
            file: file.to_owned(),
            start: self.position(range.start),
            end: self.position(range.end),
        }
    }

    fn skip_blank(&self, index: usize) -> usize {
        let rest = self.chars.iter().skip(index);
        let blank = rest.take_while(|(_, c, kind)| match kind {
            Kind::Code => c.is_whitespace(),
            Kind::Comment => true,
            Kind::Text => false,
        });
        index + blank.count()
    }

    /// The index after the bracket that closes the one at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for (index, (_, c, code)) in self.chars.iter().enumerate().skip(open) {
            if *code != Kind::Code {
                continue;
            }
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => {
                    depth = depth.checked_sub(1)?;
                    if depth == 0 {
                        return Some(index + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// The bytes of a call whose name starts at byte `name`: from its receiver to its closing
    /// bracket. Where no call is written there (an operator, a property), the word alone.
    fn call(&self, name: usize) -> Range<usize> {
        let start = self.index_at(name);
        let word = self.word_end(start);
        let open = self.skip_blank(word);
        let end = match self.chars.get(open) {
            Some((_, '(', Kind::Code)) if word > start => self.closing(open).unwrap_or(word),
            _ => word.max(start + 1),
        };
        self.byte(self.receiver_start(start))..self.byte(end)
    }

    fn word_end(&self, mut index: usize) -> usize {
        while matches!(self.chars.get(index), Some((_, c, Kind::Code)) if is_word(*c)) {
            index += 1;
        }
        index
    }

    /// The start of the `a.b::` before a name, as far as it is plain words.
    fn receiver_start(&self, name: usize) -> usize {
        let mut start = name;
        loop {
            let separator = match (self.code(start, 1), self.code(start, 2)) {
                (Some('.'), _) => 1,
                (Some(':'), Some(':')) => 2,
                _ => return start,
            };
            let mut word = start - separator;
            while matches!(self.code(word, 1), Some(c) if is_word(c)) {
                word -= 1;
            }
            if word == start - separator {
                return start;
            }
            start = word;
        }
    }

    /// The characters of code from one index up to another, with their indices.
    fn code_between(&self, start: usize, end: usize) -> impl Iterator<Item = (usize, char)> {
        let all = self.chars.iter().enumerate().take(end).skip(start);
        all.filter(|(_, (_, _, kind))| *kind == Kind::Code)
            .map(|(index, (_, c, _))| (index, *c))
    }

    fn code(&self, index: usize, before: usize) -> Option<char> {
        match self.chars.get(index.checked_sub(before)?) {
            Some((_, c, Kind::Code)) => Some(*c),
            _ => None,
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Finds the strings and the comments.
fn mark(chars: &mut [(usize, char, Kind)]) {
    let code = |c: &(usize, char, Kind)| c.1;
    // The brace depth at which each `${` of a backtick string ends.
    let mut templates: Vec<usize> = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(c) = chars.get(at).map(code) {
        let (end, kind) = match (c, chars.get(at + 1).map(code)) {
            ('/', Some('/')) => (line_end(chars, at), Kind::Comment),
            ('/', Some('*')) => (block_comment_end(chars, at), Kind::Comment),
            ('"' | '\'', _) => (quoted_end(chars, at, c), Kind::Text),
            ('`', _) => (template_end(chars, at, &mut templates, depth), Kind::Text),
            ('{', _) => {
                depth += 1;
                (at, Kind::Code)
            }
            ('}', _) => {
                depth = depth.saturating_sub(1);
                if templates.last() == Some(&depth) {
                    templates.pop();
                    (template_end(chars, at, &mut templates, depth), Kind::Text)
                } else {
                    (at, Kind::Code)
                }
            }
            _ => (at, Kind::Code),
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
}

/// The end of a stretch of backtick text that starts at `at` (a backtick, or the `}`
/// that ends an interpolation): after the closing backtick, or after a `${`.
fn template_end(
    chars: &[(usize, char, Kind)],
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

fn line_end(chars: &[(usize, char, Kind)], at: usize) -> usize {
    let rest = chars.iter().skip(at);
    at + rest.take_while(|(_, c, _)| *c != '\n').count()
}

fn quoted_end(chars: &[(usize, char, Kind)], at: usize, quote: char) -> usize {
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

fn block_comment_end(chars: &[(usize, char, Kind)], at: usize) -> usize {
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
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    chars.len()
}

/// The bytes of each argument that is written in the call that `range` holds.
pub fn arguments(text: &str, range: &Range<usize>) -> Vec<Range<usize>> {
    let scan = Scan::new(text);
    let end = scan.index_at(range.end);
    let mut arguments = Vec::new();
    let Some(open) = open_of_last_call(&scan, scan.index_at(range.start), end) else {
        return arguments;
    };
    let mut depth = 0usize;
    let mut start = open + 1;
    for (index, c) in scan.code_between(open, end) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if (c == ',' && depth == 1) || (depth == 0 && c == ')') {
            let from = scan.byte(scan.skip_blank(start));
            let written = text
                .get(from..scan.byte(index))
                .unwrap_or_default()
                .trim_end();
            if !written.is_empty() {
                arguments.push(from..from + written.len());
            }
            start = index + 1;
        }
    }
    arguments
}

/// The bracket that opens the arguments of the call that ends at `end`.
fn open_of_last_call(scan: &Scan, start: usize, end: usize) -> Option<usize> {
    scan.code_between(start, end)
        .filter(|(_, c)| *c == '(')
        .map(|(index, _)| index)
        .find(|&index| scan.closing(index) == Some(end))
}

/// The bytes of `field: value` in the map literals that `range` holds; `path` leads into
/// nested maps (`["overlay", "size"]`).
pub fn field(text: &str, range: &Range<usize>, path: &[&str]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let scan = Scan::new(text);
    let end = scan.index_at(range.end);
    let mut index = scan.index_at(range.start);
    while index < end {
        let (key, after) = key_at(&scan, index)?;
        if key == Some(*first) {
            let value_end = value_end(&scan, after, end);
            let found = scan.byte(index)..scan.byte(value_end);
            return if rest.is_empty() {
                Some(trimmed(text, found))
            } else {
                field(text, &(scan.byte(after)..scan.byte(value_end)), rest)
            };
        }
        index = after.max(index + 1);
    }
    None
}

/// A key with its colon at `index`, and the index after it; else the next index to try.
fn key_at(scan: &Scan, index: usize) -> Option<(Option<&str>, usize)> {
    let (_, c, kind) = *scan.chars.get(index)?;
    let (word, end) = if kind == Kind::Code && is_word(c) {
        let end = scan.word_end(index);
        (scan.text.get(scan.byte(index)..scan.byte(end))?, end)
    } else if kind == Kind::Text && c == '"' {
        let rest = scan.chars.iter().skip(index);
        let end = index + rest.take_while(|(_, _, kind)| *kind == Kind::Text).count();
        let quoted = scan.text.get(scan.byte(index)..scan.byte(end))?;
        (quoted.trim_matches('"'), end)
    } else {
        return Some((None, index + 1));
    };
    let colon = scan.skip_blank(end);
    let is_key = matches!(scan.chars.get(colon), Some((_, ':', Kind::Code)))
        && !matches!(scan.chars.get(colon + 1), Some((_, ':', Kind::Code)));
    Some(if is_key {
        (Some(word), colon + 1)
    } else {
        (None, end)
    })
}

fn value_end(scan: &Scan, start: usize, end: usize) -> usize {
    let mut depth = 0usize;
    for (index, c) in scan.code_between(start, end) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return index,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => return index,
            _ => {}
        }
    }
    end
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let length = text
        .get(range.clone())
        .map_or(0, |found| found.trim_end().len());
    range.start..range.start + length
}

/// A byte range as lines and columns.
pub fn span(file: &str, text: &str, range: &Range<usize>) -> Span {
    Span {
        file: file.to_owned(),
        start: position(text, range.start),
        end: position(text, range.end),
    }
}

/// The line and the column, in characters, of a byte offset.
pub fn position(text: &str, byte: usize) -> Position {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    Position {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call_at<'a>(text: &'a str, name: &str) -> &'a str {
        text.get(Scan::new(text).call(text.find(name).unwrap()))
            .unwrap()
    }

    #[test]
    fn a_call_runs_from_its_receiver_to_its_bracket() {
        assert_eq!(
            call_at("let a = 1; root.install([\"x)\", `y)`]); b()", "install"),
            "root.install([\"x)\", `y)`])"
        );
        assert_eq!(
            call_at("x::y::install(a /* ) */, // )\n b)", "install"),
            "x::y::install(a /* ) */, // )\n b)"
        );
        assert_eq!(call_at("let x = a.b;", "b;"), "a.b");
    }

    #[test]
    fn interpolation_is_code_inside_of_text() {
        let text = "f(`a ${g(\")\", `x${1}`)} ) b`, 2) + 3";
        assert_eq!(call_at(text, "f("), "f(`a ${g(\")\", `x${1}`)} ) b`, 2)");
        assert_eq!(call_at(text, "g("), "g(\")\", `x${1}`)");
    }

    #[test]
    fn arguments_are_split_at_their_commas() {
        let text = "root.install([\"a\", \"b\"], #{ x: 1, y: f(2, 3) })";
        let found: Vec<&str> = arguments(text, &(0..text.len()))
            .into_iter()
            .map(|range| text.get(range).unwrap())
            .collect();
        assert_eq!(found, ["[\"a\", \"b\"]", "#{ x: 1, y: f(2, 3) }"]);
    }

    #[test]
    fn fields_are_found_by_path() {
        let text = "dracut(root, #{ add: [\"nfs\"], overlay: #{ size: \"50%\" }, \"size\": 3 })";
        let found = |path: &[&str]| field(text, &(0..text.len()), path).and_then(|r| text.get(r));
        assert_eq!(found(&["add"]), Some("add: [\"nfs\"]"));
        assert_eq!(found(&["overlay", "size"]), Some("size: \"50%\""));
        assert_eq!(found(&["nothing"]), None);
    }
}
