//! Goes through a plan's steps: takes the layers that are there, makes the others.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;

use super::error::place;
use super::files::{self, FileContext};
use super::mount::{Mounted, Resolver};
use super::process::{self, Command, Ended};
use super::{CommandFailure, Error, Events, ExportJob, Exporter, Settings, interrupt};
use crate::diagnose::{Frame, Report};
use crate::plan::{
    Action, HostRun, Key, LayerKey, NspawnRun, Op, Plan, ROOT_PLACEHOLDER, RootId, Step, command,
    keys,
};
use crate::store::{LayerInfo, Work};

/// What a build has made.
#[derive(Debug, Default)]
pub struct Outcome {
    pub exports: Vec<PathBuf>,
    pub cached: usize,
    pub ran: usize,
    pub logs: PathBuf,
}

/// What else than the plan decides what layers hold; changes when the meaning of an
/// operation does.
pub const SALT: &[u8] = b"rootwright operations 1";

/// Runs a plan.
///
/// # Errors
/// The first step that fails; its layer is kept aside, those before it stay committed.
pub fn execute(
    plan: &Plan,
    settings: &Settings,
    exporter: &dyn Exporter,
    events: &dyn Events,
) -> Result<Outcome, Error> {
    let mut runner = Runner::new(plan, settings, events)?;
    for step in &plan.steps {
        if interrupt::interrupted() {
            return Err(Error::Interrupted);
        }
        let result = runner.step(step, exporter);
        // A command that was stopped fails; why it did is the better message.
        if interrupt::interrupted() {
            return Err(Error::Interrupted);
        }
        result?;
    }
    Ok(runner.outcome)
}

/// Runs the steps that are planned so far, then one command in a root whose changes are
/// thrown away; gives its output.
///
/// # Errors
/// As [`execute`], and when the command fails.
pub fn capture(
    plan: &Plan,
    root: RootId,
    run: &NspawnRun,
    settings: &Settings,
    events: &dyn Events,
) -> Result<String, Error> {
    let mut runner = Runner::new(plan, settings, events)?;
    for step in plan.steps.iter().filter(|step| step.makes_layer()) {
        runner.step(step, &NoExports)?;
    }
    let step = Step {
        number: plan.steps.len() + 1,
        root: Some(root),
        call: "capture".to_owned(),
        label: format!("capture {}", command::quote_all(&run.argv)),
        site: Vec::new(),
        actions: Vec::new(),
    };
    let overlay = runner.open(root)?;
    let ended = runner.in_root(&step, &[], run, overlay.mounted.path(), false)?;
    Ok(ended.output.join("\n"))
}

struct NoExports;

impl Exporter for NoExports {
    fn export(&self, _: &crate::plan::Export, _: &ExportJob<'_>) -> Result<PathBuf, Box<Report>> {
        Err(Box::new(Report::new(
            "run::export",
            "nothing is exported while a value is captured",
        )))
    }
}

struct Runner<'a> {
    plan: &'a Plan,
    settings: &'a Settings,
    events: &'a dyn Events,
    layers: Vec<LayerKey>,
    /// The committed layers of each root, the lowest first.
    stacks: BTreeMap<RootId, Vec<Key>>,
    work: Work,
    outcome: Outcome,
}

/// A root with a fresh layer on top.
struct Open {
    mounted: Mounted,
    /// The folder that becomes the layer.
    made: PathBuf,
    _folder: tempfile::TempDir,
}

impl<'a> Runner<'a> {
    fn new(plan: &'a Plan, settings: &'a Settings, events: &'a dyn Events) -> Result<Self, Error> {
        let outcome = Outcome {
            logs: settings.store.logs().map_err(Error::store)?,
            ..Outcome::default()
        };
        Ok(Runner {
            plan,
            settings,
            events,
            layers: keys(plan, SALT),
            stacks: BTreeMap::new(),
            work: settings.store.work().map_err(Error::store)?,
            outcome,
        })
    }

    fn step(&mut self, step: &Step, exporter: &dyn Exporter) -> Result<(), Error> {
        let start = Instant::now();
        self.events.step_started(step, self.plan.steps.len());
        let layer = self
            .layers
            .iter()
            .find(|layer| layer.step == step.number)
            .cloned();
        let cached = match layer {
            Some(layer) => self.layer(step, &layer)?,
            None => {
                self.exports(step, exporter)?;
                false
            }
        };
        if cached {
            self.outcome.cached += 1;
        } else {
            self.outcome.ran += 1;
        }
        self.events.step_finished(step, start.elapsed(), cached);
        Ok(())
    }

    /// Makes a step's layer, unless it is there; says whether it was.
    fn layer(&mut self, step: &Step, layer: &LayerKey) -> Result<bool, Error> {
        let store = &self.settings.store;
        if let Some(parent) = &layer.parent
            && !self.stacks.contains_key(&layer.root)
        {
            // A fork starts with what its base had.
            let below = self.stacks.values().find_map(|stack| {
                let at = stack.iter().position(|key| key == parent)?;
                Some(stack.iter().take(at + 1).cloned().collect::<Vec<_>>())
            });
            self.stacks.insert(layer.root, below.unwrap_or_default());
        }
        let _lock = store.lock(&layer.key).map_err(Error::store)?;
        let cached = store.has(&layer.key);
        tracing::debug!(step = step.number, key = %layer.key, cached, "layer");
        if !cached {
            let start = Instant::now();
            let open = self.open(layer.root)?;
            let result = self.actions(step, open.mounted.path());
            let Open {
                mounted,
                made,
                _folder,
            } = open;
            drop(mounted);
            match result {
                Ok(()) => {
                    let info = LayerInfo {
                        parent: layer.parent.clone(),
                        label: step.label.clone(),
                        seconds: start.elapsed().as_secs_f64(),
                    };
                    store
                        .commit(&layer.key, &made, &info)
                        .map_err(Error::store)?;
                }
                Err(error) => {
                    // The failure matters more than a layer that could not be kept.
                    let kept = store.keep_failed(&layer.key, &made).ok();
                    return Err(with_kept(error, kept));
                }
            }
        }
        self.stacks
            .entry(layer.root)
            .or_default()
            .push(layer.key.clone());
        Ok(cached)
    }

    /// Mounts a root with a fresh layer on top.
    fn open(&self, root: RootId) -> Result<Open, Error> {
        let folder = tempfile::Builder::new()
            .prefix("step-")
            .tempdir_in(self.work.path())
            .map_err(Error::store)?;
        let made = folder.path().join("layer");
        let upper = made.join("fs");
        fs::create_dir_all(&upper).map_err(Error::store)?;
        let lower: Vec<PathBuf> = self
            .stacks
            .get(&root)
            .map(|stack| {
                stack
                    .iter()
                    .map(|key| self.settings.store.layer_fs(key))
                    .collect()
            })
            .unwrap_or_default();
        root_attributes(lower.last(), &upper).map_err(Error::store)?;
        let mounted = Mounted::overlay(
            &lower,
            &upper,
            &folder.path().join("work"),
            &folder.path().join("root"),
        )?;
        Ok(Open {
            mounted,
            made,
            _folder: folder,
        })
    }

    fn actions(&self, step: &Step, root: &Path) -> Result<(), Error> {
        for action in &step.actions {
            if interrupt::interrupted() {
                return Err(Error::Interrupted);
            }
            if !self.wanted(step, action, root)? {
                continue;
            }
            match &action.op {
                Op::HostRun(run) => self.on_host(step, &action.site, run, root)?,
                Op::NspawnRun(run) => drop(self.in_root(step, &action.site, run, root, true)?),
                Op::Export(_) => {}
                op => self.file(step, &action.site, op, root)?,
            }
        }
        Ok(())
    }

    fn wanted(&self, step: &Step, action: &Action, root: &Path) -> Result<bool, Error> {
        let Some(argv) = &action.only_if else {
            return Ok(true);
        };
        let run = NspawnRun {
            argv: argv.clone(),
            ..NspawnRun::default()
        };
        Ok(self
            .run_in_root(step, &action.site, &run, root, true)?
            .success)
    }

    fn file(&self, step: &Step, site: &[Frame], op: &Op, root: &Path) -> Result<(), Error> {
        let secret = |name: &str| {
            let value = self.settings.secrets.value(name).map(str::to_owned);
            value.ok_or_else(|| {
                Box::new(Report::new(
                    "run::secret",
                    format!("the secret `{name}` has no value"),
                ))
            })
        };
        let context = FileContext {
            store: self.settings.store.root(),
            secret: &secret,
        };
        files::apply(root, op, &context)
            .map_err(|error| Error::in_step(Box::new(error.into()), step, site))
    }

    fn on_host(
        &self,
        step: &Step,
        site: &[Frame],
        run: &HostRun,
        root: &Path,
    ) -> Result<(), Error> {
        let path = root.display().to_string();
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
        let command = Command {
            argv: &argv,
            env: &env,
            stdin: run.stdin.as_ref(),
            scan: &run.scan,
            with_errors: true,
        };
        let ended = self.command(step, site, &command, &run.argv, false)?;
        self.judge(
            step,
            site,
            &run.argv,
            run.allow_failure.as_deref(),
            false,
            ended,
        )
        .map(drop)
    }

    fn in_root(
        &self,
        step: &Step,
        site: &[Frame],
        run: &NspawnRun,
        root: &Path,
        with_errors: bool,
    ) -> Result<Ended, Error> {
        let ended = self.run_in_root(step, site, run, root, with_errors)?;
        self.judge(
            step,
            site,
            &run.argv,
            run.allow_failure.as_deref(),
            true,
            ended,
        )
    }

    fn run_in_root(
        &self,
        step: &Step,
        site: &[Frame],
        run: &NspawnRun,
        root: &Path,
        with_errors: bool,
    ) -> Result<Ended, Error> {
        let resolver = if run.network {
            Resolver::over(root)?
        } else {
            None
        };
        let argv = command::nspawn_argv(run, &root.display().to_string());
        let command = Command {
            argv: &argv,
            env: &run.env,
            stdin: run.stdin.as_ref(),
            scan: &run.scan,
            with_errors,
        };
        let ended = self.command(step, site, &command, &run.argv, true);
        drop(resolver);
        ended
    }

    /// Starts a command and writes down what was started, as the plan has it.
    fn command(
        &self,
        step: &Step,
        site: &[Frame],
        command: &Command<'_>,
        planned: &[String],
        in_root: bool,
    ) -> Result<Ended, Error> {
        tracing::debug!(step = step.number, argv = ?planned, in_root, "command");
        let start = Instant::now();
        let mut see = |line: &str| self.events.output(step, line);
        let ended = process::run(command, &self.settings.secrets, &self.log(step), &mut see)
            .map_err(|source| Error::Start {
                program: command.argv.first().cloned().unwrap_or_default(),
                source,
                site: place(step, site),
            })?;
        self.journal(step, planned, in_root, &ended, start.elapsed())
            .map_err(Error::store)?;
        Ok(ended)
    }

    fn judge(
        &self,
        step: &Step,
        site: &[Frame],
        argv: &[String],
        allow_failure: Option<&str>,
        in_root: bool,
        ended: Ended,
    ) -> Result<Ended, Error> {
        if ended.success || allow_failure.is_some() {
            return Ok(ended);
        }
        let failure = CommandFailure {
            step: step.number,
            label: step.label.clone(),
            command: self.settings.secrets.redact(&command::quote_all(argv)),
            in_root,
            tools: tools(argv),
            status: ended.status,
            matched: ended.matched,
            output: ended.output,
            log: self.log(step),
            kept: None,
        };
        Err(Error::Command {
            failure: Box::new(failure),
            site: place(step, site),
        })
    }

    fn exports(&mut self, step: &Step, exporter: &dyn Exporter) -> Result<(), Error> {
        let Some(root) = step.root else { return Ok(()) };
        for action in &step.actions {
            let Op::Export(export) = &action.op else {
                continue;
            };
            // What the manifest's command leaves behind is no part of the root.
            let open = self.open(root)?;
            let runner = &*self;
            let in_root = |argv: &[String]| {
                let run = NspawnRun {
                    argv: argv.to_vec(),
                    ..NspawnRun::default()
                };
                let ended = runner.in_root(step, &action.site, &run, open.mounted.path(), false);
                ended
                    .map(|ended| ended.output.join("\n"))
                    .map_err(|error| Box::new(error.report(&crate::diagnose::HintSet::default())))
            };
            let job = ExportJob {
                plan: self.plan,
                root: open.mounted.path(),
                out: &self.settings.out,
                staging: self.work.path(),
                in_root: &in_root,
            };
            let path = exporter
                .export(export, &job)
                .map_err(|report| Error::in_step(report, step, &action.site))?;
            self.events.exported(&path);
            self.outcome.exports.push(path);
        }
        Ok(())
    }

    fn log(&self, step: &Step) -> PathBuf {
        self.outcome
            .logs
            .join(format!("{:02}-{}.log", step.number, step.call))
    }

    fn journal(
        &self,
        step: &Step,
        argv: &[String],
        in_root: bool,
        ended: &Ended,
        elapsed: Duration,
    ) -> std::io::Result<()> {
        let line = serde_json::json!({
            "step": step.number,
            "op": if in_root { "nspawn_run" } else { "host_run" },
            "argv": argv,
            "status": ended.status,
            "seconds": elapsed.as_secs_f64(),
        });
        let path = self.outcome.logs.join("journal.jsonl");
        let mut file = fs::File::options().create(true).append(true).open(path)?;
        writeln!(file, "{line}")
    }
}

/// The directory `/` itself is the topmost layer's: mode and owner go on from the layer
/// below, and start as 0755, root's, whatever this process's umask is.
fn root_attributes(below: Option<&PathBuf>, upper: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let mut mode = 0o755;
    if let Some(below) = below {
        let metadata = fs::metadata(below)?;
        mode = metadata.mode() & 0o7777;
        chown(upper, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    fs::set_permissions(upper, PermissionsExt::from_mode(mode))
}

fn with_kept(error: Error, kept: Option<PathBuf>) -> Error {
    match error {
        Error::Command { mut failure, site } => {
            failure.kept = kept;
            Error::Command { failure, site }
        }
        other => other,
    }
}

/// The program of a command, and for a shell script the programs that its lines start with.
fn tools(argv: &[String]) -> Vec<String> {
    let base = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    match argv {
        [shell, flags, script] if shell == "/bin/sh" && flags == "-euc" => {
            let mut tools: Vec<String> = script
                .lines()
                .filter_map(|line| {
                    line.trim()
                        .trim_start_matches("exec ")
                        .split_whitespace()
                        .next()
                })
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
            tools
        }
        _ => argv.first().map(|word| base(word)).into_iter().collect(),
    }
}
