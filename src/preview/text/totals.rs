//! What stands below the steps: messages and totals.

use super::page::{Page, Style, count, wrap};
use super::{StepStatus, TextOptions, place};
use crate::plan::{MessageLevel, Op, Plan};

pub fn write(page: &mut Page, plan: &Plan, options: &TextOptions, shortened: bool) {
    for (at, message) in plan.messages.iter().enumerate() {
        if at == 0 {
            page.end();
        }
        let (key, style) = match message.level {
            MessageLevel::Log => ("note: ", Style::Cyan),
            MessageLevel::Warn => ("warning: ", Style::Yellow),
        };
        let mut text = message.text.clone();
        let place = place(&message.calls);
        if !place.is_empty() {
            text.push_str(&format!(" ({place})"));
        }
        page.put(style, key);
        let lines = wrap(&text, page.width.saturating_sub(key.len()));
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                page.spaces(key.len());
            }
            page.line(Style::Plain, line);
        }
    }

    let mut host = 0;
    let mut root = 0;
    let mut exports = 0;
    let mut boots = 0;
    let mut others = 0;
    for action in plan.steps.iter().flat_map(|step| &step.actions) {
        match &action.op {
            Op::Run(run) if run.place.is_host() => host += 1,
            Op::Run(_) => root += 1,
            Op::Export(_) => exports += 1,
            Op::ExpectBoot(_) => boots += 1,
            _ => others += 1,
        }
    }
    let mut parts = Vec::new();
    if host > 0 {
        parts.push(count(host, "host command", "host commands"));
    }
    if root > 0 {
        parts.push(format!(
            "{} in the root",
            count(root, "command", "commands")
        ));
    }
    if others > 0 {
        parts.push(count(others, "file operation", "file operations"));
    }
    if exports > 0 {
        parts.push(count(exports, "export", "exports"));
    }
    if boots > 0 {
        parts.push(count(boots, "boot", "boots"));
    }
    page.end();
    page.put(Style::Bold, &count(plan.steps.len(), "step", "steps"));
    if !parts.is_empty() {
        page.put(Style::Plain, &format!(": {}", parts.join(", ")));
    }
    page.end();
    if !options.status.is_empty() {
        let known = |step: &&crate::plan::Step| options.status.get(&step.number);
        let cached = plan
            .steps
            .iter()
            .filter(|step| matches!(known(step), Some(StepStatus::Cached(_))))
            .count();
        let runs = plan
            .steps
            .iter()
            .filter(|step| {
                matches!(
                    known(step),
                    Some(StepStatus::Runs(_) | StepStatus::Follows(_))
                )
            })
            .count();
        page.line(Style::Plain, &format!("{cached} cached, {runs} to run"));
    }
    if shortened && options.commands {
        page.line(
            Style::Dim,
            "long texts are shortened; the formats sh and json have them whole",
        );
    }
}
