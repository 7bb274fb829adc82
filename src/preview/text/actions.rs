//! The operations of a step, one below the other.

use super::super::shell_words::{fold, word, word_with_root};
use super::headline::{Headline, one_line};
use super::page::{Page, Style, wrap};
use crate::plan::{
    Action, Export, HostRun, NspawnBoot, NspawnRun, Op, OutputScan, ROOT_PLACEHOLDER, Step, Text,
    Times,
};

/// A file of at most this many lines is shown whole …
const FILE_LINES: usize = 12;
/// … and of a longer one, as many as this.
const FILE_HEAD: usize = 8;
/// The same for scripts that are arguments of commands: there the steps of a build hide.
const SCRIPT_LINES: usize = 24;
const SCRIPT_HEAD: usize = 20;

/// What a step's title says in brackets where the title is its only operation, which is
/// then not said again.
pub fn implied(step: &Step) -> Option<String> {
    let [action] = step.actions.as_slice() else {
        return None;
    };
    if action.only_if.is_some() || action.about.is_some() {
        return None;
    }
    let headline = Headline::of(&action.op)?;
    (headline.text() == step.label).then_some(headline.note)
}

/// Whether something had to be shortened.
pub fn write(page: &mut Page, step: &Step, indent: usize) -> bool {
    let mut lines = Lines {
        page,
        indent,
        shortened: false,
    };
    let implied = implied(step).is_some();
    for action in &step.actions {
        lines.action(action, implied);
    }
    lines.shortened
}

struct Lines<'a> {
    page: &'a mut Page,
    indent: usize,
    shortened: bool,
}

/// A command as it is shown.
struct Command<'a> {
    mark: String,
    style: Style,
    env: Vec<String>,
    argv: &'a [String],
    quote: fn(&str) -> String,
    /// What the command line does not say: `in /srv`.
    notes: Vec<String>,
}

impl Lines<'_> {
    fn action(&mut self, action: &Action, implied: bool) {
        if let Some(about) = &action.about {
            for line in wrap(about, self.page.width.saturating_sub(self.indent + 2)) {
                self.page.spaces(self.indent);
                self.page.line(Style::Dim, &format!("# {line}"));
            }
        }
        if let Some(argv) = &action.only_if {
            self.command(Command {
                mark: "only if".to_owned(),
                style: Style::Dim,
                env: Vec::new(),
                argv,
                quote: word,
                notes: Vec::new(),
            });
        }
        if let Some(headline) = Headline::of(&action.op)
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
            Op::HostRun(run) => self.host_run(run),
            Op::NspawnRun(run) => self.nspawn_run(run, &[]),
            Op::NspawnBoot(boot) => self.nspawn_boot(boot),
            Op::WriteFile(file) => self.block(&file.content.to_string(), FILE_LINES, FILE_HEAD),
            Op::AppendFile(file) => self.block(&file.content.to_string(), FILE_LINES, FILE_HEAD),
            Op::EditFile(file) => {
                for edit in &file.edits {
                    self.detail("replace", &format!("/{}/", one_line(&edit.pattern)));
                    self.detail("with", &one_line(&edit.replacement));
                }
            }
            Op::RequirePaths(paths) => {
                for path in &paths.paths {
                    let mut text = format!("{} ({}", path.any_of.join(" or "), path.package);
                    if !path.why.is_empty() {
                        text.push_str(&format!(": {}", path.why));
                    }
                    text.push(')');
                    self.detail("", &text);
                }
            }
            Op::Fetch(fetch) => self.detail("sha256", &fetch.sha256),
            Op::Export(export) => self.export(export),
            Op::ExpectBoot(expect) => {
                for command in &expect.commands {
                    self.detail("succeeds", &one_line(command));
                }
            }
            Op::CopyIn(_)
            | Op::MakeDir(_)
            | Op::Symlink(_)
            | Op::RemovePath(_)
            | Op::MovePath(_)
            | Op::SetMode(_)
            | Op::SetOwner(_) => {}
        }
    }

    fn host_run(&mut self, run: &HostRun) {
        self.command(Command {
            mark: "host#".to_owned(),
            style: Style::Yellow,
            env: run
                .env
                .iter()
                .map(|(name, value)| assignment(name, value, unquoted_root))
                .collect(),
            argv: &run.argv,
            quote: unquoted_root,
            notes: Vec::new(),
        });
        self.outcome(run.stdin.as_ref(), &run.scan, run.allow_failure.as_ref());
    }

    fn nspawn_boot(&mut self, boot: &NspawnBoot) {
        let notes = [
            "once the root's own system is up".to_owned(),
            format!("within {} s", boot.timeout),
        ];
        self.nspawn_run(&boot.run, &notes);
    }

    fn nspawn_run(&mut self, run: &NspawnRun, notes: &[String]) {
        let mut notes = notes.to_vec();
        if let Some(user) = &run.user {
            notes.push(format!("as {user}"));
        }
        if let Some(cwd) = &run.cwd {
            notes.push(format!("in {cwd}"));
        }
        if run.network {
            notes.push("with network".to_owned());
        }
        for bind in &run.binds {
            let kind = if bind.read_only { ", read only" } else { "" };
            notes.push(format!("host's {} at {}{kind}", bind.host, bind.path));
        }
        self.command(Command {
            mark: if run.user.is_none() { "root#" } else { "root$" }.to_owned(),
            style: Style::Green,
            env: run
                .env
                .iter()
                .map(|(name, value)| assignment(name, value, word))
                .collect(),
            argv: &run.argv,
            quote: word,
            notes,
        });
        self.outcome(run.stdin.as_ref(), &run.scan, run.allow_failure.as_ref());
    }

    fn outcome(&mut self, stdin: Option<&Text>, scan: &OutputScan, allowed: Option<&String>) {
        if let Some(stdin) = stdin {
            self.page.spaces(self.indent + 2);
            self.page.line(Style::Dim, "standard input");
            self.block(&stdin.to_string(), FILE_LINES, FILE_HEAD);
        }
        for pattern in &scan.fail_on {
            self.detail(
                "fails on",
                &format!("/{}/ in its output", one_line(pattern)),
            );
        }
        for pattern in &scan.ignore {
            self.detail("but not", &format!("/{}/", one_line(pattern)));
        }
        if let Some(why) = allowed {
            self.detail("may fail", why);
        }
    }

    fn export(&mut self, export: &Export) {
        for pattern in &export.exclude {
            self.detail("leave out", pattern);
        }
        let patterns = |list: &[String]| {
            list.join(" or ")
                .replace("{kver}", "<newest kernel in root>")
        };
        for (key, list) in [("kernel", &export.kernel), ("initramfs", &export.initramfs)] {
            if !list.is_empty() {
                self.detail(key, &patterns(list));
            }
        }
        if let Some(cmdline) = &export.cmdline {
            self.detail("cmdline", cmdline);
        }
        if !export.cmdline_command.is_empty() {
            self.detail("cmdline", "as this prints in the root:");
            self.inside(&export.cmdline_command);
        }
        match &export.times {
            Times::Kept => {}
            Times::Until { seconds } => {
                self.detail("times", &format!("none after {seconds} s since 1970"));
            }
            Times::Newest { command } => {
                self.detail("times", "none after what this prints in the root:");
                self.inside(command);
            }
        }
        if !export.texts.is_empty() {
            let names: Vec<&str> = export.texts.iter().map(|text| text.name.as_str()).collect();
            self.detail("beside", &names.join(", "));
        }
    }

    fn inside(&mut self, argv: &[String]) {
        self.command(Command {
            mark: "root#".to_owned(),
            style: Style::Green,
            env: Vec::new(),
            argv,
            quote: word,
            notes: Vec::new(),
        });
    }

    /// `root# useradd admin`; an argument of many lines goes below as a block.
    fn command(&mut self, command: Command<'_>) {
        let mut words = command.env;
        let mut blocks = Vec::new();
        let last = command.argv.len().saturating_sub(1);
        for (at, argument) in command.argv.iter().enumerate() {
            if argument.trim_end().contains('\n') {
                // The last argument needs no word to stand for it.
                if at < last || !blocks.is_empty() {
                    words.push("<script>".to_owned());
                }
                blocks.push(argument.as_str());
            } else {
                words.push((command.quote)(argument));
            }
        }
        self.page.spaces(self.indent);
        self.page.put(command.style, &command.mark);
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
            self.block(block, SCRIPT_LINES, SCRIPT_HEAD);
        }
    }

    /// Lines behind a bar.
    fn block(&mut self, text: &str, most: usize, head: usize) {
        let lines: Vec<&str> = text.lines().collect();
        let shown = if lines.len() > most {
            head
        } else {
            lines.len()
        };
        for line in lines.iter().take(shown) {
            self.page.spaces(self.indent + 2);
            self.page.put(Style::Dim, "│ ");
            self.page.line(Style::Plain, line);
        }
        if shown < lines.len() {
            self.shortened = true;
            self.page.spaces(self.indent + 2);
            self.page.line(
                Style::Dim,
                &format!("│ … {} more lines", lines.len() - shown),
            );
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

/// `DEBUG=1`
fn assignment(name: &str, value: &Text, quote: fn(&str) -> String) -> String {
    match value.plain() {
        Some(plain) => format!("{name}={}", quote(&one_line(&plain))),
        None => format!("{name}={}", one_line(&value.to_string())),
    }
}

/// `$ROOT/etc` without the quotes that only a shell needs.
fn unquoted_root(argument: &str) -> String {
    let quoted = word_with_root(argument);
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(&quoted);
    let simple = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-$".contains(c);
    if argument.contains(ROOT_PLACEHOLDER) && inner.chars().all(simple) {
        inner.to_owned()
    } else {
        quoted
    }
}
