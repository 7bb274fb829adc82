//! What is looked for: the lines of secrets, and where in an output one of them may begin.

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
    /// Of the secrets.
    pub names: Vec<String>,
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
pub enum Look {
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
    pub fn candidate(&self, bytes: &[u8], from: usize) -> usize {
        let rest = bytes.get(from..).unwrap_or_default();
        let found = rest
            .windows(KEY)
            .position(|window| self.filter.may_be(window));
        // The last few are too short for the filter.
        let last = bytes.len().saturating_sub(KEY - 1).max(from);
        found.map_or(last, |at| from + at)
    }

    /// `end`: nothing follows `rest`.
    pub fn look(&self, rest: &[u8], end: bool) -> Look {
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
