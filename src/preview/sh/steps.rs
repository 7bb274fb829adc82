//! Steps and their operations as lines of the script.

use super::super::shell_words::word;
use super::export;
use super::pattern::{self, Replacement};
use super::script::Script;
use super::text_pieces::Input;
use crate::plan::{Action, Attributes, EditFile, Op, Step};

impl Script<'_> {
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
                let source = self.joined(copy.source.part());
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
                let mut words = vec![word(&path.from), word(&path.to)];
                words.extend(path.missing_ok.then(|| "missing-ok".to_owned()));
                self.call("move_path", words);
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
