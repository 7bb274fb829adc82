//! Where a call ends, and where its arguments and their fields stand. Rhai gives the
//! point where a call's name starts; an underline needs both ends.

use std::ops::Range;

use crate::diagnose::{Position, Span};

/// The characters of a script with their byte offsets and their kind: code, or the
/// inside of a string or a comment.
struct Scan<'a> {
    text: &'a str,
    chars: Vec<(usize, char, bool)>,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        let mut scan = Scan {
            text,
            chars: Vec::with_capacity(text.len()),
        };
        scan.fill();
        scan
    }

    fn fill(&mut self) {
        let all: Vec<(usize, char)> = self.text.char_indices().collect();
        // The brace depth at which each `${` of a backtick string ends.
        let mut templates: Vec<usize> = Vec::new();
        let mut depth = 0usize;
        let mut at = 0;
        while at < all.len() {
            let (_, c) = all[at];
            let next = all.get(at + 1).map(|(_, c)| *c);
            let end = match (c, next) {
                ('/', Some('/')) => (at..all.len())
                    .find(|&i| all[i].1 == '\n')
                    .unwrap_or(all.len()),
                ('/', Some('*')) => block_comment_end(&all, at),
                ('"', _) => quoted_end(&all, at, '"'),
                ('\'', _) => quoted_end(&all, at, '\''),
                ('`', _) => self.template(&all, at, &mut templates, depth),
                ('{', _) => {
                    depth += 1;
                    at
                }
                ('}', _) => {
                    depth = depth.saturating_sub(1);
                    if templates.last() == Some(&depth) {
                        templates.pop();
                        self.template(&all, at, &mut templates, depth)
                    } else {
                        at
                    }
                }
                _ => at,
            };
            if end == at {
                self.chars.push((all[at].0, c, true));
                at += 1;
            } else {
                self.chars
                    .extend(all[at..end].iter().map(|(offset, c)| (*offset, *c, false)));
                if templates.last() == Some(&depth) && all[end - 1].1 == '{' {
                    depth += 1;
                }
                at = end;
            }
        }
    }

    /// The end of a stretch of backtick text that starts at `at` (a backtick, or the `}`
    /// that ends an interpolation): after the closing backtick, or after a `${`.
    fn template(
        &self,
        all: &[(usize, char)],
        at: usize,
        templates: &mut Vec<usize>,
        depth: usize,
    ) -> usize {
        let mut i = at + 1;
        while i < all.len() {
            match (all[i].1, all.get(i + 1).map(|(_, c)| *c)) {
                ('`', Some('`')) => i += 2,
                ('`', _) => return i + 1,
                ('$', Some('{')) => {
                    templates.push(depth);
                    return i + 2;
                }
                _ => i += 1,
            }
        }
        all.len()
    }

    fn index_at(&self, byte: usize) -> usize {
        self.chars.partition_point(|(offset, _, _)| *offset < byte)
    }

    fn byte(&self, index: usize) -> usize {
        self.chars
            .get(index)
            .map_or(self.text.len(), |(offset, _, _)| *offset)
    }

    fn skip_blank(&self, mut index: usize) -> usize {
        while let Some((_, c, code)) = self.chars.get(index) {
            let comment = !code && *c != '"' && *c != '`' && *c != '\'';
            if c.is_whitespace() || (comment && self.in_comment(index)) {
                index += 1;
            } else {
                break;
            }
        }
        index
    }

    fn in_comment(&self, index: usize) -> bool {
        // The stretch of non-code that holds `index` starts with a slash in a comment.
        let mut start = index;
        while start > 0 && !self.chars[start - 1].2 {
            start -= 1;
        }
        self.chars[start].1 == '/'
    }

    /// The index after the bracket that closes the one at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for (index, (_, c, code)) in self.chars.iter().enumerate().skip(open) {
            if !code {
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

    fn word_end(&self, mut index: usize) -> usize {
        while matches!(self.chars.get(index), Some((_, c, true)) if is_word(*c)) {
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

    fn code(&self, index: usize, before: usize) -> Option<char> {
        match self.chars.get(index.checked_sub(before)?) {
            Some((_, c, true)) => Some(*c),
            _ => None,
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn quoted_end(all: &[(usize, char)], at: usize, quote: char) -> usize {
    let mut i = at + 1;
    while i < all.len() {
        match all[i].1 {
            '\\' => i += 2,
            c if c == quote => return i + 1,
            _ => i += 1,
        }
    }
    all.len()
}

fn block_comment_end(all: &[(usize, char)], at: usize) -> usize {
    let mut depth = 0usize;
    let mut i = at;
    while i < all.len() {
        match (all[i].1, all.get(i + 1).map(|(_, c)| *c)) {
            ('/', Some('*')) => {
                depth += 1;
                i += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    all.len()
}

/// The bytes of a call whose name starts at byte `name`: from its receiver to its closing
/// bracket. Where no call is written there (an operator, a property), the word alone.
pub fn call(text: &str, name: usize) -> Range<usize> {
    let scan = Scan::new(text);
    let start = scan.index_at(name);
    let word = scan.word_end(start);
    let open = scan.skip_blank(word);
    let end = match scan.chars.get(open) {
        Some((_, '(', true)) if word > start => scan.closing(open).unwrap_or(word),
        _ => word.max(start + 1),
    };
    scan.byte(scan.receiver_start(start))..scan.byte(end)
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
    for index in open..end {
        let (_, c, code) = scan.chars[index];
        if !code {
            continue;
        }
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
fn open_of_last_call(scan: &Scan<'_>, start: usize, end: usize) -> Option<usize> {
    (start..end)
        .filter(|&i| matches!(scan.chars[i], (_, '(', true)))
        .find(|&i| scan.closing(i) == Some(end))
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
fn key_at<'a>(scan: &Scan<'a>, index: usize) -> Option<(Option<&'a str>, usize)> {
    let (_, c, code) = *scan.chars.get(index)?;
    let (word, end) = if code && is_word(c) {
        let end = scan.word_end(index);
        (scan.text.get(scan.byte(index)..scan.byte(end))?, end)
    } else if !code && c == '"' {
        let mut end = index + 1;
        while end < scan.chars.len() && !scan.chars[end].2 {
            end += 1;
        }
        let quoted = scan.text.get(scan.byte(index)..scan.byte(end))?;
        (quoted.trim_matches('"'), end)
    } else {
        return Some((None, index + 1));
    };
    let colon = scan.skip_blank(end);
    let is_key = matches!(scan.chars.get(colon), Some((_, ':', true)))
        && !matches!(scan.chars.get(colon + 1), Some((_, ':', true)));
    Some(if is_key {
        (Some(word), colon + 1)
    } else {
        (None, end)
    })
}

fn value_end(scan: &Scan<'_>, start: usize, end: usize) -> usize {
    let mut depth = 0usize;
    for index in start..end {
        let (_, c, code) = scan.chars[index];
        if !code {
            continue;
        }
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
        &text[call(text, text.find(name).unwrap())]
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
            .map(|range| &text[range])
            .collect();
        assert_eq!(found, ["[\"a\", \"b\"]", "#{ x: 1, y: f(2, 3) }"]);
    }

    #[test]
    fn fields_are_found_by_path() {
        let text = "dracut(root, #{ add: [\"nfs\"], overlay: #{ size: \"50%\" }, \"size\": 3 })";
        let found = |path: &[&str]| field(text, &(0..text.len()), path).map(|r| &text[r]);
        assert_eq!(found(&["add"]), Some("add: [\"nfs\"]"));
        assert_eq!(found(&["overlay", "size"]), Some("size: \"50%\""));
        assert_eq!(found(&["nothing"]), None);
    }
}
