//! A script that is being written: its lines, and what they need.

use std::collections::BTreeSet;

use super::super::shell_words::{fold, joined};
use super::pattern;
use super::text_pieces::{Input, pieces};
use crate::diagnose::terminal::is_control;
use crate::diagnose::{Frame, Report};
use crate::plan::{Part, Plan, RootId, Text};

/// How wide a line may be where its words allow it.
pub const WIDTH: usize = 88;

/// The lines so far, and what they need.
pub struct Script<'a> {
    pub plan: &'a Plan,
    pub out: String,
    /// The functions of the runtime that are called.
    pub calls: BTreeSet<&'static str>,
    /// Programs that an export needs.
    pub export_tools: BTreeSet<&'static str>,
    pub exported: BTreeSet<RootId>,
    pub indent: &'static str,
    /// What a script can't do.
    pub refused: Vec<Report>,
    /// The calls that the current operation is from.
    pub at: Vec<Frame>,
}

impl<'a> Script<'a> {
    pub fn new(plan: &'a Plan) -> Self {
        Script {
            plan,
            out: String::new(),
            calls: BTreeSet::from(["enter", "die"]),
            export_tools: BTreeSet::new(),
            exported: BTreeSet::new(),
            indent: "",
            refused: Vec::new(),
            at: Vec::new(),
        }
    }

    /// Notes that the script can't do what the current operation says.
    pub fn refuse(&mut self, message: &str, help: &str) {
        let report = Report::new("preview::script", message)
            .trace(self.at.clone())
            .help(help);
        self.refused.push(report);
    }

    /// A regular expression for Perl.
    pub fn pattern(&mut self, pattern: &str, multi_line: bool) -> String {
        pattern::perl(pattern, multi_line).unwrap_or_else(|error| {
            let message = format!("no script can look for the pattern `{pattern}`: {error}");
            self.refuse(&message, "write the pattern differently");
            String::new()
        })
    }

    pub fn input(&mut self, text: &Text) -> Input {
        if text.secrets().next().is_some() {
            self.uses("print_secret");
        }
        Input::of(&pieces(self.plan, text))
    }

    pub fn joined(&self, part: Part) -> String {
        joined(&pieces(self.plan, &Text::of(part)))
    }

    /// Notes that a function of the runtime is called.
    pub fn uses(&mut self, name: &'static str) {
        self.calls.insert(name);
    }

    pub fn call(&mut self, name: &'static str, words: Vec<String>) {
        self.call_with(name, words, Input::default());
    }

    pub fn call_with(&mut self, name: &'static str, mut words: Vec<String>, input: Input) {
        self.uses(name);
        words.insert(0, name.to_owned());
        self.command("", words, input, "");
    }

    pub fn command(&mut self, lead: &str, words: Vec<String>, input: Input, tail: &str) {
        let continued = format!("{}    ", self.indent);
        let mut text = format!("{}{lead}{}", self.indent, input.before);
        let used = text.lines().last().map_or(0, |line| line.chars().count());
        let room = WIDTH.saturating_sub(tail.lines().next().unwrap_or_default().len());
        text.push_str(&fold(&words, used, room, &continued).join("\n"));
        text.push_str(&input.after);
        text.push_str(tail);
        self.out.push_str(&text);
        self.out.push('\n');
        self.out.push_str(&input.body);
    }

    pub fn line(&mut self, text: &str) {
        self.out.push_str(self.indent);
        self.out.push_str(text);
        self.out.push('\n');
    }

    pub fn comment(&mut self, text: &str) {
        self.out.push_str(&comment(text, self.indent));
    }
}

/// Lines behind a `#`, whatever is in the text.
pub fn comment(text: &str, indent: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line: String = line
            .chars()
            .map(|c| if is_control(c) || c == '\t' { ' ' } else { c })
            .collect();
        // To shellcheck such a line is an order.
        let line = match line.trim_start().strip_prefix("shellcheck") {
            Some(rest) => format!("(shellcheck{rest})"),
            None => line,
        };
        out.push_str(format!("{indent}# {line}").trim_end());
        out.push('\n');
    }
    out
}
