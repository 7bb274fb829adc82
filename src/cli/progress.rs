//! What a build shows while it runs.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::plan::Step;
use crate::run::{Events, Outcome};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    /// One JSON object a line, on standard output.
    Json,
}

pub struct Progress {
    format: LogFormat,
    verbose: bool,
    /// The live line, on a terminal.
    live: RefCell<Option<ProgressBar>>,
    terminal: bool,
}

impl Progress {
    pub fn new(format: LogFormat, verbose: bool) -> Self {
        Progress {
            format,
            verbose,
            live: RefCell::new(None),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    fn say(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    fn json(&self, value: &serde_json::Value) {
        let _ = writeln!(std::io::stdout().lock(), "{value}");
    }

    /// Takes the live line away, for other output.
    pub fn clear(&self) {
        if let Some(bar) = self.live.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }

    pub fn done(&self, outcome: &Outcome) {
        self.clear();
        if self.format == LogFormat::Json {
            self.json(&serde_json::json!({
                "event": "done", "exports": outcome.exports, "cached": outcome.cached,
                "ran": outcome.ran, "logs": outcome.logs,
            }));
        }
    }
}

/// Control characters would move the cursor about.
fn printable(line: &str) -> String {
    line.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

impl Events for Progress {
    fn step_started(&self, step: &Step, of: usize) {
        if self.format == LogFormat::Json {
            self.json(&serde_json::json!({
                "event": "step_started", "step": step.number, "of": of, "call": step.call, "label": step.label,
            }));
            return;
        }
        if self.terminal && !self.verbose {
            let style = ProgressStyle::with_template("{prefix} {elapsed:>4}  {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.set_prefix(format!(
                "{:>2}/{of} {}",
                step.number,
                shortened(&step.label)
            ));
            bar.enable_steady_tick(Duration::from_millis(200));
            self.live.replace(Some(bar));
        } else {
            self.say(&format!(
                "{:>2}/{of} {} …",
                step.number,
                shortened(&step.label)
            ));
        }
    }

    fn output(&self, step: &Step, line: &str) {
        if self.format == LogFormat::Json {
            self.json(&serde_json::json!({ "event": "output", "step": step.number, "line": line }));
        } else if self.verbose {
            self.say(&format!("      {}", printable(line)));
        } else if let Some(bar) = self.live.borrow().as_ref()
            && !line.trim().is_empty()
        {
            bar.set_message(printable(line));
        }
    }

    fn step_finished(&self, step: &Step, elapsed: Duration, cached: bool) {
        if self.format == LogFormat::Json {
            self.json(&serde_json::json!({
                "event": "step_finished", "step": step.number, "seconds": elapsed.as_secs_f64(), "cached": cached,
            }));
            return;
        }
        self.clear();
        let time = if cached {
            "cached".to_owned()
        } else {
            seconds(elapsed)
        };
        self.say(&format!(
            "{:>2}. {:<72} {time:>8}",
            step.number,
            shortened(&step.label)
        ));
    }

    fn exported(&self, path: &Path) {
        if self.format == LogFormat::Json {
            self.json(&serde_json::json!({ "event": "exported", "path": path }));
            return;
        }
        self.clear();
        self.say(&format!("    {}", path.display()));
    }
}

/// A label that fits on a line with its number and its time.
fn shortened(label: &str) -> String {
    const WIDTH: usize = 72;
    if label.chars().count() <= WIDTH {
        return label.to_owned();
    }
    let mut short: String = label.chars().take(WIDTH - 1).collect();
    short.push('…');
    short
}
