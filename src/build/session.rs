//! A build of recipes, from the scripts to the exports.

use std::path::PathBuf;

use super::bundle::Bundle;
use super::cache::{Archives, Prepared, Refresh, Versions, preview};
use super::preflight::{self, Findings, Preflight, Status, Subject};
use super::{BuildResult, Events, Failed, capture, execute};
use crate::boot::Boots;
use crate::diagnose::{HintSet, Report, SourceMap, Trouble};
use crate::plan::policy;
use crate::plan::{Capture, CaptureRequest, Captured, Op, Plan, Step, command, option_text};
use crate::recipe::{self, Settings, stdlib::Stdlib};
use crate::run::{self, Error, Secrets};
use crate::store::Store;

/// What is built.
pub enum Source {
    /// Recipes with their settings. Of the options of several, each takes those that it declares.
    Recipes(Vec<(PathBuf, Settings)>),
    /// A plan with its files, and the settings that are not the recipe's.
    Bundle(Box<Bundle>, Box<Settings>),
}

impl Source {
    /// The settings that all recipes share.
    fn shared(&self) -> Option<&Settings> {
        match self {
            Source::Recipes(recipes) => recipes.first().map(|(_, settings)| settings),
            Source::Bundle(_, settings) => Some(settings),
        }
    }
}

/// What to build, and how.
pub struct Request<'a> {
    pub source: Source,
    pub store: PathBuf,
    pub out: PathBuf,
    /// Files of secrets, by name.
    pub secrets: Vec<(String, PathBuf)>,
    pub versions: Versions,
    pub refresh: Refresh,
    /// How many layers are built at a time.
    pub jobs: usize,
    pub offline: bool,
    pub install_tools: bool,
    /// The programs that are needed for what happens after the build.
    pub programs: &'a dyn Fn(&Plan) -> Vec<(String, &'static str)>,
    /// `rootwright shell` with the flags that this build was given.
    pub shell: Vec<String>,
}

/// Why there is no result.
pub enum Stopped {
    Interrupted,
    Failed(Trouble),
}

impl<T: Into<Trouble>> From<T> for Stopped {
    fn from(trouble: T) -> Self {
        Stopped::Failed(trouble.into())
    }
}

/// Builds, inside the namespaces.
///
/// # Errors
/// Everything that is wrong with the recipes or missing on the host, else the steps that failed.
pub fn build(request: &Request<'_>, events: &dyn Events) -> Result<BuildResult, Stopped> {
    let Some(shared) = request.source.shared() else {
        return Err(Report::new("build::no_recipe", "these folders contain no recipe").into());
    };
    let stdlib = Stdlib::new(shared.stdlib.clone());
    let store = Store::open(&request.store).map_err(Error::from)?;
    let timeout = preflight::BUILD_TIMEOUT;
    let mut session = Session {
        request,
        events,
        run: run::Settings {
            store,
            out: request.out.clone(),
            secrets: Secrets::default(),
            files: match &request.source {
                Source::Recipes(_) => run::Files::InPlace,
                Source::Bundle(bundle, _) => bundle.files(),
            },
        },
        preflight: Preflight::new(&stdlib, &request.secrets, timeout)?,
        archives: Archives::default(),
        failure: None,
    };
    let recipes = session.evaluate()?;
    let builds = session.prepare(&recipes)?;
    let known_failures = || recipe::known_failures(shared);
    let text = |name: &str| stdlib.text(name).unwrap_or_default();
    let boots = Boots::new(&text, &known_failures);
    let result = execute::execute(&builds, &session.run, request.jobs, &boots, events);
    result.map_err(|failed| session.failed(failed, &recipes))
}

/// A recipe that was evaluated.
struct Evaluated<'a> {
    settings: &'a Settings,
    plan: Plan,
    sources: SourceMap,
    hints: HintSet,
}

/// Answers `capture` by building the plan so far.
struct Session<'a> {
    request: &'a Request<'a>,
    events: &'a dyn Events,
    run: run::Settings,
    preflight: Preflight,
    archives: Archives,
    /// Why the last `capture` has no answer.
    failure: Option<Unanswered>,
}

enum Unanswered {
    /// What is wrong or missing before the first step.
    NotReady(Vec<Report>),
    Failed(Error),
}

impl<'a> Session<'a> {
    fn evaluate(&mut self) -> Result<Vec<Evaluated<'a>>, Stopped> {
        let mut recipes = Vec::new();
        let sources = match &self.request.source {
            Source::Recipes(sources) => sources,
            Source::Bundle(bundle, settings) => return Self::reviewed(bundle, settings),
        };
        for (path, settings) in sources {
            let evaluated = recipe::evaluate(path, settings, self);
            // A script that catches the error of a `capture` goes on without its output.
            let Some(failure) = self.failure.take() else {
                let evaluation = evaluated?;
                recipes.push(Evaluated {
                    settings,
                    plan: evaluation.plan,
                    sources: evaluation.sources,
                    hints: evaluation.hints,
                });
                continue;
            };
            let (sources, mut hints) = match evaluated {
                Ok(evaluation) => (evaluation.sources, evaluation.hints),
                Err(failure) => (failure.sources, failure.hints),
            };
            let reports = match failure {
                Unanswered::NotReady(reports) => reports,
                Unanswered::Failed(Error::Interrupted) => return Err(Stopped::Interrupted),
                Unanswered::Failed(error) => {
                    hints.extend(recipe::known_failures(settings));
                    vec![self.report(&error, &hints)]
                }
            };
            return Err(Stopped::Failed(Trouble::new(reports, sources)));
        }
        self.refuse_unknown_options(&recipes)?;
        Ok(recipes)
    }

    /// The plan of a bundle, if policy allows all that it does.
    fn reviewed(bundle: &Bundle, settings: &'a Settings) -> Result<Vec<Evaluated<'a>>, Stopped> {
        let refused = policy::refusals(&bundle.plan, settings.permissions);
        if !refused.is_empty() {
            return Err(Stopped::Failed(Trouble {
                sources: bundle.scripts.clone(),
                ..Trouble::from(refused)
            }));
        }
        Ok(vec![Evaluated {
            settings,
            plan: bundle.plan.clone(),
            sources: bundle.scripts.clone(),
            hints: HintSet::default(),
        }])
    }

    /// Of several recipes, each takes the options that it declares.
    fn refuse_unknown_options(&self, recipes: &[Evaluated<'_>]) -> Result<(), Stopped> {
        let declared = |name: &String| {
            let mut options = recipes.iter().flat_map(|recipe| &recipe.plan.options);
            options.any(|option| option.name == *name)
        };
        let given = recipes.iter().flat_map(|recipe| &recipe.settings.options);
        match given.map(|(name, _)| name).find(|name| !declared(name)) {
            Some(name) => Err(Report::new(
                "script::unknown_option",
                format!("unknown option `{name}`: none of the recipes declares it"),
            )
            .help("`rootwright show RECIPE` lists the options of a recipe")
            .into()),
            None => Ok(()),
        }
    }

    /// Checks the final plans, and finds the keys of their layers.
    fn prepare(&mut self, recipes: &[Evaluated<'_>]) -> Result<Vec<Prepared>, Stopped> {
        let mut trouble = Trouble::new(Vec::new(), SourceMap::default());
        for recipe in recipes {
            let errors = self.check(&recipe.plan, None, &recipe.sources)?;
            // Several recipes have the same host.
            let new = |error: &Report| !trouble.reports.iter().any(|known| error.repeats(known));
            let errors: Vec<Report> = errors.into_iter().filter(new).collect();
            trouble.reports.extend(errors);
        }
        let mut builds = Vec::new();
        if trouble.reports.is_empty() {
            builds.extend(recipes.iter().map(|recipe| self.keys(&recipe.plan)));
        }
        let unreachable = builds.iter().flat_map(|build| self.unreachable(build));
        trouble.reports.extend(unreachable);
        if trouble.reports.is_empty() {
            return Ok(builds);
        }
        for recipe in recipes {
            trouble.sources.extend(recipe.sources.clone());
        }
        Err(Stopped::Failed(trouble))
    }

    fn keys(&self, plan: &Plan) -> Prepared {
        let request = self.request;
        Prepared::new(
            plan.clone(),
            &self.run.store,
            &request.versions,
            &self.archives,
            request.refresh,
        )
    }

    /// An error for each step of an offline build that would download packages.
    fn unreachable(&self, build: &Prepared) -> Vec<Report> {
        match self.request.offline {
            true => preflight::offline(build, &self.run.store),
            false => Vec::new(),
        }
    }

    /// Checks a plan, and a step after it; collects the values of their secrets.
    fn check(
        &mut self,
        plan: &Plan,
        after: Option<&Step>,
        sources: &SourceMap,
    ) -> Result<Vec<Report>, Trouble> {
        let status = preview(plan, &self.run.store, &self.request.versions);
        let mut whole = std::borrow::Cow::Borrowed(plan);
        if let Some(step) = after {
            whole.to_mut().steps.push(step.clone());
        }
        let mut subject = Subject::build(&whole, sources, &status, self.request.offline);
        let programs = (self.request.programs)(&whole).into_iter();
        subject.programs = programs.map(|(name, why)| (name, why.to_owned())).collect();
        let findings = match self.request.install_tools {
            true => {
                let tell = |line: &str| self.events.note(line);
                self.preflight
                    .check_and_install(&subject, &mut self.run, &tell)?
            }
            false => self.preflight.check(&subject, &mut self.run),
        };
        self.tell(&findings, sources);
        Ok(findings.errors)
    }

    fn tell(&self, findings: &Findings, sources: &SourceMap) {
        self.events.warned(&findings.warnings, sources);
        for (what, status) in &findings.checks {
            if let Status::Unknown(why) = status {
                self.events.note(&format!("not checked: {what}: {why}"));
            }
        }
    }

    /// Builds the plan so far, and runs the command in a root whose changes are thrown away.
    fn output(&mut self, request: &CaptureRequest<'_>) -> Result<String, Unanswered> {
        let mut step = Step {
            number: request.plan.steps.len() + 1,
            root: Some(request.root),
            call: "capture".to_owned(),
            label: format!("capture {}", request.run.command.shown()),
            calls: request.calls.to_vec(),
            actions: vec![Op::Run(request.run.clone()).into()],
            ..Step::default()
        };
        step.note_uses();
        let ready = |errors: Vec<Report>| match errors.is_empty() {
            true => Ok(()),
            false => Err(Unanswered::NotReady(errors)),
        };
        let errors = self.check(request.plan, Some(&step), request.sources);
        ready(errors.unwrap_or_else(|trouble| trouble.reports))?;
        let build = self.keys(request.plan);
        ready(self.unreachable(&build))?;
        let output = execute::capture(&build, &step, &request.run, &self.run, self.events)
            .map_err(Unanswered::Failed)?;
        let below = build.stack(request.root, usize::MAX);
        let key = capture::key(request, below.last());
        // A preview that does not know the output is no failure of the build.
        let _ = self.run.store.remember(&key, &output);
        Ok(output)
    }

    fn report(&self, error: &Error, hints: &HintSet) -> Report {
        let mut report = error.report(hints);
        let offline = "the build is `--offline`: without that it can download what is missing";
        report
            .help
            .extend(self.request.offline.then(|| offline.to_owned()));
        report
    }

    /// What a person is told when steps have failed.
    fn failed(&self, failed: Vec<Failed>, recipes: &[Evaluated<'_>]) -> Stopped {
        let interrupted = |failed: &Failed| matches!(failed.error, Error::Interrupted);
        if failed.iter().any(interrupted) {
            return Stopped::Interrupted;
        }
        let mut trouble = Trouble::new(Vec::new(), SourceMap::default());
        for (number, recipe) in recipes.iter().enumerate() {
            // The recipe's own causes come before the stdlib's.
            let mut hints = recipe.hints.clone();
            hints.extend(recipe::known_failures(recipe.settings));
            for failed in failed.iter().filter(|failed| failed.build == number) {
                let mut report = self.report(&failed.error, &hints);
                if let Error::Command { failure, .. } = &failed.error
                    && failure.kept.is_some()
                {
                    report = report.next(self.shell_command(&recipe.plan));
                }
                trouble.reports.push(report);
            }
            trouble.sources.extend(recipe.sources.clone());
        }
        Stopped::Failed(trouble)
    }

    /// The command that opens a shell in the failed layer.
    fn shell_command(&self, plan: &Plan) -> String {
        let mut words = self.request.shell.clone();
        words.push(plan.recipe.path.clone());
        for option in plan.options.iter().filter(|option| option.given) {
            let value = option_text(&option.value);
            words.extend(["-o".to_owned(), format!("{}={value}", option.name)]);
        }
        words.push("--failed".to_owned());
        command::quote_all(&words)
    }
}

impl Capture for Session<'_> {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Report> {
        // A command that cannot run now could not when the script caught the first error.
        let failure = match self.failure.take() {
            Some(failure) => failure,
            None => match self.output(&request) {
                Ok(output) => return Ok(Captured::Built(output)),
                Err(failure) => failure,
            },
        };
        self.failure = Some(failure);
        let report = Report::new("build::capture", "the command of `capture` has no output");
        Err(report.trace(request.calls.to_vec()))
    }
}
