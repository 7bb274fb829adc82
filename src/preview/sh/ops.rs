//! Operations as lines of the script.

use std::collections::BTreeSet;

use super::super::shell_words::{fold, is_control, word, word_with_root};
use super::input::{Input, delimiter, value};
use super::{export, nspawn};
use crate::plan::command::{BOOT_STDIN, boot_files};
use crate::plan::{
    Action, Attributes, Bind, Downloads, HostRun, NspawnBoot, NspawnRun, Op, OutputScan, Plan,
    RootId, Step, Text,
};

/// How wide a line may be where its words allow it.
pub const WIDTH: usize = 88;

/// The lines so far, and what they need.
#[derive(Default)]
pub struct Emitter {
    pub out: String,
    pub helpers: BTreeSet<&'static str>,
    pub offline: bool,
    pub online: bool,
    /// Whether systemd-nspawn is used otherwise.
    pub containers: bool,
    /// Programs that an export needs.
    pub compressors: BTreeSet<&'static str>,
    pub exported: BTreeSet<RootId>,
    indent: &'static str,
}

impl Emitter {
    pub fn step(&mut self, plan: &Plan, step: &Step) {
        for action in &step.actions {
            if let Some(about) = &action.about {
                self.comment(about);
            }
            if let Some(test) = &action.only_if {
                let run = NspawnRun {
                    argv: test.clone(),
                    ..NspawnRun::default()
                };
                let words = self.nspawn_words(&run);
                self.command("if ", words, Input::default(), "; then");
                self.indent = "    ";
            }
            self.action(plan, step, action);
            if action.only_if.is_some() {
                self.indent = "";
                self.line("fi");
            }
        }
    }

    fn action(&mut self, plan: &Plan, step: &Step, action: &Action) {
        let plain_host = matches!(&action.op, Op::HostRun(_));
        if step.root.is_none() && !plain_host {
            // Nothing makes such a plan; if something did, it should not touch the host.
            self.line(&format!("die 'step {} belongs to no root'", step.number));
            return;
        }
        match &action.op {
            Op::HostRun(run) => {
                self.with_downloads(&run.downloads, |emitter| emitter.host_run(run));
            }
            Op::NspawnRun(run) => {
                self.with_downloads(&run.downloads, |emitter| {
                    emitter.with_binds(&run.binds, |emitter| emitter.nspawn_run(run));
                });
            }
            Op::NspawnBoot(boot) => {
                self.with_downloads(&boot.run.downloads, |emitter| {
                    emitter.with_binds(&boot.run.binds, |emitter| emitter.nspawn_boot(boot));
                });
            }
            Op::WriteFile(file) => {
                let words = with_attributes(vec![word(&file.path)], &file.attributes);
                self.helper("write_file", words, Input::of(&file.content));
            }
            Op::AppendFile(file) => {
                self.helper(
                    "append_file",
                    vec![word(&file.path)],
                    Input::of(&file.content),
                );
            }
            Op::EditFile(file) => {
                for edit in &file.edits {
                    let words = [&file.path, &edit.pattern, &edit.replacement];
                    let words = words.iter().map(|text| word(text)).collect();
                    self.helper("edit_file", words, Input::default());
                }
            }
            Op::CopyIn(copy) => {
                let words = vec![word(&copy.source), word(&copy.path)];
                let words = with_attributes(words, &copy.attributes);
                self.helper("copy_in", words, Input::default());
            }
            Op::MakeDir(dir) => {
                let words = with_attributes(vec![word(&dir.path)], &dir.attributes);
                self.helper("make_dir", words, Input::default());
            }
            Op::Symlink(link) => {
                let words = vec![word(&link.path), word(&link.target)];
                self.helper("make_link", words, Input::default());
            }
            Op::RemovePath(path) => {
                let mut words = vec![word(&path.path)];
                if path.missing_ok {
                    words.push("if-there".to_owned());
                }
                self.helper("remove_path", words, Input::default());
            }
            Op::MovePath(path) => {
                let words = vec![word(&path.from), word(&path.to)];
                self.helper("move_path", words, Input::default());
            }
            Op::SetMode(set) => {
                let mut words = vec![format!("{:04o}", set.mode), word(&set.path)];
                words.extend(set.recursive.then(|| "recursive".to_owned()));
                self.helper("set_mode", words, Input::default());
            }
            Op::SetOwner(set) => {
                let group = set.group.as_deref().map_or("-".to_owned(), word);
                let mut words = vec![word(&set.owner), group, word(&set.path)];
                words.extend(set.recursive.then(|| "recursive".to_owned()));
                self.helper("set_owner", words, Input::default());
            }
            Op::RequirePaths(paths) => {
                self.line("absent=()");
                for path in &paths.paths {
                    let mut words = vec![word(&path.package), word(&path.why)];
                    words.extend(path.any_of.iter().map(|pattern| word(pattern)));
                    self.helper("require", words, Input::default());
                }
                let words = vec!["require_all".to_owned(), word(&paths.purpose)];
                self.command("", words, Input::default(), "");
            }
            Op::Fetch(fetch) => {
                let words = [&fetch.url, &fetch.sha256, &fetch.path];
                let words = words.iter().map(|text| word(text)).collect();
                let words = with_attributes(words, &fetch.attributes);
                self.helper("fetch", words, Input::default());
            }
            Op::Export(op) => {
                self.exported.extend(step.root);
                export::write(self, plan, op);
            }
            Op::ExpectBoot(op) => {
                let message = format!(
                    "the export {0} is not booted here: `rootwright boot OUT/{0}` does it",
                    op.export
                );
                self.comment("What a booted node says of itself only rootwright looks at.");
                self.line(&format!("printf '%s\\n' {} >&2", word(&message)));
            }
        }
    }

    fn with_downloads(&mut self, downloads: &[Downloads], run: impl FnOnce(&mut Self)) {
        for folder in downloads {
            let words = vec![word(&folder.pool), word(&folder.path)];
            self.helper("cover", words, Input::default());
        }
        run(self);
        for folder in downloads {
            let words = vec!["uncover".to_owned(), word(&folder.path)];
            self.command("", words, Input::default(), "");
        }
    }

    fn with_binds(&mut self, binds: &[Bind], run: impl FnOnce(&mut Self)) {
        if !binds.is_empty() {
            let words = binds.iter().map(|bind| word(&bind.path)).collect();
            self.helper("points", words, Input::default());
        }
        run(self);
        if !binds.is_empty() {
            self.line("no_points");
        }
    }

    fn host_run(&mut self, run: &HostRun) {
        self.helpers.insert("on_host");
        let (taken, env): (Vec<_>, Vec<_>) =
            run.env.iter().partition(|(name, _)| nspawn::is_taken(name));
        let assign =
            |(name, text): &(&String, &Text)| format!("{name}={}", value(text, word_with_root));
        let front: Vec<String> = env.iter().map(assign).collect();
        let mut words = vec!["on_host".to_owned()];
        words.extend(taken.iter().map(assign));
        words.extend(self.arguments(&run.argv, word_with_root));
        self.run(
            front,
            words,
            run.stdin.as_ref(),
            &run.scan,
            run.allow_failure.as_deref(),
        );
    }

    fn nspawn_run(&mut self, run: &NspawnRun) {
        let mut words = self.nspawn_words(run);
        let front: Vec<String> = words
            .iter()
            .position(|word| word == nspawn::function(run.network))
            .map(|at| words.drain(..at).collect())
            .unwrap_or_default();
        words.truncate(words.len() - run.argv.len());
        words.extend(self.arguments(&run.argv, word));
        self.run(
            front,
            words,
            run.stdin.as_ref(),
            &run.scan,
            run.allow_failure.as_deref(),
        );
    }

    fn nspawn_boot(&mut self, boot: &NspawnBoot) {
        self.helpers.insert("boot");
        self.containers = true;
        self.line("boot_begin");
        let run = &boot.run;
        let files = boot_files(boot).map(|(name, content)| (name, Text::from(content)));
        let stdin = run.stdin.clone().map(|text| (BOOT_STDIN, text));
        for (name, content) in files.into_iter().chain(stdin) {
            let words = vec!["boot_file".to_owned(), name.to_owned()];
            self.command("", words, Input::of(&content), "");
        }
        let (front, words) = nspawn::boot_words(boot);
        self.run(front, words, None, &run.scan, run.allow_failure.as_deref());
        self.line("boot_end");
    }

    pub fn nspawn_words(&mut self, run: &NspawnRun) -> Vec<String> {
        if run.network {
            self.online = true;
            self.helpers.insert("dns");
        } else {
            self.offline = true;
        }
        nspawn::words(run)
    }

    /// Arguments as words. A script of many lines is put into a variable first, where it
    /// reads as it is.
    pub fn arguments(&mut self, argv: &[String], quote: fn(&str) -> String) -> Vec<String> {
        let blocks: Vec<bool> = argv
            .iter()
            .map(|arg| {
                arg.trim_end().contains('\n')
                    && !arg.contains(is_control)
                    && quote(arg) == word(arg)
            })
            .collect();
        // There is one variable, so one argument can go this way.
        let block = match blocks.iter().filter(|block| **block).count() {
            1 => blocks.iter().position(|block| *block),
            _ => None,
        };
        let mut words = Vec::new();
        for (at, arg) in argv.iter().enumerate() {
            if Some(at) != block {
                words.push(quote(arg));
                continue;
            }
            self.helpers.insert("take");
            let end = delimiter(arg);
            self.line(&format!("take <<'{end}'"));
            self.out.push_str(arg);
            if arg.ends_with('\n') {
                words.push("\"$text\"".to_owned());
            } else {
                self.out.push('\n');
                words.push("\"${text%?}\"".to_owned());
            }
            self.out.push_str(&end);
            self.out.push('\n');
        }
        words
    }

    fn run(
        &mut self,
        mut front: Vec<String>,
        words: Vec<String>,
        stdin: Option<&Text>,
        scan: &OutputScan,
        allow_failure: Option<&str>,
    ) {
        if !scan.is_empty() {
            self.helpers.insert("scanned");
            front.push("scanned".to_owned());
            for (flag, list) in [("--fail-on", &scan.fail_on), ("--ignore", &scan.ignore)] {
                front.extend(list.iter().map(|regex| format!("{flag} {}", word(regex))));
            }
            front.push("--".to_owned());
        }
        front.extend(words);
        let mut input = stdin.map_or_else(Input::default, Input::of);
        let mut after = String::new();
        if let Some(why) = allow_failure {
            self.helpers.insert("allowed");
            let allowed = format!("allowed $? {}", word(why));
            if input.body.is_empty() {
                after = format!(" ||\n{}    {allowed}", self.indent);
            } else {
                // The here-document begins below the line, so this belongs on it.
                input.after.push_str(&format!(" || {allowed}"));
            }
        }
        self.command("", front, input, &after);
    }

    pub fn helper(&mut self, name: &'static str, mut words: Vec<String>, input: Input) {
        self.helpers.insert(name);
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
    words.extend(
        parts
            .into_iter()
            .map(|part| part.unwrap_or_else(|| "-".to_owned())),
    );
    words
}
