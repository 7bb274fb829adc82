//! What reaches the terminal, and whether it is coloured.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;

use crate::diagnose::render::{Style, render};
use crate::diagnose::terminal::visible;
use crate::diagnose::{Report, SourceMap};
use crate::preview::TextOptions;
use crate::reference::TextStyle;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

pub struct Printer {
    style: Style,
    /// Whether errors are coloured.
    color: bool,
    /// Whether results are.
    color_out: bool,
}

/// Columns of a terminal that does not say.
const WIDTH: usize = 100;

impl Printer {
    pub fn new(style: Style, color: When) -> Self {
        let colored = |terminal: bool| match color {
            When::Always => true,
            When::Never => false,
            When::Auto => std::env::var_os("NO_COLOR").is_none() && terminal,
        };
        Printer {
            style,
            color: colored(std::io::stderr().is_terminal()),
            color_out: colored(std::io::stdout().is_terminal()),
        }
    }

    /// How a plan is shown on standard output.
    pub fn text_options(&self) -> TextOptions {
        let defaults = TextOptions::default();
        TextOptions {
            color: self.color_out,
            width: columns(std::io::stdout()).unwrap_or(defaults.width),
            ..defaults
        }
    }

    /// How the reference is shown on standard output.
    pub fn look(&self) -> TextStyle {
        TextStyle {
            color: self.color_out,
            width: columns(std::io::stdout()).map_or(WIDTH, |width| width.min(WIDTH)),
        }
    }

    /// Writes results for people, which may hold the text of strangers.
    pub fn out(&self, text: &str) {
        self.drawn(&visible(text));
    }

    /// Writes what may be coloured, or is for programs; the caller has made control characters
    /// visible. A reader that has gone away (`| head`) is no failure.
    pub fn drawn(&self, text: &str) {
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    pub fn say(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{}", visible(text));
    }

    /// A last line in words; data has none.
    pub fn summary(&self, text: &str) {
        if self.style != Style::Json {
            self.say(text);
        }
    }

    /// Whether reports are drawn for people, not written for programs.
    pub fn is_for_people(&self) -> bool {
        self.style == Style::Human
    }

    /// The empty line between reports that people read.
    pub fn gap(&self) {
        if self.style == Style::Human {
            self.say("");
        }
    }

    pub fn reports(&self, reports: &[Report], sources: &SourceMap) {
        let width = columns(std::io::stderr()).unwrap_or(WIDTH);
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

/// The width of a terminal; `None` where there is none, or one too narrow to say so.
fn columns(stream: impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width >= 40)
}

/// Columns as wide as they have to be, two blanks apart.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
