//! Steps and their operations as lines of the script.

use std::collections::BTreeSet;

use super::super::shell_words::{fold, is_control, joined, word};
use super::export;
use super::pattern::{self, Replacement};
use super::words::{self, Input, pieces};
use crate::diagnose::{Frame, Report};
use crate::plan::{Action, Attributes, EditFile, Op, Part, Plan, RootId, Source, Step, Text};

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
    at: Vec<Frame>,
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

    pub fn step(&mut self, step: &Step) {
        self.at.clone_from(&step.calls);
        let downloads: Vec<_> = step.uses.downloads.iter().collect();
        for sha256 in downloads {
            match self.plan.download(sha256) {
                Some(file) => self.call("download", vec![word(&file.url), word(sha256)]),
                None => self.refuse(
                    &format!("the plan says of no file that it has the digest {sha256}"),
                    "make the plan again",
                ),
            }
        }
        for action in &step.actions {
            if !action.calls.is_empty() {
                self.at.clone_from(&action.calls);
            }
            if let Some(about) = &action.about {
                self.comment(about);
            }
            if let Some(test) = &action.only_if {
                let words = self.in_root_words(test);
                self.command("if ", words, Input::default(), "; then");
                self.indent = "    ";
            }
            self.action(step, action);
            if action.only_if.is_some() {
                self.indent = "";
                self.line("fi");
            }
            self.at.clone_from(&step.calls);
        }
    }

    fn action(&mut self, step: &Step, action: &Action) {
        if step.root.is_none() {
            // Nothing makes such a plan; if something did, it should not touch the host.
            let message = format!("step {} changes no root", step.number);
            self.refuse(&message, "make the plan again");
            return;
        }
        match &action.op {
            Op::Run(run) => self.run(run),
            Op::WriteFile(file) => {
                let words = with_attributes(vec![word(&file.path)], &file.attributes);
                let input = self.input(&file.content);
                self.call_with("write_file", words, input);
            }
            Op::AppendFile(file) => {
                let input = self.input(&file.content);
                self.call_with("append_file", vec![word(&file.path)], input);
            }
            Op::EditFile(file) => self.edit(file),
            Op::CopyIn(copy) => {
                let source = match &copy.source {
                    Source::File(digest) => word(words::file(self.plan, digest)),
                    Source::Download(digest) => self.joined(Part::Download(digest.clone())),
                    Source::Keyring(name) => self.joined(Part::Keyring(name.clone())),
                };
                let words = with_attributes(vec![source, word(&copy.path)], &copy.attributes);
                self.call("copy_in", words);
            }
            Op::MakeDir(dir) => {
                let words = with_attributes(vec![word(&dir.path)], &dir.attributes);
                self.call("make_dir", words);
            }
            Op::Symlink(link) => {
                self.call("make_link", vec![word(&link.path), word(&link.target)]);
            }
            Op::RemovePath(path) => {
                let mut words = vec![word(&path.path)];
                words.extend(path.missing_ok.then(|| "missing-ok".to_owned()));
                self.call("remove_path", words);
            }
            Op::MovePath(path) => {
                self.call("move_path", vec![word(&path.from), word(&path.to)]);
            }
            Op::SetMode(set) => {
                let mut words = vec![format!("{:04o}", set.mode), word(&set.path)];
                words.extend(set.recursive.then(|| "recursive".to_owned()));
                self.call("set_mode", words);
            }
            Op::SetOwner(set) => {
                let group = set.group.as_deref().map_or("-".to_owned(), word);
                let mut words = vec![word(&set.owner), group, word(&set.path)];
                words.extend(set.recursive.then(|| "recursive".to_owned()));
                self.call("set_owner", words);
            }
            Op::RequirePaths(paths) => {
                self.line("absent=()");
                for path in &paths.paths {
                    let mut words = vec![word(&path.package), word(&path.why)];
                    words.extend(path.any_of.iter().map(|pattern| word(pattern)));
                    self.call("require", words);
                }
                self.call("require_all", vec![word(&paths.purpose)]);
            }
            Op::Export(op) => {
                self.exported.extend(step.root);
                export::write(self, op);
            }
            // The script's head says that it boots nothing.
            Op::ExpectBoot(_) => {}
        }
    }

    fn edit(&mut self, file: &EditFile) {
        for edit in &file.edits {
            let pattern = self.pattern(&edit.pattern, true);
            let mut words = vec![word(&file.path), word(&pattern)];
            // Texts and groups alternate, a text first.
            let mut text = true;
            for piece in pattern::replacement(&edit.pattern, &edit.replacement) {
                match piece {
                    Replacement::Literal(literal) => {
                        words.push(word(&literal));
                        text = false;
                    }
                    Replacement::Group(number) => {
                        words.extend(text.then(|| word("")));
                        words.push(number.to_string());
                        text = true;
                    }
                }
            }
            self.call("edit_file", words);
        }
    }

    /// A regular expression for Perl.
    pub fn pattern(&mut self, pattern: &str, multi_line: bool) -> String {
        pattern::perl(pattern, multi_line).unwrap_or_else(|error| {
            let message = format!("no script can look for the pattern `{pattern}`: {error}");
            self.refuse(&message, "write the pattern differently");
            String::new()
        })
    }

    fn input(&self, text: &Text) -> Input {
        Input::of(&pieces(self.plan, text))
    }

    fn joined(&self, part: Part) -> String {
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

/// `PATH MODE OWNER GROUP`, as many as there are.
fn with_attributes(mut words: Vec<String>, attributes: &Attributes) -> Vec<String> {
    let mut parts = vec![
        attributes.mode.map(|mode| format!("{mode:04o}")),
        attributes.owner.as_deref().map(word),
        attributes.group.as_deref().map(word),
    ];
    while parts.last().is_some_and(Option::is_none) {
        parts.pop();
    }
    let parts = parts.into_iter();
    words.extend(parts.map(|part| part.unwrap_or_else(|| "-".to_owned())));
    words
}
