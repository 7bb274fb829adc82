//! What programs wrote: consoles and logs, read for people.

use std::io::{Read, Seek};
use std::path::Path;

use fs_err as fs;

/// Lines that a report shows of what came before the end, and after it.
const BEFORE: usize = 16;
const AFTER: usize = 8;
/// Lines in which known causes are looked for.
const SEARCHED: usize = 400;

/// The end of a console, for a report.
#[derive(Debug, Default)]
pub struct Excerpt {
    /// The lines that matter.
    pub shown: Vec<String>,
    /// In which known causes are looked for: without times and names of programs.
    pub searched: String,
    /// How many there are.
    pub total: usize,
}

impl Excerpt {
    /// The lines around the one that says that it is over, or the last ones.
    pub fn of(text: &str, over: Option<&str>) -> Excerpt {
        let all: Vec<String> = text.lines().map(plain).collect();
        let total = all.len();
        let said = all.iter().skip(total.saturating_sub(SEARCHED));
        let searched: Vec<&str> = said.map(|line| unmarked(line)).collect();
        let lines: Vec<&String> = all.iter().filter(|line| !line.trim().is_empty()).collect();
        let at = over.and_then(|over| lines.iter().position(|line| line.contains(&plain(over))));
        let is_panic = |line: Option<&&String>| line.is_some_and(|l| l.contains("Kernel panic"));
        let (from, to) = match at {
            // What a kernel that is lost says after that is for who mends kernels.
            Some(at) if is_panic(lines.get(at)) => (at.saturating_sub(BEFORE), at + 1),
            Some(at) => (at.saturating_sub(BEFORE), at + 1 + AFTER),
            None => (lines.len().saturating_sub(BEFORE + AFTER), lines.len()),
        };
        let shown = lines.iter().skip(from).take(to - from);
        Excerpt {
            shown: shown.map(|line| (*line).clone()).collect(),
            searched: searched.join("\n"),
            total,
        }
    }

    /// What else was said, by somebody else.
    pub fn add(&mut self, lines: Vec<String>) {
        for line in lines {
            self.searched.extend(["\n", &line]);
            self.total += 1;
            self.shown.push(line);
        }
    }
}

/// The last lines of a log.
pub fn tail(path: &Path) -> Vec<String> {
    let mut bytes = Vec::new();
    if let Ok(mut file) = fs::File::open(path) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let from = length.saturating_sub(64 << 10);
        let _ = file.seek(std::io::SeekFrom::Start(from));
        let _ = file.read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().map(str::trim_end);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(BEFORE + AFTER);
    lines.into_iter().skip(from).map(str::to_owned).collect()
}

/// A line without what moves the cursor about and colours it.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // CSI … letter, or one character.
                if chars.next() == Some('[') {
                    chars.by_ref().find(char::is_ascii_alphabetic);
                }
            }
            c if c.is_control() && c != '\t' => {}
            c => out.push(c),
        }
    }
    out
}

/// A line without the kernel's time and the name of who has written it.
fn unmarked(line: &str) -> &str {
    let marked = line
        .strip_prefix('[')
        .and_then(|line| line.split_once("] "));
    let is_time = |time: &str| time.trim().parse::<f64>().is_ok();
    let Some((_, rest)) = marked.filter(|(time, _)| is_time(time)) else {
        return line;
    };
    match rest.split_once("]: ") {
        Some((who, said)) if !who.contains(' ') && who.contains('[') => said,
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_are_read_without_colours() {
        let line = plain("\u{1b}[0;32m  OK  \u{1b}[0m] Reached\r");
        assert_eq!(line, "  OK  ] Reached");
    }

    #[test]
    fn hints_see_what_programs_of_a_node_say() {
        for (line, said) in [
            (
                "[   12.345678] dracut-initqueue[512]: mount.nfs4: No such",
                "mount.nfs4: No such",
            ),
            (
                "[    1.0] Kernel panic - not syncing: x",
                "Kernel panic - not syncing: x",
            ),
            ("[  OK  ] Reached target", "[  OK  ] Reached target"),
        ] {
            assert_eq!(unmarked(line), said);
        }
    }

    #[test]
    fn what_led_to_a_panic_is_shown_and_not_the_registers() {
        let panic = "[    2.0] Kernel panic - not syncing: Attempted to kill init!";
        let mut text: String = (0..50)
            .map(|n| format!("[    1.{n:02}] line {n}\r\n"))
            .collect();
        text += "init: no such file\n";
        text += panic;
        text += "\n[    2.0] RIP: 0033\n[    2.0] RAX: 0\n";
        let excerpt = Excerpt::of(&text, Some(panic));
        assert_eq!(excerpt.total, 54);
        let [.., before, last] = excerpt.shown.as_slice() else {
            panic!("{excerpt:?}")
        };
        assert_eq!(before, "init: no such file");
        assert!(last.contains("Kernel panic"));
        assert_eq!(excerpt.shown.len(), BEFORE + 1);
        assert!(excerpt.searched.contains("\nKernel panic"));
    }
}
