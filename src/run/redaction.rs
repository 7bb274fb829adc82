//! Secrets in what a command prints, replaced by their names.
//!
//! Output is searched as bytes, before it is cut into lines, and wherever one write ends and the
//! next begins. Every line of a secret that has eight bytes or more is found; of a secret
//! that has none, every line. A line ends at a line break or a carriage return.
//!
//! The same bytes are read in three ways at once: unchanged, and as shells print words with
//! `set -x`. So `it's` is also found as `it'\''s`, `it'"'"'s`, and in `$'it\'s\001'`.

use std::sync::Arc;

/// Shorter lines are everywhere in an output: `}`, `EOF`.
const SHORT: usize = 8;
/// Of a secret up to this size without a longer line, short lines are looked for.
const SMALL: usize = 1024;
/// A longer line is looked for in pieces, so that a part of it is found too, and little of an
/// output has to be kept back.
const LONG: usize = 256;
const PIECE: usize = 64;
/// The bytes at the beginning of a pattern that decide whether it is compared.
const KEY: usize = 8;

/// What is looked for.
#[derive(Default)]
pub struct Patterns {
    names: Vec<String>,
    /// In the order of their bytes, each once.
    patterns: Vec<Pattern>,
    filter: Filter,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Pattern {
    bytes: Box<[u8]>,
    /// Which of the names.
    name: usize,
}

/// Whether a pattern may begin with some bytes: a set of hashes.
#[derive(Default)]
struct Filter {
    bits: Vec<u64>,
    shift: u32,
    /// First bytes of patterns that are shorter than a key.
    first: Vec<u8>,
}

/// What is at some place of an output.
enum Look {
    Nothing,
    /// The longest pattern.
    Found {
        length: usize,
        name: usize,
    },
    /// That depends on what follows.
    Undecided,
}

impl Patterns {
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut names = Vec::new();
        let mut patterns = Vec::new();
        for (name, value) in values {
            let pieces = lines(value).into_iter().flat_map(pieces);
            patterns.extend(
                pieces
                    .filter(|piece| !is_blank(piece))
                    .map(|piece| Pattern {
                        bytes: piece.into(),
                        name: names.len(),
                    }),
            );
            names.push(name.to_owned());
        }
        patterns.sort();
        patterns.dedup_by(|one, other| one.bytes == other.bytes);
        Patterns {
            filter: Filter::new(&patterns),
            names,
            patterns,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The place, at `from` or later, where a pattern may begin; else the end.
    fn candidate(&self, bytes: &[u8], from: usize) -> usize {
        let rest = bytes.get(from..).unwrap_or_default();
        let found = rest
            .windows(KEY)
            .position(|window| self.filter.may_be(window));
        // The last few are too short for the filter.
        let last = bytes.len().saturating_sub(KEY - 1).max(from);
        found.map_or(last, |at| from + at)
    }

    /// `end`: nothing follows `rest`.
    fn look(&self, rest: &[u8], end: bool) -> Look {
        if !self.filter.may_be(rest) {
            return Look::Nothing;
        }
        let not_after = |rest: &[u8], count: usize| {
            let patterns = self.patterns.get(..count).unwrap_or_default();
            patterns.partition_point(|pattern| *pattern.bytes <= *rest)
        };
        let mut count = not_after(rest, self.patterns.len());
        let next = self.patterns.get(count);
        if !end && next.is_some_and(|pattern| pattern.bytes.starts_with(rest)) {
            return Look::Undecided;
        }
        // A pattern that `rest` begins with is the last one before it, or that one begins with
        // it, too: then it is in what the two have in common.
        let mut rest = rest;
        while let Some(pattern) = count.checked_sub(1).and_then(|at| self.patterns.get(at)) {
            let both = pattern.bytes.iter().zip(rest);
            let length = both.take_while(|(one, other)| one == other).count();
            if length == pattern.bytes.len() {
                let name = pattern.name;
                return Look::Found { length, name };
            }
            rest = rest.get(..length).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            count = not_after(rest, count);
        }
        Look::Nothing
    }
}

impl Filter {
    fn new(patterns: &[Pattern]) -> Self {
        // One in 256 places that are no pattern is compared, or fewer.
        let size = patterns
            .len()
            .saturating_mul(256)
            .max(1 << 12)
            .next_power_of_two();
        let mut filter = Filter {
            bits: vec![0; size / 64],
            shift: 64 - size.trailing_zeros(),
            first: Vec::new(),
        };
        for pattern in patterns {
            match (pattern.bytes.first_chunk(), pattern.bytes.first()) {
                (Some(key), _) => {
                    let (word, bit) = filter.place(key);
                    if let Some(word) = filter.bits.get_mut(word) {
                        *word |= bit;
                    }
                }
                (None, Some(first)) => filter.first.push(*first),
                (None, None) => {}
            }
        }
        filter.first.sort_unstable();
        filter.first.dedup();
        filter
    }

    fn place(&self, key: &[u8; KEY]) -> (usize, u64) {
        let hash = u64::from_le_bytes(*key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bit = usize::try_from(hash >> self.shift).unwrap_or_default();
        (bit / 64, 1 << (bit % 64))
    }

    fn may_be(&self, bytes: &[u8]) -> bool {
        let Some(key) = bytes.first_chunk() else {
            // No pattern has a line break.
            return !self.first.is_empty() || !bytes.contains(&b'\n');
        };
        let (word, bit) = self.place(key);
        self.bits.get(word).is_some_and(|word| word & bit != 0)
            || !self.first.is_empty() && bytes.first().is_some_and(|b| self.first.contains(b))
    }
}

/// The lines of a secret that are looked for.
fn lines(value: &[u8]) -> Vec<&[u8]> {
    let by_break = value.split(|byte| *byte == b'\n');
    let by_return = value.split(|byte| matches!(byte, b'\n' | b'\r'));
    // Blanks around a line are often lost, as with `read`.
    let all = by_break
        .chain(by_return)
        .map(|line: &[u8]| match line.trim_ascii() {
            trimmed if trimmed.len() >= SHORT || line.len() < SHORT => trimmed,
            _ => line,
        });
    let all: Vec<&[u8]> = all.filter(|line| !line.is_empty()).collect();
    let is_long = |line: &&[u8]| line.len() >= SHORT;
    match all.iter().any(is_long) || value.len() > SMALL {
        true => all.into_iter().filter(is_long).collect(),
        false => all,
    }
}

fn pieces(line: &[u8]) -> Vec<&[u8]> {
    if line.len() <= LONG {
        return vec![line];
    }
    let last = line.len().checked_sub(PIECE).and_then(|at| line.get(at..));
    line.chunks_exact(PIECE).chain(last).collect()
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.trim_ascii().is_empty()
}

/// How what is printed is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Every byte is itself.
    Plain,
    /// Quotes are those of a word between single quotes: `'\''`, `'"'"'`.
    Quoted,
    /// Backslashes are those of `$'…'`: `\n`, `\'`, `\001`, `\x01`.
    Escaped,
}

/// An output as it is read in one form.
struct Reading {
    form: Form,
    /// After `'"'`.
    in_double_quotes: bool,
    /// What is not decided.
    bytes: Vec<u8>,
    /// Where each of these begins in the source, and where it ends.
    places: Vec<(usize, usize)>,
    /// Where the source is read from next.
    next: usize,
}

/// What a part of the source stands for, and how long it is.
type Read = (Option<u8>, usize);

impl Reading {
    fn new(form: Form) -> Self {
        Reading {
            form,
            in_double_quotes: false,
            bytes: Vec::new(),
            places: Vec::new(),
            next: 0,
        }
    }

    fn read(&mut self, source: &[u8], end: bool) {
        while let Some(rest) = source.get(self.next..).filter(|rest| !rest.is_empty()) {
            let special = match (self.form, self.in_double_quotes) {
                (Form::Plain, _) => None,
                (Form::Quoted, false) => rest.iter().position(|byte| *byte == b'\''),
                (Form::Quoted, true) => Some(0),
                (Form::Escaped, _) => rest.iter().position(|byte| *byte == b'\\'),
            };
            let plain = special.unwrap_or(rest.len());
            if plain > 0 {
                self.bytes.extend(rest.iter().take(plain));
                let places = self.next..self.next + plain;
                self.places.extend(places.map(|at| (at, at + 1)));
                self.next += plain;
                continue;
            }
            let read = match self.form {
                Form::Escaped => escaped(rest, end),
                _ => self.quoted(rest, end),
            };
            let Some((byte, length)) = read else { return };
            if let Some(byte) = byte {
                self.bytes.push(byte);
                self.places.push((self.next, self.next + length));
            }
            self.next += length;
        }
    }

    /// `None` if that depends on what follows.
    fn quoted(&mut self, rest: &[u8], end: bool) -> Option<Read> {
        if self.in_double_quotes {
            match rest {
                [b'\'', ..] => return Some((Some(b'\''), 1)),
                [b'"'] if !end => return None,
                [b'"', b'\'', ..] => {
                    self.in_double_quotes = false;
                    return Some((None, 2));
                }
                _ => self.in_double_quotes = false,
            }
        }
        match rest {
            [b'\''] | [b'\'', b'\\'] | [b'\'', b'\\', b'\''] | [b'\'', b'"'] if !end => None,
            [b'\'', b'\\', b'\'', b'\'', ..] => Some((Some(b'\''), 4)),
            [b'\'', b'"', b'\'', ..] => {
                self.in_double_quotes = true;
                Some((Some(b'\''), 3))
            }
            rest => Some((rest.first().copied(), 1)),
        }
    }

    /// Looks for secrets as far as that is decided.
    fn find(&mut self, patterns: &Patterns, end: bool, found: &mut Vec<Found>) {
        let mut at = 0;
        while at < self.bytes.len() {
            at = patterns.candidate(&self.bytes, at);
            let rest = self.bytes.get(at..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match patterns.look(rest, end) {
                Look::Undecided => break,
                Look::Nothing => {}
                Look::Found { length, name } => {
                    let (first, last) = (self.places.get(at), self.places.get(at + length - 1));
                    let (Some((from, _)), Some((_, to))) = (first, last) else {
                        break;
                    };
                    let (from, to) = (*from, *to);
                    match found.last_mut() {
                        Some(last)
                            if last.name == name && (last.from..=last.to).contains(&from) =>
                        {
                            last.to = last.to.max(to);
                        }
                        _ => found.push(Found { from, to, name }),
                    }
                }
            }
            at += 1;
        }
        self.bytes.drain(..at);
        self.places.drain(..at);
    }

    /// Up to where the source is decided.
    fn decided(&self) -> usize {
        self.places.first().map_or(self.next, |(from, _)| *from)
    }

    fn forget(&mut self, count: usize) {
        self.next -= count;
        for (from, to) in &mut self.places {
            *from -= count;
            *to -= count;
        }
    }
}

/// What a backslash and what follows stand for in `$'…'`; `None` if that depends on what follows.
fn escaped(rest: &[u8], end: bool) -> Option<Read> {
    let after = rest.get(1..).unwrap_or_default();
    let number = |digits: &[u8], most: usize, radix: u32, lead: usize| {
        let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
        let count = digits.iter().take(most).take_while(is_digit).count();
        if count < most && count == digits.len() && !end {
            return None;
        }
        let digits = digits.get(..count).unwrap_or_default();
        let value = std::str::from_utf8(digits).ok();
        let value = value.and_then(|digits| u32::from_str_radix(digits, radix).ok());
        Some(match value.and_then(|value| u8::try_from(value).ok()) {
            Some(byte) => (Some(byte), lead + count),
            None => (Some(b'\\'), 1),
        })
    };
    let one = |byte: u8| Some((Some(byte), 2));
    match after {
        [] if !end => None,
        [b'0'..=b'7', ..] => number(after, 3, 8, 1),
        [b'x', digits @ ..] => number(digits, 2, 16, 2),
        [b'a', ..] => one(7),
        [b'b', ..] => one(8),
        [b'e' | b'E', ..] => one(27),
        [b'f', ..] => one(12),
        [b'n', ..] => one(b'\n'),
        [b'r', ..] => one(b'\r'),
        [b't', ..] => one(b'\t'),
        [b'v', ..] => one(11),
        [byte @ (b'\\' | b'\'' | b'"' | b'?'), ..] => one(*byte),
        _ => Some((Some(b'\\'), 1)),
    }
}

/// A part of the source that is a secret's.
#[derive(Clone, Copy)]
struct Found {
    from: usize,
    to: usize,
    name: usize,
}

/// One output, from which secrets are taken as it comes.
pub struct Redactor {
    patterns: Arc<Patterns>,
    /// What is not decided.
    source: Vec<u8>,
    readings: [Reading; 3],
    found: Vec<Found>,
    /// The secret whose name was the last thing that was written.
    written: Option<usize>,
}

impl Redactor {
    pub fn new(patterns: Arc<Patterns>) -> Self {
        Redactor {
            patterns,
            source: Vec::new(),
            readings: [Form::Plain, Form::Quoted, Form::Escaped].map(Reading::new),
            found: Vec::new(),
            written: None,
        }
    }

    /// Adds a piece; returns what is decided, without secrets.
    pub fn add(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.patterns.is_empty() {
            return bytes.to_vec();
        }
        self.source.extend(bytes);
        self.decided(false)
    }

    /// The rest.
    pub fn end(mut self) -> Vec<u8> {
        self.decided(true)
    }

    fn decided(&mut self, end: bool) -> Vec<u8> {
        for reading in &mut self.readings {
            reading.read(&self.source, end);
            reading.find(&self.patterns, end, &mut self.found);
        }
        let cut = self.readings.iter().map(Reading::decided).min();
        let cut = cut.unwrap_or_default();
        let source = std::mem::take(&mut self.source);
        let mut found = std::mem::take(&mut self.found);
        // Of those that begin at one place, the longest counts.
        found.sort_by_key(|found| (found.from, std::cmp::Reverse(found.to)));
        let mut out = Vec::with_capacity(cut);
        let mut at = 0;
        for one in &found {
            let (from, to) = (one.from.max(at).min(cut), one.to.min(cut));
            if to > at {
                self.write(&mut out, source.get(at..from).unwrap_or_default());
                self.hide(&mut out, source.get(from..to).unwrap_or_default(), one.name);
                at = to;
            }
        }
        self.write(&mut out, source.get(at..cut).unwrap_or_default());
        found.retain(|one| one.to > cut);
        for one in &mut found {
            one.from = one.from.saturating_sub(cut);
            one.to -= cut;
        }
        self.found = found;
        self.source = source.get(cut..).unwrap_or_default().to_vec();
        for reading in &mut self.readings {
            reading.forget(cut);
        }
        out
    }

    fn write(&mut self, out: &mut Vec<u8>, bytes: &[u8]) {
        if !bytes.is_empty() {
            out.extend(bytes);
            self.written = None;
        }
    }

    /// Line breaks stay, so that every line of a secret is still a line.
    fn hide(&mut self, out: &mut Vec<u8>, bytes: &[u8], name: usize) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if line != b"\n" && self.written != Some(name) {
                let name = self.patterns.names.get(name).map_or("", String::as_str);
                out.extend(format!("<secret {name}>").as_bytes());
            }
            self.written = Some(name);
            if line.ends_with(b"\n") {
                out.push(b'\n');
                self.written = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(values: &[(&str, &[u8])]) -> Arc<Patterns> {
        Arc::new(Patterns::new(values.iter().copied()))
    }

    /// What is left of `text` when it comes in pieces of `size` bytes.
    fn in_pieces(patterns: &Arc<Patterns>, text: &[u8], size: usize) -> Vec<u8> {
        let mut redactor = Redactor::new(patterns.clone());
        let mut out = Vec::new();
        for piece in text.chunks(size) {
            out.extend(redactor.add(piece));
        }
        out.extend(redactor.end());
        out
    }

    #[track_caller]
    fn check(values: &[(&str, &[u8])], text: &[u8], expected: &str) {
        let patterns = patterns(values);
        for size in [1, 2, 3, 5, 64, text.len().max(1)] {
            let out = in_pieces(&patterns, text, size);
            assert_eq!(String::from_utf8_lossy(&out), expected, "by {size}");
        }
    }

    /// Bytes that look random, the same each time.
    fn noise(count: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn secrets_are_replaced_by_their_names() {
        let values: &[(&str, &[u8])] = &[("a", b"hunter2"), ("b", b"hunter2-and-more\n")];
        check(values, b"x hunter2 y\n", "x <secret a> y\n");
        check(values, b"hunter2-and-more\n", "<secret b>\n");
        check(values, b"hunter2-and-mor\n", "<secret a>-and-mor\n");
        check(values, b"hunter2hunter2", "<secret a>");
        check(values, b"hunter2hunter2-and-more", "<secret a><secret b>");
        check(values, b"hunte\nr2 hunter", "hunte\nr2 hunter");
        check(&[], b"hunter2", "hunter2");
        check(&[("blank", b" \n\t\n")], b"a \n\t\nb", "a \n\t\nb");
    }

    #[test]
    fn every_line_of_eight_bytes_is_replaced_and_of_short_secrets_each() {
        let values: &[(&str, &[u8])] = &[(
            "key",
            b"-----BEGIN-----\n{\n  line-two\n12345678\n1234567\n",
        )];
        check(
            values,
            b"{ 1234567\n12345678\n> line-two\n-----BEGIN-----\n",
            "{ 1234567\n<secret key>\n> <secret key>\n<secret key>\n",
        );
        check(
            &[("pin", b"ab\n12\n")],
            b"ab 12 a1",
            "<secret pin> <secret pin> a1",
        );
        check(&[("pin", b"7")], b"x7", "x<secret pin>");
    }

    #[test]
    fn carriage_returns_end_lines_of_a_secret() {
        let values: &[(&str, &[u8])] = &[("cr", b"first-half\rsecond-half")];
        check(values, b"a first-half\rsecond-half b", "a <secret cr> b");
        check(
            values,
            b"second-half\rfirst-half\n",
            "<secret cr>\r<secret cr>\n",
        );
        check(
            &[("dos", b"password\r\nother-one\r\n")],
            b"other-one",
            "<secret dos>",
        );
        check(
            &[("short", b"abc\rdef")],
            b"abc\rdef\nabc",
            "<secret short>\n<secret short>",
        );
    }

    #[test]
    fn words_as_shells_print_them_are_found() {
        let values: &[(&str, &[u8])] = &[("q", b"it's a 'key'")];
        check(
            values,
            br"+ echo 'it'\''s a '\''key'\''' x",
            r"+ echo '<secret q>' x",
        );
        check(
            values,
            br#"+ echo 'it'"'"'s a '"'"'key'"'"'' x"#,
            r#"+ echo '<secret q>"'' x"#,
        );
        check(
            values,
            br"+ echo $'it\'s a \'key\'\001'",
            r"+ echo $'<secret q>\001'",
        );
        let values: &[(&str, &[u8])] = &[("q", b"a''b \"c\" d")];
        check(values, br#"'a'"''"'b "c" d'"#, "'<secret q>'");
        let values: &[(&str, &[u8])] = &[("x", b"first line\nc\\d\t\x01\x1b\xc3\xa9\xff.")];
        for printed in [
            &br"K=$'first line\nc\\d\t\001\E\303\251\377.'"[..],
            b"K=$'first line\\nc\\\\d\\t\\001\\E\xc3\xa9\\377.'",
            br"K=$'first line\nc\\d\x09\x01\e\xc3\xa9\xff.'",
        ] {
            check(values, printed, r"K=$'<secret x>\n<secret x>'");
        }
        // What is no escape is itself.
        check(values, br"\q 'x' '\' \8 \", r"\q 'x' '\' \8 \");
    }

    #[test]
    fn a_long_line_is_found_whole_and_in_part() {
        let line: Vec<u8> = noise(3_000_000)
            .into_iter()
            .filter(u8::is_ascii_alphanumeric)
            .collect();
        assert!(line.len() > 600_000);
        let patterns = patterns(&[("long", &line)]);
        for size in [4096, line.len()] {
            let text = [b"> ", line.as_slice(), b" <\n"].concat();
            assert_eq!(in_pieces(&patterns, &text, size), b"> <secret long> <\n");
        }
        let cut = [b"> ", &line[64 * 100..64 * 103], b" <\n"].concat();
        assert_eq!(in_pieces(&patterns, &cut, 50), b"> <secret long> <\n");
    }

    #[test]
    fn a_line_that_is_complete_is_not_kept_back() {
        let patterns = patterns(&[("key", &noise(100_000)), ("s", b"password\n")]);
        let mut redactor = Redactor::new(patterns);
        for line in ["done: it's\n", "a\\\n", "pass\n", "'\n", "\\\n", "'\"\n"] {
            assert_eq!(redactor.add(line.as_bytes()), line.as_bytes());
        }
        assert_eq!(redactor.add(b"pass"), b"");
        assert_eq!(redactor.add(b"word\n"), b"<secret s>\n");
    }

    /// What is left holds no line of a secret, in whichever pieces it came.
    #[test]
    fn nothing_is_left_of_noise() {
        let secret = noise(20_000);
        let patterns = patterns(&[("noise", &secret)]);
        let text = [b"before ", secret.as_slice(), b" after\n"].concat();
        let escaped: Vec<u8> = secret
            .iter()
            .flat_map(|byte| format!("\\{byte:03o}").into_bytes())
            .collect();
        let whole = in_pieces(&patterns, &text, text.len());
        for size in [1, 7, 1000] {
            assert!(in_pieces(&patterns, &text, size) == whole, "by {size}");
        }
        for line in secret
            .split(|byte| *byte == b'\n')
            .filter(|line| line.len() >= 8)
        {
            let line = line.trim_ascii();
            assert!(!whole.windows(line.len()).any(|window| window == line));
        }
        let printed = in_pieces(&patterns, &escaped, 1000);
        assert!(printed.len() < escaped.len() / 10, "{}", printed.len());
    }

    /// A secret of a megabyte, and one that compares badly: every place of the output is the
    /// beginning of it.
    #[test]
    fn large_secrets_and_long_outputs_take_seconds() {
        let line = b"Get:1 http://deb.example.org/debian trixie/main amd64 it's \\n 12 kB\n";
        let numbered: String = (0..30_000)
            .map(|n| format!("same beginning of line {n}\n"))
            .collect();
        let start = std::time::Instant::now();
        for (secret, text) in [
            (noise(1 << 20), line.repeat(10_000)),
            (vec![b'x'; 1 << 20], vec![b'x'; 3 << 18]),
            (
                numbered.into_bytes(),
                b"same beginning of line x\n".repeat(20_000),
            ),
        ] {
            let patterns = patterns(&[("large", &secret)]);
            let left = in_pieces(&patterns, &text, 1 << 16);
            assert!(left == text || left == b"<secret large>");
        }
        let took = start.elapsed();
        assert!(took < std::time::Duration::from_secs(60), "{took:?}");
    }
}
