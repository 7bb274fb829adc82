//! The operations of a step, one below the other.

use super::super::words::{fold, word, word_with_root};
use super::page::{Page, Style, wrap};
use crate::plan::{
    Action, Attributes, Compression, Export, Format, HostRun, NspawnRun, Op, OutputScan, Step, Text,
};

/// A file of at most this many lines is shown whole …
const FILE_LINES: usize = 12;
/// … and of a longer one, as many as this.
const FILE_HEAD: usize = 8;
/// The same for scripts that are arguments of commands: there the steps of a build hide.
const SCRIPT_LINES: usize = 24;
const SCRIPT_HEAD: usize = 20;

/// Whether something had to be shortened.
pub fn write(page: &mut Page, step: &Step, indent: usize) -> bool {
    let mut lines = Lines {
        page,
        indent,
        shortened: false,
    };
    for action in &step.actions {
        lines.action(action);
    }
    lines.shortened
}

struct Lines<'a> {
    page: &'a mut Page,
    indent: usize,
    shortened: bool,
}

impl Lines<'_> {
    fn action(&mut self, action: &Action) {
        if let Some(about) = &action.about {
            for line in wrap(about, self.page.width.saturating_sub(self.indent + 2)) {
                self.page.spaces(self.indent);
                self.page.line(Style::Dim, &format!("# {line}"));
            }
        }
        if let Some(test) = &action.only_if {
            self.command("only if", test, Vec::new(), word);
        }
        match &action.op {
            Op::HostRun(run) => self.host_run(run),
            Op::NspawnRun(run) => self.nspawn_run(run),
            Op::WriteFile(file) => {
                self.file("write", &file.path, &file.content, &file.attributes);
            }
            Op::AppendFile(file) => {
                self.file(
                    "append to",
                    &file.path,
                    &file.content,
                    &Attributes::default(),
                );
            }
            Op::EditFile(file) => {
                self.verb("edit", &file.path, "");
                for edit in &file.edits {
                    self.detail("replace", &format!("/{}/", one_line(&edit.pattern)));
                    self.detail("with", &one_line(&edit.replacement));
                }
            }
            Op::CopyIn(copy) => self.verb(
                "copy in",
                &format!("{} → {}", copy.source, copy.path),
                &attributes(&copy.attributes),
            ),
            Op::MakeDir(dir) => {
                self.verb("make directory", &dir.path, &attributes(&dir.attributes));
            }
            Op::Symlink(link) => self.verb("link", &format!("{} → {}", link.path, link.target), ""),
            Op::RemovePath(path) => {
                let note = if path.missing_ok {
                    "if it is there"
                } else {
                    ""
                };
                self.verb("remove", &path.path, note);
            }
            Op::MovePath(path) => self.verb("move", &format!("{} → {}", path.from, path.to), ""),
            Op::SetMode(set) => {
                let what = format!("{:04o} {}", set.mode, set.path);
                self.verb("mode", &what, below(set.recursive));
            }
            Op::SetOwner(set) => {
                let group = set
                    .group
                    .as_ref()
                    .map_or(String::new(), |g| format!(":{g}"));
                let what = format!("{}{group} {}", set.owner, set.path);
                self.verb("owner", &what, below(set.recursive));
            }
            Op::RequirePaths(paths) => {
                self.verb("require", &format!("for {}", paths.purpose), "");
                for path in &paths.paths {
                    let mut text = path.any_of.join(" or ");
                    text.push_str(&format!(" ({}", path.package));
                    if !path.why.is_empty() {
                        text.push_str(&format!(": {}", path.why));
                    }
                    text.push(')');
                    self.detail("", &text);
                }
            }
            Op::Fetch(fetch) => {
                self.verb(
                    "fetch",
                    &format!("{} → {}", fetch.url, fetch.path),
                    &attributes(&fetch.attributes),
                );
                self.detail("sha256", &fetch.sha256);
            }
            Op::Export(export) => self.export(export),
        }
    }

    fn host_run(&mut self, run: &HostRun) {
        let env = run
            .env
            .iter()
            .map(|(name, value)| assignment(name, value, unquoted_root))
            .collect();
        self.command("host#", &run.argv, env, unquoted_root);
        self.outcome(run.stdin.as_ref(), &run.scan, run.allow_failure.as_ref());
    }

    fn nspawn_run(&mut self, run: &NspawnRun) {
        let env = run
            .env
            .iter()
            .map(|(name, value)| assignment(name, value, word))
            .collect();
        match &run.user {
            None => self.command("root#", &run.argv, env, word),
            Some(user) => self.command(&format!("root {user}$"), &run.argv, env, word),
        }
        let mut notes = Vec::new();
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
        self.note(&notes.join("; "));
        self.outcome(run.stdin.as_ref(), &run.scan, run.allow_failure.as_ref());
    }

    fn outcome(&mut self, stdin: Option<&Text>, scan: &OutputScan, allowed: Option<&String>) {
        if let Some(stdin) = stdin {
            self.note("standard input:");
            self.block(&stdin.to_string(), FILE_LINES, FILE_HEAD);
        }
        if !scan.is_empty() {
            let mut text = format!("fails on output like /{}/", scan.fail_on.join("/, /"));
            if !scan.ignore.is_empty() {
                text.push_str(&format!(" but not /{}/", scan.ignore.join("/, /")));
            }
            self.note(&one_line(&text));
        }
        if let Some(why) = allowed {
            self.note(&format!("may fail: {why}"));
        }
    }

    fn export(&mut self, export: &Export) {
        let (file, how) = match &export.format {
            Format::Dir => ("root/", "directory"),
            Format::Tar { compression } => match compression {
                Compression::None => ("root.tar", "tar"),
                Compression::Gzip => ("root.tar.gz", "tar, gzip"),
                Compression::Zstd => ("root.tar.zst", "tar, zstd"),
            },
        };
        self.verb("export", &format!("{}/{file}", export.name), how);
        for pattern in &export.exclude {
            self.detail("leave out", pattern);
        }
        let patterns = |list: &[String]| {
            list.join(" or ")
                .replace("{kver}", "<newest kernel in root>")
        };
        if !export.kernel.is_empty() {
            self.detail("kernel", &patterns(&export.kernel));
        }
        if !export.initramfs.is_empty() {
            self.detail("initramfs", &patterns(&export.initramfs));
        }
        if let Some(cmdline) = &export.cmdline {
            self.detail("cmdline", cmdline);
        }
    }

    /// `root# useradd admin`; an argument of many lines goes below as a block.
    fn command(
        &mut self,
        mark: &str,
        argv: &[String],
        env: Vec<String>,
        quote: fn(&str) -> String,
    ) {
        let mut words = env;
        let mut blocks = Vec::new();
        let last = argv.len().saturating_sub(1);
        for (at, argument) in argv.iter().enumerate() {
            if argument.trim_end().contains('\n') {
                // The last argument needs no word to stand for it.
                if at < last || !blocks.is_empty() {
                    words.push("<script>".to_owned());
                }
                blocks.push(argument.as_str());
            } else {
                words.push(quote(argument));
            }
        }
        self.page.spaces(self.indent);
        let style = match mark {
            "host#" => Style::Yellow,
            "only if" => Style::Dim,
            _ => Style::Green,
        };
        self.page.put(style, mark);
        self.page.spaces(1);
        let used = self.indent + mark.chars().count() + 1;
        let indent = " ".repeat(self.indent + 6);
        for line in fold(&words, used, self.page.width, &indent) {
            self.page.line(Style::Plain, &line);
        }
        for block in blocks {
            self.block(block, SCRIPT_LINES, SCRIPT_HEAD);
        }
    }

    fn file(&mut self, verb: &str, path: &str, content: &Text, attr: &Attributes) {
        let shown = content.to_string();
        let mut notes = if content.is_empty() {
            "empty".to_owned()
        } else if content.secrets().next().is_some() {
            // Its length would say something about the secret.
            "with a secret".to_owned()
        } else {
            super::page::count(shown.len(), "byte", "bytes")
        };
        let attributes = attributes(attr);
        if !attributes.is_empty() {
            notes.push_str(&format!(", {attributes}"));
        }
        self.verb(verb, path, &notes);
        self.block(&shown, FILE_LINES, FILE_HEAD);
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

    /// `make directory /srv (mode 0700)`
    fn verb(&mut self, verb: &str, what: &str, note: &str) {
        self.page.spaces(self.indent);
        self.page.put(Style::Cyan, verb);
        self.page.put(Style::Plain, &format!(" {}", one_line(what)));
        if !note.is_empty() {
            self.page.put(Style::Dim, &format!(" ({note})"));
        }
        self.page.end();
    }

    /// What belongs to the line above it, under a short key.
    fn detail(&mut self, key: &str, text: &str) {
        let column = if key.is_empty() { 0 } else { 10 };
        let width = self.page.width.saturating_sub(self.indent + 2 + column);
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

    fn note(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let width = self.page.width.saturating_sub(self.indent + 6);
        for line in wrap(text, width) {
            self.page.spaces(self.indent + 6);
            self.page.line(Style::Dim, &line);
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
    if inner.chars().all(simple) && argument.contains("$ROOT") {
        inner.to_owned()
    } else {
        quoted
    }
}

/// Line breaks written as `\n`.
fn one_line(text: &str) -> String {
    text.replace('\n', "\\n")
}

fn attributes(attributes: &Attributes) -> String {
    let mut parts = Vec::new();
    if let Some(mode) = attributes.mode {
        parts.push(format!("mode {mode:04o}"));
    }
    if let Some(owner) = &attributes.owner {
        parts.push(format!("owner {owner}"));
    }
    if let Some(group) = &attributes.group {
        parts.push(format!("group {group}"));
    }
    parts.join(", ")
}

fn below(recursive: bool) -> &'static str {
    if recursive { "and all below" } else { "" }
}
