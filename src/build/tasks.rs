//! One layer, or one artifact: taken where it is there, else made.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fs_err as fs;

use super::cache::Prepared;
use super::{At, Events};
use crate::boot::{BootJob, Boots};
use crate::diagnose::{HintSet, Report};
use crate::export::{self, ExportJob, ExportLayer, ExportRoot};
use crate::plan::{Command, ExpectBoot, Export, Key, Layer, LayerKey, Op, Run, RunPlace, Step};
use crate::preview::StepStatus;
use crate::run::operations::Running;
use crate::run::stack::{self, OpenRoot};
use crate::run::{Error, Settings, interrupt};
use crate::store::{LayerInfo, Work, now};

/// What builds have made.
#[derive(Debug, Default)]
pub struct BuildResult {
    pub exports: Vec<PathBuf>,
    /// Steps whose layers or artifacts were there.
    pub cached: usize,
    pub ran: usize,
    pub logs: PathBuf,
}

/// A build, and its place in the list.
#[derive(Clone, Copy)]
pub struct Numbered<'a> {
    pub number: usize,
    pub build: &'a Prepared,
}

/// A layer of one of the builds.
#[derive(Clone, Copy)]
pub struct LayerOf<'a> {
    pub of: Numbered<'a>,
    pub layer: &'a Layer,
    pub key: &'a LayerKey,
}

/// Makes layers and artifacts, one at a time or several side by side.
pub struct Runner<'a> {
    settings: &'a Settings,
    events: &'a dyn Events,
    work: Work,
    /// One folder of logs a build.
    logs: Vec<PathBuf>,
    result: Mutex<BuildResult>,
    /// Where exports are, by the build's number and their names.
    exported: Mutex<Exported>,
}

type Exported = BTreeMap<(usize, String), PathBuf>;

impl<'a> Runner<'a> {
    pub fn new(
        builds: &[Prepared],
        settings: &'a Settings,
        events: &'a dyn Events,
    ) -> std::io::Result<Self> {
        let keys = builds.iter().flat_map(|build| &build.keys);
        let keys: Vec<&Key> = keys.map(|key| &key.key).collect();
        let (work, folder) = settings.store.begin(&keys)?;
        let of = |number: usize| folder.join(number.to_string());
        let logs: Vec<PathBuf> = match builds {
            [_] => vec![folder.clone()],
            _ => (1..=builds.len()).map(of).collect(),
        };
        for logs in &logs {
            fs::create_dir_all(logs)?;
        }
        Ok(Runner {
            settings,
            events,
            work,
            logs,
            result: Mutex::new(BuildResult {
                logs: folder,
                ..BuildResult::default()
            }),
            exported: Mutex::default(),
        })
    }

    pub fn result(self) -> BuildResult {
        let result = self.result.into_inner();
        result.unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: impl FnOnce(&mut BuildResult)) {
        note(&mut self.result.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn exported(&self) -> MutexGuard<'_, Exported> {
        self.exported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open(&self, below: &[Key]) -> Result<OpenRoot, Error> {
        stack::open(&self.settings.store, below, self.work.path())
    }

    pub fn running<'s>(
        &'s self,
        of: Numbered<'s>,
        step: &'s Step,
        root: &'s OpenRoot,
    ) -> Running<'s> {
        Running {
            plan: &of.build.plan,
            step,
            settings: self.settings,
            output: Box::new(move |line| self.events.output(of.at(step), line)),
            logs: self.logs.get(of.number).unwrap_or(&self.settings.out),
            work: self.work.path(),
            root,
        }
    }

    /// Makes a layer, unless it is there.
    pub fn layer(&self, places: &[LayerOf<'_>], sums: &Sender<Key>) -> Result<(), Error> {
        let Some((first, others)) = places.split_first() else {
            return Ok(());
        };
        let store = &self.settings.store;
        let key = &first.key.key;
        if store.has(key) {
            self.note_state(first)?;
            self.found(places);
            return Ok(());
        }
        let mut said = false;
        let mut waiting = || {
            if !said && let Some(at) = first.at() {
                self.events.waiting(at);
            }
            said = true;
            !interrupt::interrupted()
        };
        let lock = store.lock(key, &mut waiting).map_err(Error::store)?;
        let Some(_lock) = lock else {
            return Err(Error::Interrupted);
        };
        // Another build may have made it in the meantime.
        if store.has(key) {
            self.found(places);
            return Ok(());
        }
        self.make(first, sums)?;
        self.found(others);
        Ok(())
    }

    /// Says that the steps of a layer need not run.
    fn found(&self, places: &[LayerOf<'_>]) {
        for place in places {
            for step in place.of.build.steps(place.layer) {
                let at = place.of.at(step);
                self.events.step_started(at, &StepStatus::Cached(None));
                self.note(|result| result.cached += 1);
                self.events.step_finished(at, None);
            }
        }
    }

    fn make(&self, place: &LayerOf<'_>, sums: &Sender<Key>) -> Result<(), Error> {
        let (store, build) = (&self.settings.store, place.of.build);
        let stack = build.below(place.layer.below);
        let open = self.open(&stack)?;
        let start = Instant::now();
        let made = self.steps(place, &open).and_then(|()| open.settle());
        let open = open.unmount();
        if let Err(error) = made {
            // The failure matters more than a layer that could not be kept.
            let kept = store.keep_failed(&place.key.key, open.made()).ok();
            return Err(with_kept(error, kept));
        }
        let state = build.states.get(&place.key.base);
        let labels = build.steps(place.layer).map(|step| step.label.clone());
        let info = LayerInfo {
            parent: stack.last().cloned(),
            labels: labels.collect(),
            recipe: build.plan.recipe.path.clone(),
            seconds: start.elapsed().as_secs_f64(),
            made: now(),
            versions: build.versions.clone(),
            archives: state.map_or_else(Vec::new, |state| state.archives.clone()),
            outline: None,
        };
        store
            .commit(&place.key.key, open.made(), &info)
            .map_err(Error::store)?;
        store.forget_failed(&place.key.key);
        self.note_state(place)?;
        // Nobody takes sums of what only a capture needs.
        let _ = sums.send(place.key.key.clone());
        Ok(())
    }

    /// Remembers with which state of its archives a layer is the one to take now.
    fn note_state(&self, place: &LayerOf<'_>) -> Result<(), Error> {
        let base = &place.key.base;
        let Some(state) = place.of.build.states.get(base) else {
            return Ok(());
        };
        let store = &self.settings.store;
        match store.state(base).as_ref() == Some(state) {
            true => Ok(()),
            false => store.set_state(base, state).map_err(Error::store),
        }
    }

    fn steps(&self, place: &LayerOf<'_>, root: &OpenRoot) -> Result<(), Error> {
        let build = place.of.build;
        for step in build.steps(place.layer) {
            let start = Instant::now();
            let status = build.status.get(&step.number).cloned();
            let status = status.unwrap_or(StepStatus::Runs(String::new()));
            let at = place.of.at(step);
            self.events.step_started(at, &status);
            self.running(place.of, step, root).actions()?;
            self.note(|result| result.ran += 1);
            self.events.step_finished(at, Some(start.elapsed()));
        }
        Ok(())
    }

    /// Carries out a step that reads what was made: exports, and boots of exports.
    pub fn reads(&self, of: Numbered<'_>, step: &Step, boots: &Boots<'_>) -> Result<(), Error> {
        let start = Instant::now();
        let at = of.at(step);
        self.events
            .step_started(at, &StepStatus::Runs(String::new()));
        let mut ran = false;
        for action in &step.actions {
            let done = match &action.op {
                Op::Export(export) => self.exports(of, step, export),
                Op::ExpectBoot(expect) => self.boots(at, expect, boots),
                _ => continue,
            };
            ran |= done.map_err(|error| error.at(step, &action.calls))?;
        }
        self.note(|result| match ran {
            true => result.ran += 1,
            false => result.cached += 1,
        });
        self.events.step_finished(at, ran.then(|| start.elapsed()));
        Ok(())
    }

    /// Whether it was written: one in place of the same root and spec stays.
    fn exports(&self, of: Numbered<'_>, step: &Step, export: &Export) -> Result<bool, Error> {
        let stack = of.build.stack(step.root.unwrap_or_default(), step.number);
        let identity = stack.last().cloned();
        let identity = identity.unwrap_or_else(|| Key::of::<&[u8]>(&[]));
        let there = export::fresh(export, &identity, &self.settings.out);
        let wrote = there.is_none();
        let path = match there {
            Some(path) => path,
            None => self.export(of, step, export, &stack, &identity)?,
        };
        // They hold what made the artifact, for as long as it is there.
        let recorded = self.settings.store.record_export(&path, &stack);
        recorded.map_err(Error::store)?;
        self.events.exported(of.at(step), &path);
        let name = (of.number, export.name.clone());
        self.exported().insert(name, path.clone());
        self.note(|result| result.exports.push(path));
        Ok(wrote)
    }

    /// Whether it was booted: what has come up before, and is the same, is not.
    fn boots(&self, at: At<'_>, expect: &ExpectBoot, boots: &Boots<'_>) -> Result<bool, Error> {
        let name = (at.build, expect.export.clone());
        let path = self.exported().get(&name).cloned();
        // The export's step has come before: tasks wait for what they need.
        let path = path.ok_or_else(|| {
            let message = format!("the plan writes no export `{}`", expect.export);
            failed(Report::new("run::no_export", message))
        })?;
        let store = &self.settings.store;
        let key = boots.key(expect, &path);
        if key.as_ref().is_some_and(|key| store.has_booted(key)) {
            return Ok(false);
        }
        let logs = self.logs.get(at.build).unwrap_or(&self.settings.out);
        let work = tempfile::Builder::new().prefix("boot-").tempdir();
        let work = work.map_err(Error::store)?;
        let job = BootJob {
            expect,
            export: &path,
            work: work.path(),
            console: &logs.join(at.step.log_name()),
            see: &|line| self.events.output(at, line),
        };
        boots.boot(&job).map_err(failed)?;
        if let Some(key) = key {
            store.record_boot(&key, &path).map_err(Error::store)?;
        }
        Ok(true)
    }

    fn export(
        &self,
        of: Numbered<'_>,
        step: &Step,
        export: &Export,
        stack: &[Key],
        identity: &Key,
    ) -> Result<PathBuf, Error> {
        // What the manifest's command leaves behind is no part of the root.
        let open = self.open(stack)?;
        let running = self.running(of, step, &open);
        let in_root = |command: &Command| {
            let run = Run::new(RunPlace::Root, command.clone());
            match running.command(&[], &run, false) {
                Ok(ended) => Ok(ended.output.join("\n")),
                Err(error) => Err(error.report(&HintSet::default())),
            }
        };
        let job = ExportJob {
            plan: &of.build.plan,
            root: ExportRoot::mounted(&open),
            out: &self.settings.out,
            staging: self.work.path(),
            identity,
            layers: &self.export_layers(of, stack),
            in_root: &in_root,
        };
        export::write(export, &job).map_err(|error| failed(error.into()))
    }

    fn export_layers(&self, of: Numbered<'_>, stack: &[Key]) -> Vec<ExportLayer> {
        let build = of.build;
        let label = |key: &Key| {
            let at = build.keys.iter().position(|known| known.key == *key)?;
            let steps = build.steps(build.layers.get(at)?);
            let labels: Vec<&str> = steps.map(|step| step.label.as_str()).collect();
            Some(labels.join("; "))
        };
        let layer = |key: &Key| ExportLayer {
            label: label(key).unwrap_or_default(),
            tree: self.settings.store.layer_fs(key),
        };
        stack.iter().map(layer).collect()
    }
}

impl<'a> Numbered<'a> {
    fn at(&self, step: &'a Step) -> At<'a> {
        At {
            build: self.number,
            plan: &self.build.plan,
            step,
        }
    }
}

impl<'a> LayerOf<'a> {
    /// Its first step.
    fn at(&self) -> Option<At<'a>> {
        let step = self.of.build.steps(self.layer).next()?;
        Some(self.of.at(step))
    }
}

/// An error of a step, which its caller knows.
fn failed(report: Report) -> Error {
    Error::Step {
        report,
        calls: Vec::new(),
    }
}

fn with_kept(error: Error, kept: Option<PathBuf>) -> Error {
    match error {
        Error::Command { mut failure, calls } => {
            failure.kept = kept;
            Error::Command { failure, calls }
        }
        other => other,
    }
}
