//! The operations of a step, carried out in a mounted root.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;

use super::boot_failure::{self, BootFailure};
use super::booted_root;
use super::command::{self as step_command, Command, Ended};
use super::container::{Lent, Setup};
use super::files::{self, FetchLimits, FileContext};
use super::process::Process;
use super::stack::OpenRoot;
use super::{CommandFailure, Error, Settings, Values, Words, error, interrupt, keyrings};
use crate::diagnose::Frame;
use crate::plan::command::Mode;
use crate::plan::{
    self, Action, DownloadCheck, Op, Plan, Run, RunPlace, Source, Step, keyring_path,
};
use crate::store::{Offer, Offers};

/// One step while it runs.
pub struct Running<'a> {
    pub plan: &'a Plan,
    pub step: &'a Step,
    pub settings: &'a Settings,
    /// Gets every line of output, secrets taken out.
    pub output: Box<dyn Fn(&str) + Sync + 'a>,
    /// The folder of the build's logs.
    pub logs: &'a Path,
    /// A folder of the store for work.
    pub work: &'a Path,
    pub root: &'a OpenRoot,
}

/// A command as it runs: everything that its texts stand for is filled in.
struct Started<'a> {
    run: &'a Run,
    argv: Vec<String>,
    env: BTreeMap<String, OsString>,
    stdin: Option<Vec<u8>>,
    /// Whether standard error is part of the output.
    with_errors: bool,
}

impl Running<'_> {
    /// Carries out all operations but exports.
    ///
    /// # Errors
    /// The first that fails.
    pub fn actions(&self) -> Result<(), Error> {
        self.prepare()?;
        for action in &self.step.actions {
            if interrupt::interrupted() {
                return Err(Error::Interrupted);
            }
            if !self.wanted(action)? {
                continue;
            }
            match &action.op {
                Op::Run(run) => drop(self.command(&action.calls, run, true)?),
                Op::Export(_) | Op::ExpectBoot(_) => {}
                op => self.file(&action.calls, op)?,
            }
        }
        Ok(())
    }

    /// Makes the keyrings that the step uses, and gets its downloads.
    fn prepare(&self) -> Result<(), Error> {
        let Settings { store, files, .. } = self.settings;
        for name in &self.step.uses.keyrings {
            let Some(keyring) = self.plan.keyring(name) else {
                continue;
            };
            keyrings::ensure(keyring, self.plan, files, store).map_err(|report| Error::Step {
                report,
                calls: keyring.calls.clone(),
            })?;
        }
        for sha256 in &self.step.uses.downloads {
            let Some(download) = self.plan.download(sha256) else {
                continue;
            };
            files::download(download, &store.download(sha256), FetchLimits::default())
                .map_err(|error| Error::in_step(error.into(), self.step, &[]))?;
        }
        Ok(())
    }

    fn wanted(&self, action: &Action) -> Result<bool, Error> {
        let Some(command) = &action.only_if else {
            return Ok(true);
        };
        let mut run = Run::new(RunPlace::Root, command.clone());
        // Its status is the answer.
        run.verdict.allow_failure = Some("it decides whether the operation runs".to_owned());
        Ok(self.command(&action.calls, &run, true)?.success)
    }

    fn values(&self) -> Values<'_> {
        Values {
            plan: self.plan,
            settings: self.settings,
            root: self.root.path(),
        }
    }

    fn file(&self, calls: &[Frame], op: &Op) -> Result<(), Error> {
        let settings = self.settings;
        let source = |source: &Source| match source {
            Source::File(digest) => settings.files.path(self.plan, digest),
            Source::Download(sha256) => Some(settings.store.download(sha256)),
            Source::Keyring(name) => Some(keyring_path(name).into()),
        };
        let context = FileContext {
            values: &self.values(),
            source: &source,
        };
        files::apply(self.root.path(), op, &context).map_err(|error| {
            // A file that all may read can have a secret in it.
            let error = error.map_line(|line| settings.secrets.redact(line));
            Error::in_step(error.into(), self.step, calls)
        })
    }

    /// Runs a command. Without `with_errors` its output is standard output alone.
    ///
    /// # Errors
    /// When it cannot be started, or fails and may not.
    pub fn command(&self, calls: &[Frame], run: &Run, with_errors: bool) -> Result<Ended, Error> {
        let values = self.values();
        let refused = |report| Error::in_step(report, self.step, calls);
        let Words { argv, env } = Words::of(run, &values).map_err(refused)?;
        let stdin = run.stdin.as_ref().map(|text| text.resolve(&values));
        let stdin = stdin.transpose().map_err(|missing| {
            let report = files::Error::Unresolved { missing };
            refused(report.into())
        })?;
        let started = Started {
            run,
            argv,
            env,
            stdin,
            with_errors,
        };
        if let RunPlace::BootedRoot { timeout } = run.place {
            return self.booted(calls, started, timeout);
        }
        self.around(calls, run, |lent| {
            let process = match run.place {
                RunPlace::Root => lent.process(run, Mode::Command, self.root.path(), &started.argv),
                _ => self.granted(Process::new(&started.argv), run),
            };
            let ended = self.ran(calls, &started, process)?;
            self.decide(calls, &started, ended)
        })
    }

    /// Boots the root and runs a command in its system.
    fn booted(
        &self,
        calls: &[Frame],
        mut started: Started<'_>,
        timeout: u64,
    ) -> Result<Ended, Error> {
        let run = started.run;
        let stdin = started.stdin.take();
        let control = booted_root::Control::new(run, stdin.as_deref()).map_err(Error::store)?;
        let ended = self.around(calls, run, |lent| {
            let argv = control.argv(lent, run, timeout, self.root.path());
            let process = Process::new(argv.map_err(Error::store)?).changes_the_host();
            self.ran(calls, &started, process)
        })?;
        control.keep_console(&self.settings.secrets, &self.log());
        match control.failure(timeout) {
            // A system that does not go down leaves a root that nobody has seen.
            Some(failure) => Err(self.failed(calls, &started, ended, Some(failure))),
            None => self.decide(calls, &started, ended),
        }
    }

    fn around<T>(
        &self,
        calls: &[Frame],
        run: &Run,
        work: impl FnOnce(&Lent<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let setup = Setup {
            offers: &self.offers(calls, run)?,
            ..Setup::of(run)
        };
        setup.around(self.root, &self.settings.store, self.work, work)
    }

    /// What the folders of downloads start with. Commands that say it for several run once.
    fn offers(&self, calls: &[Frame], run: &Run) -> Result<Vec<Offers>, Error> {
        let mut known: Vec<(&plan::Command, Offers)> = Vec::new();
        let mut found = Vec::new();
        for downloads in &run.downloads {
            found.push(match &downloads.check {
                None => Offers::None,
                Some(DownloadCheck::Command) => Offers::All,
                Some(DownloadCheck::Index(index)) => {
                    match known.iter().find(|(command, _)| *command == index) {
                        Some((_, offers)) => offers.clone(),
                        None => {
                            let offers = Offers::Files(self.index(calls, run, index)?);
                            known.push((index, offers.clone()));
                            offers
                        }
                    }
                }
            });
        }
        Ok(found)
    }

    /// What the signed indexes of the root offer. If that can't be said, the command downloads
    /// everything, or fails with its own message.
    fn index(
        &self,
        calls: &[Frame],
        run: &Run,
        command: &plan::Command,
    ) -> Result<Vec<Offer>, Error> {
        let index = Run {
            place: run.place,
            command: command.clone(),
            env: run.env.clone(),
            network: run.network,
            binds: run.binds.clone(),
            ..Run::default()
        };
        let quiet = Running {
            output: Box::new(|_| {}),
            ..*self
        };
        match quiet.command(calls, &index, false) {
            Ok(ended) => Ok(ended
                .output
                .iter()
                .filter_map(|line| Offer::parse(line))
                .collect()),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(error) => {
                tracing::debug!("{error}");
                Ok(Vec::new())
            }
        }
    }

    fn decide(&self, calls: &[Frame], started: &Started<'_>, ended: Ended) -> Result<Ended, Error> {
        match ended.success || started.run.verdict.allow_failure.is_some() {
            true => Ok(ended),
            false => Err(self.failed(calls, started, ended, None)),
        }
    }

    /// Lets a command of the host at what the plan says that its step uses.
    fn granted(&self, process: Process, run: &Run) -> Process {
        let Settings { store, files, .. } = self.settings;
        let uses = &self.step.uses;
        let keyrings = uses.keyrings.iter().map(|name| keyring_path(name).into());
        let files = uses
            .files
            .iter()
            .filter_map(|file| files.path(self.plan, file));
        let downloads = uses.downloads.iter().map(|sha256| store.download(sha256));
        let root = self.step.root.and_then(|root| self.plan.root(root));
        let sources = root.map_or(&[][..], |root| &root.package_sources);
        let process = process
            .changes_root(self.root.path())
            .reads_all(keyrings.chain(files).chain(downloads))
            .reads_all(sources);
        run.binds
            .iter()
            .fold(process, |process, bind| match bind.read_only {
                true => process.reads(&bind.host),
                false => process.writes(&bind.host),
            })
    }

    /// Runs a command and writes down what ran, as the plan has it.
    fn ran(
        &self,
        calls: &[Frame],
        started: &Started<'_>,
        mut process: Process,
    ) -> Result<Ended, Error> {
        let step = self.step;
        let place = started.run.place.built_in();
        let command = started.run.command.shown();
        tracing::debug!(step = step.number, command, place);
        let start = Instant::now();
        let mut see = |line: &str| (self.output)(line);
        for (name, value) in &started.env {
            process = process.env(name, value);
        }
        if let Some(text) = &started.stdin {
            process = process.stdin(text.as_slice());
        }
        let (program, shown) = (process.program(), process.shown());
        let command = Command {
            process,
            shown,
            verdict: &started.run.verdict,
            with_errors: started.with_errors,
        };
        let ended = step_command::run(command, &self.settings.secrets, &self.log(), &mut see);
        let ended = ended.map_err(|source| Error::Start {
            program,
            source,
            calls: error::place(step, calls),
        })?;
        let journal = self.journal(started, &ended, start.elapsed());
        // On a full disk the journal cannot grow either: why the command failed matters more.
        if ended.success {
            journal.map_err(Error::store)?;
        }
        Ok(ended)
    }

    fn failed(
        &self,
        calls: &[Frame],
        started: &Started<'_>,
        ended: Ended,
        boot: Option<BootFailure>,
    ) -> Error {
        let step = self.step;
        let run = started.run;
        let output = [ended.output, ended.errors].concat();
        let told = match run.place {
            RunPlace::BootedRoot { .. } => boot_failure::told(&output).collect(),
            _ => Vec::new(),
        };
        let failure = CommandFailure {
            step: step.number,
            command: self.settings.secrets.redact(&run.command.shown()),
            in_root: !run.place.is_host(),
            script: run.command.script().is_some(),
            tools: tools(run),
            status: ended.status,
            exited_well: ended.exited_well,
            matched: ended.matched,
            told,
            output,
            log: self.log(),
            kept: None,
            boot,
        };
        Error::Command {
            failure: Box::new(failure),
            calls: error::place(step, calls),
        }
    }

    fn log(&self) -> PathBuf {
        self.logs.join(self.step.log_name())
    }

    fn journal(
        &self,
        started: &Started<'_>,
        ended: &Ended,
        elapsed: Duration,
    ) -> std::io::Result<()> {
        let line = serde_json::json!({
            "step": self.step.number,
            "op": started.run.place.built_in(),
            "argv": started.run.command.words(),
            "status": ended.status,
            "seconds": elapsed.as_secs_f64(),
        });
        let path = self.logs.join("journal.jsonl");
        let mut file = fs::File::options().create(true).append(true).open(path)?;
        // One write, whole: two steps may end at once.
        file.write_all(format!("{line}\n").as_bytes())
    }
}

/// Words that a line of a shell script starts with and that are no programs.
const SHELL_WORDS: &[&str] = &[
    "if", "then", "else", "elif", "fi", "for", "do", "done", "while", "until", "case", "esac",
    "echo", "exit", "cd", "set", "export", "local", "return", "trap", "read", ".", "true",
];

/// The programs of a command that may have failed, the likeliest first: those that a script says
/// it is made of, else those that its lines start with. What starts a command in the root comes
/// last.
fn tools(run: &Run) -> Vec<String> {
    let starts = (!run.place.is_host()).then(|| "systemd-nspawn".to_owned());
    let Some(script) = run.command.script() else {
        let program = run.command.program_name();
        return std::iter::once(program).chain(starts).collect();
    };
    if !script.programs.is_empty() {
        return script.programs.clone();
    }
    let base = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let text = script.text.to_string();
    let is_program = |word: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        !SHELL_WORDS.contains(word) && word.chars().all(plain)
    };
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("exec "));
    let words = lines.filter_map(|line| line.split_whitespace().next());
    let mut tools: Vec<String> = words.filter(is_program).map(base).collect();
    tools.reverse();
    tools.dedup();
    // Programs in the middle of lines are not found: with a shell, all hints are asked.
    tools.push(run.command.program_name());
    tools.extend(starts);
    tools
}
