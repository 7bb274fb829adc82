//! What builds show while they run.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::printer::Printer;
use crate::build::{At, BuildResult, Events};
use crate::diagnose::terminal::{is_control, json_line};
use crate::diagnose::{Report, SourceMap};
use crate::preview::StepStatus;

/// How progress is written; JSON is one object a line, on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    #[default]
    Human,
    Json,
}

pub struct Progress<'a> {
    printer: &'a Printer,
    format: LogFormat,
    verbose: bool,
    /// Whether lines name the recipe.
    several: bool,
    terminal: bool,
    lines: MultiProgress,
    /// The live lines, on a terminal: by build and step.
    live: Mutex<BTreeMap<(usize, usize), ProgressBar>>,
}

impl<'a> Progress<'a> {
    pub fn new(format: LogFormat, verbose: bool, several: bool, printer: &'a Printer) -> Self {
        Progress {
            printer,
            format,
            verbose,
            several,
            terminal: std::io::stderr().is_terminal() && format == LogFormat::Human,
            lines: MultiProgress::new(),
            live: Mutex::default(),
        }
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<(usize, usize), ProgressBar>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line above the live ones.
    fn say(&self, text: &str) {
        self.lines.suspend(|| {
            self.printer.say(text);
        });
    }

    /// Writes an event, where programs read them.
    fn json(&self, at: At<'_>, event: &str, fields: Value) -> bool {
        if self.format != LogFormat::Json {
            return false;
        }
        let mut line = json!({ "event": event, "step": at.step.number });
        if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
            if self.several {
                line.insert("recipe".to_owned(), at.plan.recipe.path.clone().into());
            }
            line.extend(fields);
        }
        self.printer.drawn(&json_line(&line));
        true
    }

    /// Takes the live lines away, for other output.
    pub fn clear(&self) {
        for bar in std::mem::take(&mut *self.live()).into_values() {
            bar.finish_and_clear();
        }
    }

    pub fn done(&self, result: &BuildResult) {
        self.clear();
        if self.format == LogFormat::Json {
            self.printer.drawn(&json_line(&json!({
                "event": "done", "exports": result.exports, "cached": result.cached,
                "ran": result.ran, "logs": result.logs,
            })));
        }
    }

    /// ` 3. install curl`, and before it the recipe where there are several.
    fn title(&self, at: At<'_>, width: usize) -> String {
        let mut label = printable(&at.step.label);
        if at.plan.roots.len() > 1
            && let Some(root) = at.step.root.and_then(|root| at.plan.root(root))
        {
            label = format!("{}: {label}", root.name);
        }
        let recipe = Path::new(&at.plan.recipe.path);
        let recipe = recipe.file_stem().unwrap_or_default().to_string_lossy();
        match self.several {
            true => shortened(&format!("{recipe} {}. {label}", at.step.number), width),
            false => shortened(&format!("{:>2}. {label}", at.step.number), width),
        }
    }
}

/// A line of a tool's output.
fn printable(line: &str) -> String {
    line.replace(|c| is_control(c) || c == '\t', " ")
}

impl Events for Progress<'_> {
    fn step_started(&self, at: At<'_>, status: &StepStatus) {
        let why = match status {
            StepStatus::Runs(why) if !why.is_empty() => Some(why),
            _ => None,
        };
        let fields = json!({
            "of": at.plan.steps.len(), "call": at.step.call, "label": at.step.label, "why": why,
        });
        if self.json(at, "step_started", fields) || matches!(status, StepStatus::Cached(_)) {
            return;
        }
        if let Some(why) = why {
            self.say(&format!(
                "    {} runs: {why}",
                self.title(at, WIDTH).trim_start()
            ));
        }
        if self.terminal && !self.verbose {
            let style = ProgressStyle::with_template("{prefix} {elapsed:>4}  {wide_msg:.dim}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = self.lines.add(ProgressBar::new_spinner().with_style(style));
            bar.set_prefix(self.title(at, LIVE_WIDTH));
            bar.enable_steady_tick(Duration::from_millis(200));
            self.live().insert((at.build, at.step.number), bar);
        } else if self.verbose {
            self.say(&format!("{} …", self.title(at, WIDTH)));
        }
    }

    fn waiting(&self, at: At<'_>) {
        if !self.json(at, "waiting", json!({})) {
            let title = self.title(at, WIDTH);
            let what = "another build makes this layer, waiting for it";
            self.say(&format!("    {}: {what}", title.trim_start()));
        }
    }

    fn output(&self, at: At<'_>, line: &str) {
        if self.json(at, "output", json!({ "line": line })) {
            return;
        }
        if self.verbose {
            let recipe = match self.several {
                true => format!("{} ", self.title(at, WIDTH)),
                false => String::new(),
            };
            self.say(&format!("      {recipe}{}", printable(line)));
        } else if !line.trim().is_empty()
            && let Some(bar) = self.live().get(&(at.build, at.step.number))
        {
            bar.set_message(printable(line));
        }
    }

    fn step_finished(&self, at: At<'_>, elapsed: Option<Duration>) {
        let seconds = elapsed.map(|elapsed| elapsed.as_secs_f64());
        let fields = json!({ "seconds": seconds, "cached": elapsed.is_none() });
        if self.json(at, "step_finished", fields) {
            return;
        }
        let bar = self.live().remove(&(at.build, at.step.number));
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let time = seconds.map_or_else(|| "cached".to_owned(), |seconds| format!("{seconds:.1} s"));
        let title = self.title(at, WIDTH);
        let space = WIDTH.saturating_sub(title.chars().count()) + 2;
        self.say(&format!("{title}{:space$}{time:>8}", ""));
    }

    fn exported(&self, at: At<'_>, path: &Path) {
        if !self.json(at, "exported", json!({ "path": path })) {
            self.say(&format!("    {}", path.display()));
        }
    }

    fn warned(&self, warnings: &[Report], sources: &SourceMap) {
        self.lines
            .suspend(|| self.printer.reports(warnings, sources));
    }

    fn note(&self, line: &str) {
        self.say(line);
    }
}

const WIDTH: usize = 76;
/// Of a live line's title, which shares the line with the last line of the output.
const LIVE_WIDTH: usize = 40;

/// A title of at most `width` characters.
fn shortened(title: &str, width: usize) -> String {
    if title.chars().count() <= width {
        return title.to_owned();
    }
    let mut short: String = title.chars().take(width - 1).collect();
    short.push('…');
    short
}
