//! An output as shells print it, read back to the bytes that it stands for.

use super::patterns::{Look, Patterns};

/// How what is printed is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Every byte is itself.
    Plain,
    /// Quotes are those of a word between single quotes: `'\''`, `'"'"'`.
    Quoted,
    /// Backslashes are those of `$'…'`: `\n`, `\'`, `\001`, `\x01`.
    Escaped,
}

/// An output as it is read in one form.
pub struct Reading {
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
    pub fn new(form: Form) -> Self {
        Reading {
            form,
            in_double_quotes: false,
            bytes: Vec::new(),
            places: Vec::new(),
            next: 0,
        }
    }

    pub fn read(&mut self, source: &[u8], end: bool) {
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
    pub fn find(&mut self, patterns: &Patterns, end: bool, found: &mut Vec<Found>) {
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
    pub fn decided(&self) -> usize {
        self.places.first().map_or(self.next, |(from, _)| *from)
    }

    pub fn forget(&mut self, count: usize) {
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
pub struct Found {
    pub from: usize,
    pub to: usize,
    pub name: usize,
}
