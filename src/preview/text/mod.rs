//! The plan for people.

mod actions;
mod head;
mod headline;
mod page;
mod totals;

pub use head::secrets;
pub use page::plural;

use std::collections::BTreeMap;

use self::page::{Page, Style, wrap};
use crate::diagnose::Frame;
use crate::plan::policy::Permissions;
use crate::plan::{Op, Plan, Step};

/// Whether a step's layer exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepStatus {
    /// It is in the store, and its age where that is known.
    Cached(Option<String>),
    /// It runs, and why: `packages: + curl`.
    Runs(String),
    /// It runs because the step of this number does.
    Follows(usize),
}

#[derive(Clone, Debug)]
pub struct TextOptions {
    pub color: bool,
    /// By the step's number; a step that is not named has nothing said about it.
    pub status: BTreeMap<usize, StepStatus>,
    /// Whether the operations of a step are shown, or its label only.
    pub commands: bool,
    /// What the user allows, for the capabilities that are refused otherwise.
    pub permissions: Permissions,
    /// Columns that lines may take where their words allow it.
    pub width: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions {
            color: false,
            status: BTreeMap::new(),
            commands: true,
            permissions: Permissions::default(),
            width: 90,
        }
    }
}

/// An operation on files in a line: `make directory /srv (mode 0700)`; `None` for commands.
/// With its plan, it names files by path and not by digest.
pub fn headline(plan: Option<&Plan>, op: &Op) -> Option<String> {
    let headline = headline::Headline::of(plan, op)?;
    let note = match headline.note.as_str() {
        "" => String::new(),
        note => format!(" ({note})"),
    };
    Some(headline.text() + note.as_str())
}

/// The preview.
pub fn text(plan: &Plan, options: &TextOptions) -> String {
    let mut page = Page::new(options.color, options.width);
    head::write(&mut page, plan, options.permissions);
    let last = plan.steps.iter().map(|step| step.number).max();
    let digits = last.unwrap_or(1).to_string().len();
    let mut shortened = false;
    for (at, step) in plan.steps.iter().enumerate() {
        if at == 0 || options.commands {
            page.end();
        }
        title(&mut page, plan, step, options, digits);
        if options.commands {
            shortened |= actions::write(&mut page, plan, step, digits + 3);
        }
    }
    totals::write(&mut page, plan, options, shortened);
    page.finish()
}

/// ` 3  install openssh-server                          recipes/x.rhai:15  cached`
fn title(page: &mut Page, plan: &Plan, step: &Step, options: &TextOptions, digits: usize) {
    let indent = digits + 3;
    let mut label = step.title().to_owned();
    if plan.roots.len() > 1
        && let Some(root) = step.root.and_then(|id| plan.root(id))
    {
        label = format!("{}: {label}", root.name);
    }
    let note = match actions::implied(plan, step) {
        Some(note) if options.commands && !note.is_empty() => format!(" ({note})"),
        _ => String::new(),
    };
    // As wide as `cached`, so that the places stand below each other.
    let (status, style, reason) = match options.status.get(&step.number) {
        None if options.status.is_empty() => ("", Style::Plain, ""),
        None => ("      ", Style::Plain, ""),
        Some(StepStatus::Cached(age)) => ("cached", Style::Green, age.as_deref().unwrap_or("")),
        Some(StepStatus::Runs(why)) => ("runs  ", Style::Yellow, why.as_str()),
        Some(StepStatus::Follows(_)) => ("runs  ", Style::Yellow, ""),
    };
    let place = place(&step.calls);
    let gap = if status.is_empty() { 0 } else { 2 };
    let right = place.chars().count() + gap + status.len();

    let number = format!("{:>width$}", step.number, width = digits + 1);
    page.put(Style::Cyan, &number);
    page.spaces(2);
    let lines = wrap(&label, page.width.saturating_sub(indent));
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            page.end();
            page.spaces(indent);
        }
        page.put(Style::Bold, line);
    }
    page.put(Style::Dim, &note);
    let last = lines.last().map_or(0, |line| line.chars().count());
    let mut used = indent + last + note.chars().count();
    if used + 2 + right > page.width {
        page.end();
        used = 0;
    }
    page.spaces(
        page.width
            .saturating_sub(used + right)
            .max(indent.saturating_sub(used)),
    );
    page.put(Style::Dim, &place);
    page.spaces(gap);
    page.put(style, status);
    page.end();
    if !reason.is_empty() {
        for line in wrap(&format!("({reason})"), page.width.saturating_sub(indent)) {
            page.spaces(indent);
            page.line(style, &line);
        }
    }
}

/// Where a step was asked for: the recipe's line, and the line of the library that made
/// the call where the recipe did not make it itself.
pub fn place(calls: &[Frame]) -> String {
    let short = |frame: &Frame| format!("{}:{}", frame.span.file, frame.span.start.line);
    match calls {
        [] => String::new(),
        [only] => short(only),
        [first, .., last] => format!("{} → {}", short(first), short(last)),
    }
}
