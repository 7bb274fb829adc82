//! What stands below the steps: messages and totals.

use super::page::{Page, Style, plural, wrap};
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

    let (mut host, mut root, mut exports, mut boots, mut others) = (0, 0, 0, 0, 0);
    for action in plan.steps.iter().flat_map(|step| &step.actions) {
        match &action.op {
            Op::Run(run) if run.place.is_host() => host += 1,
            Op::Run(_) => root += 1,
            Op::Export(_) => exports += 1,
            Op::ExpectBoot(_) => boots += 1,
            _ => others += 1,
        }
    }
    let counts = [
        (host, "host command", "host commands"),
        (root, "command in the root", "commands in the root"),
        (others, "file operation", "file operations"),
        (exports, "export", "exports"),
        (boots, "boot", "boots"),
    ];
    let counts = counts.iter().filter(|(count, ..)| *count > 0);
    let parts: Vec<String> = counts
        .map(|(count, one, many)| plural(*count, one, many))
        .collect();
    page.end();
    page.put(Style::Bold, &plural(plan.steps.len(), "step", "steps"));
    if !parts.is_empty() {
        page.put(Style::Plain, &format!(": {}", parts.join(", ")));
    }
    page.end();
    if !options.status.is_empty() {
        let status = plan
            .steps
            .iter()
            .filter_map(|step| options.status.get(&step.number));
        let (cached, to_run): (Vec<&StepStatus>, Vec<_>) =
            status.partition(|status| matches!(status, StepStatus::Cached(_)));
        let (cached, to_run) = (cached.len(), to_run.len());
        page.line(Style::Plain, &format!("{cached} cached, {to_run} to run"));
    }
    if shortened && options.commands {
        page.line(
            Style::Dim,
            "long texts are shortened; the formats sh and json have them whole",
        );
    }
}
