//! The preview for people.

use std::fmt::Write;

use crate::plan::command::{quote, quote_all};
use crate::plan::{Action, Attributes, Edit, MessageLevel, Op, Plan, Step, Text};

/// How many lines of a file's contents or of a script are shown.
const SHOWN_LINES: usize = 12;

/// The plan as numbered steps with the commands and changes under them.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    header(&mut out, plan);
    let width = plan.steps.len().to_string().len();
    for step in &plan.steps {
        render_step(&mut out, plan, step, width);
    }
    let exports = plan.steps.iter().filter(|step| step.call == "export").count();
    let _ = writeln!(
        out,
        "\n{}, {}. Nothing has been changed: `rootwright build {}` runs this.",
        count(plan.steps.len(), "step"),
        count(exports, "export"),
        quote(&plan.recipe.path)
    );
    out
}

fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

fn header(out: &mut String, plan: &Plan) {
    let title = if plan.recipe.title.is_empty() { "a recipe without a title" } else { &plan.recipe.title };
    let _ = writeln!(out, "{}: {title}", plan.recipe.path);
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for option in &plan.options {
        let value = match &option.value {
            serde_json::Value::String(text) if !text.is_empty() => text.clone(),
            value => value.to_string(),
        };
        let from = if option.given { "given" } else { "default" };
        rows.push((format!("option {}", option.name), value, from.to_owned()));
    }
    for assumption in &plan.assumptions {
        let value = assumption.value.lines().next().unwrap_or_default().to_owned();
        rows.push((assumption.what.clone(), value, format!("from {}", assumption.from)));
    }
    let name_width = rows.iter().map(|row| row.0.chars().count()).max().unwrap_or(0);
    for (name, value, from) in rows {
        let _ = writeln!(out, "  {name:<name_width$}  {value}  ({from})");
    }
    for message in &plan.messages {
        let word = match message.level {
            MessageLevel::Log => "note",
            MessageLevel::Warn => "warning",
        };
        let place = message.site.first().map(|frame| format!("  {}", frame.span)).unwrap_or_default();
        let _ = writeln!(out, "  {word}: {}{place}", message.text);
    }
}

fn render_step(out: &mut String, plan: &Plan, step: &Step, width: usize) {
    let mut place = step.site.first().map(|frame| frame.span.to_string()).unwrap_or_default();
    // A step of a library's function: where it stands there, too.
    if let (true, Some(last)) = (step.site.len() > 1, step.site.last()) {
        let _ = write!(place, " > {}", last.span);
    }
    let root = match step.root.and_then(|id| plan.root(id)) {
        Some(root) if plan.roots.len() > 1 => format!(" [{}]", root.name),
        _ => String::new(),
    };
    let _ = writeln!(out, "\n{:>width$}. {}{root}", step.number, step.label);
    let indent = " ".repeat(width + 2);
    let _ = writeln!(out, "{indent}{place}");
    for action in &step.actions {
        render_action(out, action, &indent);
    }
}

fn render_action(out: &mut String, action: &Action, indent: &str) {
    if let Some(about) = &action.about {
        let _ = writeln!(out, "{indent}# {about}");
    }
    if let Some(condition) = &action.only_if {
        let _ = writeln!(out, "{indent}only if: {}", quote_all(condition));
    }
    let line = |out: &mut String, text: String| {
        let _ = writeln!(out, "{indent}{text}");
    };
    match &action.op {
        Op::HostRun(run) => {
            command(out, indent, "host#", &run.argv);
            details(out, indent, &run.env, run.stdin.as_ref(), run.allow_failure.as_deref());
        }
        Op::NspawnRun(run) => {
            command(out, indent, "root#", &run.argv);
            details(out, indent, &run.env, run.stdin.as_ref(), run.allow_failure.as_deref());
        }
        Op::WriteFile(op) => {
            line(out, format!("write {}{}", op.path, attributes(&op.attributes)));
            contents(out, indent, &op.content);
        }
        Op::AppendFile(op) => {
            line(out, format!("append to {}", op.path));
            contents(out, indent, &op.content);
        }
        Op::EditFile(op) => {
            line(out, format!("edit {}", op.path));
            for Edit { pattern, replacement } in &op.edits {
                line(out, format!("    {pattern}  ->  {replacement}"));
            }
        }
        Op::CopyIn(op) => line(out, format!("copy {} to {}{}", op.source, op.path, attributes(&op.attributes))),
        Op::MakeDir(op) => line(out, format!("make directory {}{}", op.path, attributes(&op.attributes))),
        Op::Symlink(op) => line(out, format!("link {} -> {}", op.path, op.target)),
        Op::RemovePath(op) => line(out, format!("remove {}", op.path)),
        Op::MovePath(op) => line(out, format!("move {} to {}", op.from, op.to)),
        Op::SetMode(op) => line(out, format!("set mode {:04o} on {}", op.mode, op.path)),
        Op::SetOwner(op) => {
            let group = op.group.as_ref().map(|group| format!(":{group}")).unwrap_or_default();
            line(out, format!("set owner {}{group} on {}", op.owner, op.path));
        }
        Op::RequirePaths(op) => {
            line(out, format!("check that the root has what {} needs:", op.purpose));
            for path in &op.paths {
                line(out, format!("    {} ({})", path.any_of.join(" or "), path.package));
            }
        }
        Op::Fetch(op) => {
            line(out, format!("fetch {} to {}{}", op.url, op.path, attributes(&op.attributes)));
            line(out, format!("    sha256 {}", op.sha256));
        }
        Op::Export(op) => {
            let format = match &op.format {
                crate::plan::Format::Dir => "root/".to_owned(),
                crate::plan::Format::Tar { compression } => crate::plan::command::tar_name(*compression).to_owned(),
            };
            let mut files = vec![format];
            if !op.kernel.is_empty() {
                files.extend(["vmlinuz", "initramfs.img"].map(str::to_owned));
            }
            files.extend(op.cmdline.as_ref().map(|_| "cmdline".to_owned()));
            files.push("manifest.json".to_owned());
            line(out, format!("write OUT/{}/: {}", op.name, files.join(", ")));
            if !op.exclude.is_empty() {
                line(out, format!("    without {}", op.exclude.join(", ")));
            }
            if let Some(cmdline) = &op.cmdline {
                line(out, format!("    cmdline: {cmdline}"));
            }
        }
    }
}

/// A command line; a shell script as the lines that it has.
fn command(out: &mut String, indent: &str, mark: &str, argv: &[String]) {
    if let [shell, flags, script] = argv
        && shell == "/bin/sh"
        && flags == "-euc"
    {
        let _ = writeln!(out, "{indent}{mark} sh -eu <<END");
        for line in script.trim_matches('\n').lines() {
            let _ = writeln!(out, "{indent}    {line}");
        }
        let _ = writeln!(out, "{indent}END");
        return;
    }
    // A long command goes on over indented lines, broken between words.
    let mut line = format!("{indent}{mark}");
    for word in argv {
        let word = quote(word);
        if line.chars().count() + word.chars().count() > 92 && line.trim().len() > mark.len() {
            let _ = writeln!(out, "{line} \\");
            line = format!("{indent}    ");
        } else {
            line.push(' ');
        }
        line.push_str(&word);
    }
    let _ = writeln!(out, "{line}");
}

fn details(
    out: &mut String,
    indent: &str,
    env: &std::collections::BTreeMap<String, Text>,
    stdin: Option<&Text>,
    allow_failure: Option<&str>,
) {
    if !env.is_empty() {
        let words: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(out, "{indent}    with {}", words.join(" "));
    }
    if let Some(stdin) = stdin {
        let _ = writeln!(out, "{indent}    reads:");
        contents(out, indent, stdin);
    }
    if let Some(why) = allow_failure {
        let _ = writeln!(out, "{indent}    may fail: {why}");
    }
}

fn attributes(attributes: &Attributes) -> String {
    let mut words = Vec::new();
    if let Some(mode) = attributes.mode {
        words.push(format!("mode {mode:04o}"));
    }
    if let Some(owner) = &attributes.owner {
        words.push(format!("owner {owner}"));
    }
    if let Some(group) = &attributes.group {
        words.push(format!("group {group}"));
    }
    if words.is_empty() {
        String::new()
    } else {
        format!(" ({})", words.join(", "))
    }
}

fn contents(out: &mut String, indent: &str, content: &Text) {
    let text = content.to_string();
    let lines: Vec<&str> = text.lines().collect();
    for line in lines.iter().take(SHOWN_LINES) {
        let shown: String = line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
        let _ = writeln!(out, "{indent}    | {shown}");
    }
    if lines.len() > SHOWN_LINES {
        let _ = writeln!(out, "{indent}    | … {} more lines", lines.len() - SHOWN_LINES);
    }
}
