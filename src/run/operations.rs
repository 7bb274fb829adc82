//! The operations of a step, carried out in a mounted root.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;

use super::booted_root::{self, BootFailure};
use super::command::{self as step_command, Command, Ended};
use super::container::{self, Setup};
use super::error::place;
use super::files::{self, FileContext};
use super::process::Process;
use super::secrets::UnknownSecret;
use super::{CommandFailure, Error, Settings, interrupt, keyrings};
use crate::diagnose::{Frame, Report};
use crate::plan::command::{self, Mode};
use crate::plan::{
    Action, HostRun, NspawnBoot, NspawnRun, Op, OutputScan, Plan, ROOT_PLACEHOLDER, Step, Text,
};

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
    /// Where the root is mounted.
    pub root: &'a Path,
}

/// A command, and what its failure means.
struct Judged<'a> {
    argv: Vec<String>,
    env: &'a BTreeMap<String, Text>,
    stdin: Option<&'a Text>,
    scan: &'a OutputScan,
    /// Whether standard error is part of the output.
    with_errors: bool,
    /// The command as the plan has it.
    planned: &'a [String],
    /// The programs that a script in it is made of, where the plan says so.
    tools: &'a [String],
    allow_failure: Option<&'a str>,
    /// The name of its operation.
    op: &'static str,
}

impl Judged<'_> {
    fn in_root(&self) -> bool {
        self.op != "host_run"
    }
}

impl Running<'_> {
    /// Carries out all operations but exports.
    ///
    /// # Errors
    /// The first that fails.
    pub fn actions(&self) -> Result<(), Error> {
        for keyring in keyrings::of_step(self.plan, self.step) {
            keyrings::ensure(keyring, &self.settings.store).map_err(|report| Error::Step {
                report,
                calls: keyring.calls.clone(),
            })?;
        }
        for action in &self.step.actions {
            if interrupt::interrupted() {
                return Err(Error::Interrupted);
            }
            if !self.wanted(action)? {
                continue;
            }
            match &action.op {
                Op::HostRun(run) => self.on_host(&action.calls, run)?,
                Op::NspawnRun(run) => drop(self.in_root(&action.calls, run, true)?),
                Op::NspawnBoot(boot) => self.booted(&action.calls, boot)?,
                Op::Export(_) | Op::ExpectBoot(_) => {}
                op => self.file(&action.calls, op)?,
            }
        }
        Ok(())
    }

    fn wanted(&self, action: &Action) -> Result<bool, Error> {
        let Some(argv) = &action.only_if else {
            return Ok(true);
        };
        let run = NspawnRun {
            argv: argv.clone(),
            // Its status is the answer.
            allow_failure: Some("it decides whether the operation is wanted".to_owned()),
            ..NspawnRun::default()
        };
        Ok(self.in_root(&action.calls, &run, true)?.success)
    }

    fn file(&self, calls: &[Frame], op: &Op) -> Result<(), Error> {
        let secret = |name: &str| {
            let value = self.settings.secrets.value(name).map(str::to_owned);
            value.map_err(|error| Box::new(Report::new("run::secret", error.to_string())))
        };
        let context = FileContext {
            store: self.settings.store.root(),
            secret: &secret,
        };
        files::apply(self.root, op, &context)
            .map_err(|error| Error::in_step(Box::new(error.into()), self.step, calls))
    }

    fn on_host(&self, calls: &[Frame], run: &HostRun) -> Result<(), Error> {
        let path = self.root.display().to_string();
        let argv: Vec<String> = run
            .argv
            .iter()
            .map(|word| word.replace(ROOT_PLACEHOLDER, &path))
            .collect();
        let mut env = run.env.clone();
        for value in env.values_mut() {
            if let Some(text) = value.plain() {
                *value = text.replace(ROOT_PLACEHOLDER, &path).into();
            }
        }
        let judged = Judged {
            argv,
            env: &env,
            stdin: run.stdin.as_ref(),
            scan: &run.scan,
            with_errors: true,
            planned: &run.argv,
            tools: &run.tools,
            allow_failure: run.allow_failure.as_deref(),
            op: "host_run",
        };
        let setup = Setup {
            downloads: &run.downloads,
            ..Setup::default()
        };
        self.around(setup, || self.judge(calls, &judged)).map(drop)
    }

    /// Runs a command inside of the root. Without `with_errors` its output is standard
    /// output alone.
    ///
    /// # Errors
    /// When it cannot be started, or fails and may not.
    pub fn in_root(
        &self,
        calls: &[Frame],
        run: &NspawnRun,
        with_errors: bool,
    ) -> Result<Ended, Error> {
        let argv = container::argv(run, Mode::Command, self.root);
        let judged = Judged {
            argv,
            env: &run.env,
            stdin: run.stdin.as_ref(),
            scan: &run.scan,
            with_errors,
            planned: &run.argv,
            tools: &[],
            allow_failure: run.allow_failure.as_deref(),
            op: "nspawn_run",
        };
        self.around(Setup::of(run), || self.judge(calls, &judged))
    }

    /// Boots the root and runs a command in its system.
    fn booted(&self, calls: &[Frame], boot: &NspawnBoot) -> Result<(), Error> {
        let run = &boot.run;
        let control =
            booted_root::Control::new(boot, &self.settings.secrets).map_err(Error::store)?;
        let argv = control.argv(boot, self.root).map_err(Error::store)?;
        let judged = Judged {
            argv,
            env: &run.env,
            stdin: None,
            scan: &run.scan,
            with_errors: true,
            planned: &run.argv,
            tools: &[],
            allow_failure: run.allow_failure.as_deref(),
            op: "nspawn_boot",
        };
        let ended = self.around(Setup::of(run), || self.ran(calls, &judged))?;
        control.keep_console(&self.log());
        match control.failure(boot.timeout) {
            // A system that does not go down leaves a root that nobody has seen.
            Some(failure) => Err(self.failed(calls, &judged, ended, Some(failure))),
            None => self.decide(calls, &judged, ended).map(drop),
        }
    }

    fn around<T>(
        &self,
        setup: Setup<'_>,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        setup.around(self.root, &self.settings.store, self.work, work)
    }

    /// Runs a command and decides whether it failed.
    fn judge(&self, calls: &[Frame], judged: &Judged<'_>) -> Result<Ended, Error> {
        let ended = self.ran(calls, judged)?;
        self.decide(calls, judged, ended)
    }

    fn decide(&self, calls: &[Frame], judged: &Judged<'_>, ended: Ended) -> Result<Ended, Error> {
        match ended.success || judged.allow_failure.is_some() {
            true => Ok(ended),
            false => Err(self.failed(calls, judged, ended, None)),
        }
    }

    /// Runs a command and writes down what ran, as the plan has it.
    fn ran(&self, calls: &[Frame], judged: &Judged<'_>) -> Result<Ended, Error> {
        let step = self.step;
        tracing::debug!(
            step = step.number,
            argv = ?judged.planned,
            op = judged.op,
            "command"
        );
        let start = Instant::now();
        let mut see = |line: &str| (self.output)(line);
        let log = self.log();
        let secrets = &self.settings.secrets;
        let unknown = |error: UnknownSecret| {
            let report = Report::new("run::secret", error.to_string());
            Error::in_step(Box::new(report), step, calls)
        };
        let mut process = Process::new(&judged.argv);
        for (name, value) in judged.env {
            process = process.env(name, secrets.reveal(value).map_err(unknown)?);
        }
        if let Some(text) = judged.stdin {
            process = process.stdin(secrets.reveal(text).map_err(unknown)?);
        }
        if judged.op == "nspawn_run" {
            process = process.makes_own_namespace();
        }
        let command = Command {
            process,
            shown: command::quote_all(&judged.argv),
            scan: judged.scan,
            with_errors: judged.with_errors,
        };
        let ended = step_command::run(command, secrets, &log, &mut see);
        let ended = ended.map_err(|source| Error::Start {
            program: judged.argv.first().cloned().unwrap_or_default(),
            source,
            calls: place(step, calls),
        })?;
        let journal = self.journal(judged, &ended, start.elapsed());
        // On a full disk the journal cannot grow either: why the command failed matters more.
        if ended.success {
            journal.map_err(Error::store)?;
        }
        Ok(ended)
    }

    fn failed(
        &self,
        calls: &[Frame],
        judged: &Judged<'_>,
        ended: Ended,
        boot: Option<BootFailure>,
    ) -> Error {
        let step = self.step;
        let planned = command::quote_all(judged.planned);
        let told = match judged.op == "nspawn_boot" {
            true => booted_root::told(&ended.output).collect(),
            false => Vec::new(),
        };
        let failure = CommandFailure {
            step: step.number,
            label: step.label.clone(),
            command: self.settings.secrets.redact(&planned),
            in_root: judged.in_root(),
            script: script(judged.planned).is_some(),
            tools: match judged.tools.is_empty() {
                true => tools(judged.planned, judged.in_root()),
                false => judged.tools.to_vec(),
            },
            status: ended.status,
            exited_well: ended.exited_well,
            matched: ended.matched,
            told,
            output: ended.output,
            log: self.log(),
            kept: None,
            boot,
        };
        Error::Command {
            failure: Box::new(failure),
            calls: place(step, calls),
        }
    }

    fn log(&self) -> PathBuf {
        let step = self.step;
        self.logs
            .join(format!("{:02}-{}.log", step.number, step.call))
    }

    fn journal(
        &self,
        judged: &Judged<'_>,
        ended: &Ended,
        elapsed: Duration,
    ) -> std::io::Result<()> {
        let line = serde_json::json!({
            "step": self.step.number,
            "op": judged.op,
            "argv": judged.planned,
            "status": ended.status,
            "seconds": elapsed.as_secs_f64(),
        });
        let path = self.logs.join("journal.jsonl");
        let mut file = fs::File::options().create(true).append(true).open(path)?;
        // One write, whole: two steps may end at once.
        file.write_all(format!("{line}\n").as_bytes())
    }
}

/// The text of a command that the recipe wrote as a shell script.
fn script(argv: &[String]) -> Option<&str> {
    match argv {
        [shell, flags, script] if shell == "/bin/sh" && flags == "-euc" => Some(script),
        _ => None,
    }
}

/// Words that a line of a shell script starts with and that are no programs.
const SHELL_WORDS: &[&str] = &[
    "if", "then", "else", "elif", "fi", "for", "do", "done", "while", "until", "case", "esac",
    "echo", "exit", "cd", "set", "export", "local", "return", "trap", "read", ".", "true",
];

/// The program of a command, and for a shell script the programs that its lines start with.
/// What starts a command in the root comes last: it may be that which failed.
fn tools(argv: &[String], in_root: bool) -> Vec<String> {
    let starts = in_root.then(|| "systemd-nspawn".to_owned());
    let base = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    let Some(script) = script(argv) else {
        let program = argv.first().map(|word| base(word));
        return program.into_iter().chain(starts).collect();
    };
    let mut tools: Vec<String> = script
        .lines()
        .filter_map(|line| {
            line.trim()
                .trim_start_matches("exec ")
                .split_whitespace()
                .next()
        })
        .filter(|word| !SHELL_WORDS.contains(word))
        .filter(|word| {
            word.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        })
        .map(base)
        .collect();
    tools.reverse();
    tools.dedup();
    // Programs in the middle of lines are not found: with a shell, all hints are asked.
    tools.push("sh".to_owned());
    tools.extend(starts);
    tools
}
