//! The operations of a step, one below the other.

use super::super::shell_words::{fold, word};
use super::headline::{Headline, one_line};
use super::page::{Page, Style, wrap};
use crate::plan::{Action, AppendFile, Command, Export, Op, Plan, Run, RunPlace, Source};
use crate::plan::{Step, Text, Times, WriteFile};

/// How many lines a text has at most that is shown whole, and how many are shown of a longer
/// one.
struct Limits {
    whole: usize,
    head: usize,
}

const FILE: Limits = Limits { whole: 12, head: 8 };
/// Of scripts that are arguments of commands: there the steps of a build hide.
const SCRIPT: Limits = Limits {
    whole: 24,
    head: 20,
};

/// What a step's title says in brackets where the title is its only operation, which is
/// then not said again.
pub fn implied(plan: &Plan, step: &Step) -> Option<String> {
    let [action] = step.actions.as_slice() else {
        return None;
    };
    if action.only_if.is_some() || action.about.is_some() {
        return None;
    }
    let headline = Headline::of(Some(plan), &action.op)?;
    (headline.text() == step.label).then_some(headline.note)
}

/// Whether something had to be shortened.
pub fn write(page: &mut Page, plan: &Plan, step: &Step, indent: usize) -> bool {
    let mut lines = Lines {
        page,
        plan,
        indent,
        shortened: false,
    };
    let implied = implied(plan, step).is_some();
    for action in &step.actions {
        lines.action(action, implied);
    }
    lines.shortened
}

struct Lines<'a> {
    page: &'a mut Page,
    plan: &'a Plan,
    indent: usize,
    shortened: bool,
}

/// A command line as it is shown.
struct CommandLine<'a> {
    mark: &'a str,
    style: Style,
    env: Vec<String>,
    command: &'a Command,
    /// What the command line does not say: `in /srv`.
    notes: Vec<String>,
}

impl<'a> CommandLine<'a> {
    fn new(mark: &'a str, style: Style, command: &'a Command) -> Self {
        CommandLine {
            mark,
            style,
            env: Vec::new(),
            command,
            notes: Vec::new(),
        }
    }
}

impl Lines<'_> {
    fn action(&mut self, action: &Action, implied: bool) {
        if let Some(about) = &action.about {
            for line in wrap(about, self.page.width.saturating_sub(self.indent + 2)) {
                self.page.spaces(self.indent);
                self.page.line(Style::Dim, &format!("# {line}"));
            }
        }
        if let Some(command) = &action.only_if {
            self.command(CommandLine::new("only if", Style::Dim, command));
        }
        if let Some(headline) = Headline::of(Some(self.plan), &action.op)
            && !implied
        {
            self.page.spaces(self.indent);
            self.page.put(Style::Cyan, headline.verb);
            self.page.put(Style::Plain, &format!(" {}", headline.what));
            if !headline.note.is_empty() {
                self.page.put(Style::Dim, &format!(" ({})", headline.note));
            }
            self.page.end();
        }
        match &action.op {
            Op::Run(run) => self.run(run),
            Op::WriteFile(WriteFile { content, .. })
            | Op::AppendFile(AppendFile { content, .. }) => {
                self.block(&content.to_string(), FILE);
            }
            Op::EditFile(file) => {
                for edit in &file.edits {
                    self.detail("replace", &format!("/{}/", one_line(&edit.pattern)));
                    self.detail("with", &one_line(&edit.replacement));
                }
            }
            Op::RequirePaths(paths) => {
                for path in &paths.paths {
                    let why = match path.why.as_str() {
                        "" => String::new(),
                        why => format!(": {why}"),
                    };
                    let files = path.any_of.join(" or ");
                    self.detail("", &format!("{files} ({}{why})", path.package));
                }
            }
            Op::Export(export) => self.export(export),
            Op::ExpectBoot(expect) => {
                for command in &expect.commands {
                    self.detail("succeeds", &one_line(command));
                }
            }
            Op::CopyIn(copy) => {
                if let Source::Download(sha256) = &copy.source {
                    self.detail("sha256", sha256);
                }
            }
            Op::MakeDir(_)
            | Op::Symlink(_)
            | Op::RemovePath(_)
            | Op::MovePath(_)
            | Op::SetMode(_)
            | Op::SetOwner(_) => {}
        }
    }

    fn run(&mut self, run: &Run) {
        let mut notes = Vec::new();
        if let RunPlace::BootedRoot { timeout } = run.place {
            notes.push("once the root's own system is up".to_owned());
            notes.push(format!("within {timeout} s"));
        }
        notes.extend(run.user.as_ref().map(|user| format!("as {user}")));
        notes.extend(run.cwd.as_ref().map(|cwd| format!("in {cwd}")));
        if run.network && !run.place.is_host() {
            notes.push("with network".to_owned());
        }
        for bind in &run.binds {
            let kind = if bind.read_only { ", read only" } else { "" };
            notes.push(format!("host's {} at {}{kind}", bind.host, bind.path));
        }
        let (mark, style) = match (run.place, &run.user) {
            (RunPlace::Host, _) => ("host#", Style::Yellow),
            (_, None) => ("root#", Style::Green),
            (_, Some(_)) => ("root$", Style::Green),
        };
        let env = run.env.iter();
        let env = env.map(|(name, value)| format!("{name}={}", shown(value)));
        self.command(CommandLine {
            env: env.collect(),
            notes,
            ..CommandLine::new(mark, style, &run.command)
        });
        if let Some(stdin) = &run.stdin {
            self.page.spaces(self.indent + 2);
            self.page.line(Style::Dim, "standard input");
            self.block(&stdin.to_string(), FILE);
        }
        for pattern in &run.verdict.fail_on {
            let text = format!("/{}/ in its output", one_line(pattern));
            self.detail("fails on", &text);
        }
        for pattern in &run.verdict.ignore {
            self.detail("but not", &format!("/{}/", one_line(pattern)));
        }
        if let Some(why) = &run.verdict.allow_failure {
            self.detail("may fail", why);
        }
    }

    fn export(&mut self, export: &Export) {
        for pattern in &export.exclude {
            self.detail("leave out", pattern);
        }
        for (key, list) in [("kernel", &export.kernel), ("initramfs", &export.initramfs)] {
            let patterns = list.join(" or ");
            self.detail(key, &patterns.replace("{kver}", "<newest kernel in root>"));
        }
        if let Some(cmdline) = &export.cmdline {
            self.detail("cmdline", cmdline);
        }
        if let Some(command) = &export.cmdline_command {
            self.detail("cmdline", "as this prints in the root:");
            self.command(CommandLine::new("root#", Style::Green, command));
        }
        match &export.times {
            Times::Kept => {}
            Times::Until { seconds } => {
                self.detail("times", &format!("none after {seconds} s since 1970"));
            }
            Times::Newest { command } => {
                self.detail("times", "none after what this prints in the root:");
                self.command(CommandLine::new("root#", Style::Green, command));
            }
        }
        let names: Vec<&str> = export.texts.iter().map(|text| text.name.as_str()).collect();
        self.detail("beside", &names.join(", "));
    }

    /// `root# useradd admin`; a script goes below as a block.
    fn command(&mut self, command: CommandLine<'_>) {
        let mut words = command.env;
        let mut blocks = Vec::new();
        let argv = command.command.argv();
        let last = argv.len().saturating_sub(1);
        let script = command.command.script().map(|script| &script.text);
        for (at, argument) in argv.iter().enumerate() {
            let text = argument.to_string();
            if text.trim_end().contains('\n') || script == Some(argument) {
                // The last argument needs no word to stand for it.
                if at < last || !blocks.is_empty() {
                    words.push("<script>".to_owned());
                }
                blocks.push(text);
            } else {
                words.push(shown(argument));
            }
        }
        self.page.spaces(self.indent);
        self.page.put(command.style, command.mark);
        self.page.spaces(1);
        let used = self.indent + command.mark.chars().count() + 1;
        let continued = " ".repeat(self.indent + 6);
        let lines = fold(&words, used, self.page.width, &continued);
        let end = lines.last().map_or(0, |line| line.chars().count());
        let end = if lines.len() == 1 { used + end } else { end };
        self.page.put(Style::Plain, &lines.join("\n"));
        let notes = format!("({})", one_line(&command.notes.join("; ")));
        if !command.notes.is_empty() {
            if end + 2 + notes.chars().count() <= self.page.width {
                self.page.spaces(2);
                self.page.put(Style::Dim, &notes);
            } else {
                let width = self.page.width.saturating_sub(self.indent + 6);
                for line in wrap(&notes, width) {
                    self.page.end();
                    self.page.put(Style::Plain, &continued);
                    self.page.put(Style::Dim, &line);
                }
            }
        }
        self.page.end();
        for block in blocks {
            self.block(&block, SCRIPT);
        }
    }

    /// Lines behind a bar.
    fn block(&mut self, text: &str, limits: Limits) {
        let lines: Vec<&str> = text.lines().collect();
        let shown = match lines.len() {
            all if all > limits.whole => limits.head,
            all => all,
        };
        for line in lines.iter().take(shown) {
            self.page.spaces(self.indent + 2);
            self.page.put(Style::Dim, "│ ");
            self.page.line(Style::Plain, line);
        }
        if shown < lines.len() {
            self.shortened = true;
            self.page.spaces(self.indent + 2);
            let more = format!("│ … {} more lines", lines.len() - shown);
            self.page.line(Style::Dim, &more);
        }
    }

    /// What belongs to the line above it, under a short key.
    fn detail(&mut self, key: &str, text: &str) {
        let column = if key.is_empty() { 0 } else { 10 };
        let width = self.page.width.saturating_sub(self.indent + 4 + column);
        for (at, line) in wrap(text, width.max(30)).iter().enumerate() {
            self.page.spaces(self.indent + 2);
            if column > 0 {
                let key = if at == 0 { key } else { "" };
                self.page.put(Style::Dim, &format!("{key:<9} "));
            } else if at > 0 {
                self.page.spaces(2);
            }
            self.page.line(Style::Plain, line);
        }
    }
}

/// A text as a word: what stands for something else is shown without quotes.
fn shown(text: &Text) -> String {
    let line = one_line(&text.to_string());
    match text.plain() {
        Some(_) => word(&line),
        None if line.contains([' ', '\'', '"', '\\', '`']) => format!("\"{line}\""),
        None => line,
    }
}
