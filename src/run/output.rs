//! A command's output on its way to the log, to the person who watches, and to the report
//! of a failure.

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;

/// Lines that are kept in memory: of a longer output the first half and the last. The log
/// has them all.
pub const KEPT_LINES: usize = 20_000;

/// And the bytes that those may have.
pub const KEPT_BYTES: usize = 32 << 20;

/// A longer line is taken for several.
const LINE_BYTES: usize = 1 << 20;

/// Makes lines of the pieces that an output comes in.
#[derive(Default)]
pub struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    /// Adds a piece, and hands on the lines that are complete.
    pub fn add(&mut self, bytes: &[u8], line: &mut dyn FnMut(&[u8])) {
        self.buffer.extend(bytes);
        let whole = match self.buffer.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last.saturating_add(1),
            None if self.buffer.len() >= LINE_BYTES => self.buffer.len(),
            None => return,
        };
        let rest = self.buffer.split_off(whole);
        let lines = std::mem::replace(&mut self.buffer, rest);
        for bytes in lines.split_inclusive(|byte| *byte == b'\n') {
            line(bytes);
        }
    }

    /// Hands on what is left, which no line break ends.
    pub fn end(self, line: &mut dyn FnMut(&[u8])) {
        if !self.buffer.is_empty() {
            line(&self.buffer);
        }
    }
}

/// Lines of an output, of a long one its beginning and its end.
#[derive(Default)]
pub struct Kept {
    first: Vec<String>,
    last: VecDeque<String>,
    bytes: usize,
    /// How many lines between the two are not kept.
    pub cut: usize,
}

impl Kept {
    pub fn push(&mut self, line: String) {
        let half = KEPT_BYTES / 2;
        if self.last.is_empty()
            && self.first.len() < KEPT_LINES / 2
            && self.bytes.saturating_add(line.len()) <= half
        {
            self.bytes = self.bytes.saturating_add(line.len());
            self.first.push(line);
            if self.first.len() == KEPT_LINES / 2 {
                self.bytes = 0;
            }
            return;
        }
        if self.last.is_empty() {
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(line.len());
        self.last.push_back(line);
        while self.last.len() > KEPT_LINES / 2 || self.bytes > half {
            let Some(gone) = self.last.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(gone.len());
            self.cut = self.cut.saturating_add(1);
        }
    }

    pub fn into_lines(self) -> Vec<String> {
        let mut lines = self.first;
        if self.cut > 0 {
            lines.push(format!("[{} lines, which the log has]", self.cut));
        }
        lines.extend(self.last);
        lines
    }
}

/// A step's log. It is written as far as it can be: on a full disk the command's own
/// failure matters, and not that of its log.
pub struct Log {
    file: Option<std::fs::File>,
}

impl Log {
    pub fn open(path: &Path) -> Self {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(path);
        if let Err(error) = &file {
            tracing::warn!("{}: {error}", path.display());
        }
        Log { file: file.ok() }
    }

    pub fn line(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!("the log ends here: {error}");
            self.file = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_output_keeps_its_beginning_and_its_end() {
        let mut kept = Kept::default();
        for number in 0..50_000 {
            kept.push(number.to_string());
        }
        assert_eq!(kept.cut, 30_000);
        let lines = kept.into_lines();
        assert_eq!(lines.len(), KEPT_LINES + 1);
        assert_eq!(lines[0], "0");
        assert_eq!(lines[KEPT_LINES / 2], "[30000 lines, which the log has]");
        assert_eq!(lines[KEPT_LINES], "49999");
    }

    #[test]
    fn long_lines_do_not_fill_the_memory() {
        let mut kept = Kept::default();
        for _ in 0..100 {
            kept.push("x".repeat(LINE_BYTES));
        }
        let bytes: usize = kept.into_lines().iter().map(String::len).sum();
        assert!(bytes <= KEPT_BYTES + 100, "{bytes}");
    }
}
