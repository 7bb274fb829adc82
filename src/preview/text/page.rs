//! Lines with colour and indentation.

use crate::diagnose::terminal::visible;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
    Red,
    Cyan,
}

/// What is printed so far.
pub struct Page {
    out: String,
    color: bool,
    pub width: usize,
}

impl Page {
    pub fn new(color: bool, width: usize) -> Self {
        Page {
            out: String::new(),
            color,
            // Narrower than this nothing can be laid out.
            width: width.max(40),
        }
    }

    pub fn put(&mut self, style: Style, text: &str) {
        let code = match style {
            Style::Plain => "",
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Green => "32",
            Style::Yellow => "33",
            Style::Red => "1;31",
            Style::Cyan => "36",
        };
        let text = visible(text).replace('\t', "    ");
        if self.color && !code.is_empty() && !text.is_empty() {
            self.out.push_str(&format!("\u{1b}[{code}m{text}\u{1b}[0m"));
        } else {
            self.out.push_str(&text);
        }
    }

    pub fn end(&mut self) {
        let kept = self.out.trim_end_matches(' ').len();
        self.out.truncate(kept);
        self.out.push('\n');
    }

    pub fn line(&mut self, style: Style, text: &str) {
        self.put(style, text);
        self.end();
    }

    pub fn spaces(&mut self, count: usize) {
        self.out.extend(std::iter::repeat_n(' ', count));
    }

    pub fn finish(self) -> String {
        self.out
    }
}

/// Breaks text between words; a word that is too long stays whole.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `1 step`, `2 steps`.
pub fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
