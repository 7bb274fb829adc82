//! Secrets in what a command prints, replaced by their names.
//!
//! Output is searched as bytes, before it is cut into lines, and wherever one write ends and the
//! next begins. Every line of a secret that has eight bytes or more is found; of a secret
//! that has none, every line. A line ends at a line break or a carriage return.
//!
//! The same bytes are read in three ways at once: unchanged, and as shells print words with
//! `set -x`. So `it's` is also found as `it'\''s`, `it'"'"'s`, and in `$'it\'s\001'`.

mod patterns;
mod reading;

use std::sync::Arc;

pub use patterns::Patterns;
use reading::{Form, Found, Reading};

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
        let line = b"Get:1 http://mirror.example.org/archive stable/main amd64 it's \\n 12 kB\n";
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
