//! What reaches the terminal, and whether it is coloured.

use std::io::{IsTerminal, Write};

use super::When;
use crate::diagnose::render::{Style, render};
use crate::diagnose::{Report, SourceMap};

pub struct Printer {
    style: Style,
    color: bool,
}

/// Columns of a terminal that does not say.
const WIDTH: usize = 100;

impl Printer {
    pub fn new(style: Style, color: When) -> Self {
        let color = match color {
            When::Always => true,
            When::Never => false,
            When::Auto => std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal(),
        };
        Printer { style, color }
    }

    /// Writes results. A reader that has gone away (`| head`) is no failure.
    pub fn out(&self, text: &str) {
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    pub fn say(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    pub fn reports(&self, reports: &[Report], sources: &SourceMap) {
        let width = rustix::termios::tcgetwinsize(std::io::stderr())
            .map(|size| usize::from(size.ws_col))
            .ok()
            .filter(|width| *width >= 40)
            .unwrap_or(WIDTH);
        let mut text = String::new();
        for (index, report) in reports.iter().enumerate() {
            if index > 0 && self.style == Style::Human {
                text.push('\n');
            }
            text.push_str(&render(report, sources, self.style, self.color, width));
        }
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}
