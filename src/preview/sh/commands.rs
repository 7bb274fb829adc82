//! Commands of the host, of the root, and of the booted root.

use super::super::shell_words::{joined, word};
use super::script::Script;
use super::text_pieces::{Input, argument, delimiter, pieces};
use crate::diagnose::terminal::is_control;
use crate::plan::command::{BOOT_STDIN, ContainerCommand, Mode, boot_files};
use crate::plan::{Command, Run, RunPlace, Text};

/// Names that mean something to the script itself or to bash, and so can't be set in
/// front of one of its functions.
const TAKEN: &[&str] = &[
    "ROOT",
    "OUT",
    "WORK",
    "KEEP",
    "SECRETS",
    "PATH",
    "IFS",
    "UID",
    "EUID",
    "PPID",
    "SHELLOPTS",
    "BASHOPTS",
    "POSIXLY_CORRECT",
    "ENV",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LC_ALL",
    "GLOBIGNORE",
    "_",
    "GROUPS",
    "FUNCNAME",
    "DIRSTACK",
    "PIPESTATUS",
];

/// Whether an environment variable has to go through `env` or a flag instead of standing
/// in front of the command. The variables of the script's functions are in lower case.
fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name)
        || ["BASH", "PERL", "SYSTEMD_", "ROOTWRIGHT_"]
            .iter()
            .any(|lead| name.starts_with(lead))
        || !name.contains(|c: char| c.is_ascii_uppercase())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        || name.starts_with(|c: char| c.is_ascii_digit())
}

impl Script<'_> {
    pub fn run(&mut self, run: &Run) {
        for folder in &run.downloads {
            self.call("cover", vec![word(&folder.pool), word(&folder.path)]);
        }
        let points = run.binds.iter().map(|bind| word(&bind.path));
        let points: Vec<String> = points.collect();
        if !points.is_empty() {
            self.call("points", points.clone());
        }
        match run.place {
            RunPlace::Host => self.on_host(run),
            RunPlace::Root => self.in_root(run),
            RunPlace::BootedRoot { timeout } => self.booted(run, timeout),
        }
        if !points.is_empty() {
            self.call("no_points", Vec::new());
        }
        for folder in run.downloads.iter().rev() {
            self.call("uncover", vec![word(&folder.path)]);
        }
    }

    fn on_host(&mut self, run: &Run) {
        self.uses("on_host");
        let taken = run.env.iter().filter(|(name, _)| is_taken(name));
        let mut words = vec!["on_host".to_owned()];
        words.extend(taken.map(|(name, text)| self.assignment(name, text)));
        words.extend(self.arguments(&run.command));
        self.judged(run, words, run.stdin.as_ref());
    }

    fn in_root(&mut self, run: &Run) {
        let mut words = vec![self.in_root_function(run.network).to_owned()];
        words.extend(self.flags(run, Mode::Command));
        words.push("--".to_owned());
        words.extend(self.arguments(&run.command));
        self.judged(run, words, run.stdin.as_ref());
    }

    /// The words of a command in the root whose output or status the script reads.
    pub fn in_root_words(&mut self, command: &Command) -> Vec<String> {
        let mut words = vec![self.in_root_function(false).to_owned(), "--".to_owned()];
        words.extend(self.arguments(command));
        words
    }

    fn in_root_function(&mut self, network: bool) -> &'static str {
        let name = if network { "in_root_online" } else { "in_root" };
        self.uses(name);
        name
    }

    fn booted(&mut self, run: &Run, timeout: u64) {
        self.call("boot_begin", Vec::new());
        let files = boot_files(run).map(|(name, content)| (name, Text::from(content)));
        let stdin = run.stdin.clone().map(|text| (BOOT_STDIN, text));
        for (name, content) in files.into_iter().chain(stdin) {
            let input = self.input(&content);
            self.call_with("boot_file", vec![name.to_owned()], input);
        }
        let network = if run.network { "online" } else { "offline" };
        let mut words = vec!["boot".to_owned(), network.to_owned(), timeout.to_string()];
        words.extend(self.flags(run, Mode::Boot));
        self.uses("boot");
        self.judged(run, words, None);
        self.call("boot_end", Vec::new());
    }

    /// The flags of a container. A variable that can't be set in front of the function has its
    /// value here.
    fn flags(&self, run: &Run, mode: Mode) -> Vec<String> {
        let flags = ContainerCommand::new(run, mode, "", &[]).flags();
        let flag = |flag: &String| {
            let name = flag.strip_prefix("--setenv=").filter(|name| is_taken(name));
            match name.and_then(|name| run.env.get(name)) {
                Some(text) => format!("{}={}", word(flag), joined(&pieces(self.plan, text))),
                None => word(flag),
            }
        };
        flags.iter().map(flag).collect()
    }

    fn assignment(&self, name: &str, text: &Text) -> String {
        match text.is_empty() {
            true => format!("{name}=''"),
            false => format!("{name}={}", joined(&pieces(self.plan, text))),
        }
    }

    /// Arguments as words. A script of many lines is put into a variable first, where it
    /// stays readable.
    pub fn arguments(&mut self, command: &Command) -> Vec<String> {
        let argv = command.argv();
        let is_block = |text: &str| text.trim_end().contains('\n') && !text.contains(is_control);
        let texts = argv.iter().enumerate();
        let texts = texts.filter_map(|(at, argument)| Some((at, argument.plain()?)));
        let blocks: Vec<_> = texts.filter(|(_, text)| is_block(text)).collect();
        let mut words: Vec<String> = argv.iter().map(|arg| argument(self.plan, arg)).collect();
        // There is one variable, so one argument can go this way.
        if let [(at, text)] = blocks.as_slice()
            && let Some(word) = words.get_mut(*at)
        {
            self.uses("take");
            let end = delimiter(text);
            self.line(&format!("take <<'{end}'"));
            self.out.push_str(text);
            *word = match text.ends_with('\n') {
                true => "\"$text\"".to_owned(),
                false => {
                    self.out.push('\n');
                    "\"${text%?}\"".to_owned()
                }
            };
            self.out.push_str(&end);
            self.out.push('\n');
        }
        words
    }

    /// The command with its environment, its input, and how it is judged.
    fn judged(&mut self, run: &Run, words: Vec<String>, stdin: Option<&Text>) {
        let free = run.env.iter().filter(|(name, _)| !is_taken(name));
        let mut line: Vec<String> = free
            .map(|(name, text)| self.assignment(name, text))
            .collect();
        if run.verdict.reads_output() {
            self.uses("scanned");
            line.push("scanned".to_owned());
            for (flag, list) in [
                ("--fail-on", &run.verdict.fail_on),
                ("--ignore", &run.verdict.ignore),
            ] {
                for pattern in list {
                    let pattern = self.pattern(pattern, false);
                    line.push(format!("{flag} {}", word(&pattern)));
                }
            }
            line.push("--".to_owned());
        }
        line.extend(words);
        let mut input = stdin.map_or_else(Input::default, |text| self.input(text));
        let mut tail = String::new();
        if let Some(why) = &run.verdict.allow_failure {
            self.uses("allowed");
            let allowed = format!("allowed $? {}", word(why));
            if input.body.is_empty() {
                tail = format!(" ||\n{}    {allowed}", self.indent);
            } else {
                // The here-document begins below the line, so this belongs on it.
                input.after.push_str(&format!(" || {allowed}"));
            }
        }
        self.command("", line, input, &tail);
    }
}
