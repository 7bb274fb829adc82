//! The plan for people.

mod actions;
mod head;
mod page;
mod totals;

pub use head::secrets;

use std::collections::BTreeMap;

use self::page::{Page, Style, wrap};
use crate::diagnose::Frame;
use crate::plan::{Plan, Step};

/// Whether a step's layer is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepStatus {
    Cached,
    /// It runs, and why: `its operations changed`.
    Runs(String),
}

#[derive(Clone, Debug)]
pub struct TextOptions {
    pub color: bool,
    /// By the step's number; a step that is not named has nothing said about it.
    pub status: BTreeMap<usize, StepStatus>,
    /// Whether the operations of a step are shown, or its label only.
    pub commands: bool,
    /// Columns that lines may take where their words allow it.
    pub width: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions {
            color: false,
            status: BTreeMap::new(),
            commands: true,
            width: 90,
        }
    }
}

/// The preview.
pub fn text(plan: &Plan, options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    head::write(&mut page, plan);
    let digits = plan
        .steps
        .iter()
        .map(|step| step.number)
        .max()
        .unwrap_or(1)
        .to_string()
        .len();
    let mut shortened = false;
    for (at, step) in plan.steps.iter().enumerate() {
        if at == 0 || options.commands {
            page.end();
        }
        title(&mut page, plan, step, options, digits);
        if options.commands {
            shortened |= actions::write(&mut page, step, digits + 3);
        }
    }
    totals::write(&mut page, plan, options, shortened);
    page.finish()
}

/// ` 3  install openssh-server                          recipes/x.rhai:15`
fn title(page: &mut Page, plan: &Plan, step: &Step, options: &TextOptions, digits: usize) {
    let indent = digits + 3;
    let mut label = step.label.clone();
    if label.is_empty() {
        label = step.call.clone();
    }
    if plan.roots.len() > 1
        && let Some(root) = step.root.and_then(|id| plan.root(id))
    {
        label = format!("{}: {label}", root.name);
    }
    let place = place(&step.site);
    let status = match options.status.get(&step.number) {
        None => String::new(),
        Some(StepStatus::Cached) => "cached".to_owned(),
        Some(StepStatus::Runs(why)) if why.is_empty() => "runs".to_owned(),
        Some(StepStatus::Runs(why)) => format!("runs: {why}"),
    };
    let style = match options.status.get(&step.number) {
        Some(StepStatus::Cached) => Style::Green,
        _ => Style::Yellow,
    };

    page.put(
        Style::Cyan,
        &format!("{:>width$}", step.number, width = digits + 1),
    );
    page.spaces(2);
    let lines = wrap(&label, page.width.saturating_sub(indent));
    let last = lines.len().saturating_sub(1);
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            page.spaces(indent);
        }
        page.put(Style::Bold, line);
        if at < last {
            page.end();
        }
    }
    let used = indent + lines.last().map_or(0, |line| line.chars().count());
    let place_width = place.chars().count();
    // A reason is a sentence and gets a line of its own, with the place beside it.
    let reason = status.contains(' ');
    let beside = if status.is_empty() || reason {
        place_width
    } else {
        place_width + 2 + status.chars().count()
    };
    if !reason && used + 2 + beside <= page.width {
        page.spaces(page.width - used - beside);
        page.put(Style::Dim, &place);
        if !status.is_empty() {
            page.spaces(2);
            page.put(style, &status);
        }
        page.end();
        return;
    }
    page.end();
    page.spaces(indent);
    page.put(Style::Dim, &place);
    if !status.is_empty() {
        page.put(Style::Dim, if place.is_empty() { "" } else { " · " });
        page.put(style, &status);
    }
    page.end();
}

/// Where a step was asked for: the recipe's line, and the line of the library that made
/// the call where the recipe did not make it itself.
pub fn place(site: &[Frame]) -> String {
    let short = |frame: &Frame| format!("{}:{}", frame.span.file, frame.span.start.line);
    match site {
        [] => String::new(),
        [only] => short(only),
        [first, .., last] => format!("{} → {}", short(first), short(last)),
    }
}
