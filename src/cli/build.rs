//! `rootwright build`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use super::printer::Printer;
use super::progress::{LogFormat, Progress};
use super::{Done, Global, boot, list};
use crate::boot::Boots;
use crate::build::cache::preview;
use crate::build::cache::{Archives, Refresh, Versions};
use crate::build::preflight::{Checkup, Depth, State, plain};
use crate::build::{BuildCapture, Failed, Outcome, Prepared, preflight};
use crate::diagnose::Report;
use crate::diagnose::Trouble;
use crate::plan::{Op, Plan, Step};
use crate::preview::StepStatus;
use crate::recipe::stdlib::Stdlib;
use crate::recipe::{self, Evaluation, Settings};
use crate::run::{self, Error, Secrets, namespace};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recipes, by file or name, or folders of them
    #[arg(required = true, value_parser = super::repository::recipe, add = super::completions::recipes())]
    recipes: Vec<PathBuf>,
    /// Set an option of the recipes that have it
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = super::pair, add = super::completions::options())]
    options: Vec<(String, String)>,
    /// Let the recipes themselves, and not only the stdlib, run commands on the host
    #[arg(long)]
    allow_host_run: bool,
    /// The folder that exports go to
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// How many layers are made at a time [default: the number of processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Make layers again whose archives have changed, or those only that are older: 12h, 7d
    #[arg(long, value_name = "AGE", num_args = 0..=1, require_equals = true, default_missing_value = "0s", value_parser = super::age)]
    refresh: Option<Duration>,
    /// Build without any network, from what is in the store
    #[arg(long)]
    offline: bool,
    /// Install host tools that are missing, with the host's package manager
    #[arg(long)]
    install_tools: bool,
    /// Take a secret's value from a file
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = super::pair)]
    secrets: Vec<(String, String)>,
    /// Show everything that commands print
    #[arg(short, long)]
    verbose: bool,
    /// How progress is written
    #[arg(long, value_enum, default_value_t = LogKind::Human)]
    log_format: LogKind,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogKind {
    Human,
    Json,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    if let Some(report) = preflight::privileges() {
        // What is wrong with the recipes is worth knowing at once, too.
        let mut plans = Vec::new();
        for (recipe, options) in recipes(args, global)? {
            let settings = settings(args, global, &recipe, options)?;
            let mut preview = crate::build::PreviewCapture::default();
            let plan = recipe::evaluate(&recipe, &settings, &mut preview)?.plan;
            plans.push((settings, plan));
        }
        return Err(preflight::without_privileges(report, &plans)?);
    }
    match namespace::enter(args.offline).map_err(|error| plain(&error))? {
        namespace::Place::Done(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        namespace::Place::Inside => match make(args, global, printer)? {
            Made::Done(_) => Ok(ExitCode::SUCCESS),
            Made::Not(code) => Ok(code),
        },
    }
}

/// The recipes, each with the options that are for it.
fn recipes(args: &Args, global: &Global) -> Result<Vec<(PathBuf, Options)>, Trouble> {
    let mut recipes = Vec::new();
    for path in &args.recipes {
        match path.is_dir() {
            true => recipes.extend(list::recipes(path)?),
            false => recipes.push(path.clone()),
        }
    }
    if let [recipe] = recipes.as_slice() {
        return Ok(vec![(recipe.clone(), args.options.clone())]);
    }
    // Of several, each takes the options that it declares.
    let mut untaken: Vec<&(String, String)> = args.options.iter().collect();
    let mut chosen = Vec::new();
    for recipe in recipes {
        let settings = settings(args, global, &recipe, Vec::new())?;
        let mut preview = crate::build::PreviewCapture::default();
        let plan = recipe::evaluate(&recipe, &settings, &mut preview)?.plan;
        let declared = |name: &String| plan.options.iter().any(|option| option.name == *name);
        untaken.retain(|(name, _)| !declared(name));
        let options = args.options.iter().filter(|(name, _)| declared(name));
        chosen.push((recipe, options.cloned().collect()));
    }
    match untaken.first() {
        Some((name, _)) => Err(Report::new(
            "script::unknown_option",
            format!("none of the recipes has an option `{name}`"),
        )
        .help("`rootwright show RECIPE` lists what a recipe has")
        .into()),
        None => Ok(chosen),
    }
}

type Options = Vec<(String, String)>;

fn settings(
    args: &Args,
    global: &Global,
    recipe: &Path,
    options: Options,
) -> Result<Settings, Trouble> {
    Ok(Settings {
        options,
        allow_host_run: args.allow_host_run,
        ..global.plain_settings(recipe)?
    })
}

impl Args {
    /// One recipe, as a command that needs it built.
    pub(super) fn of(recipe: &super::RecipeArgs, out: &Path) -> Self {
        Args {
            recipes: vec![recipe.recipe.clone()],
            options: recipe.options.clone(),
            allow_host_run: recipe.allow_host_run,
            out: out.to_owned(),
            jobs: None,
            refresh: None,
            offline: false,
            install_tools: false,
            secrets: Vec::new(),
            verbose: false,
            log_format: LogKind::Human,
        }
    }

    pub(super) fn with_secrets(mut self, secrets: &[(String, String)]) -> Self {
        self.secrets = secrets.to_vec();
        self
    }
}

/// A recipe that was evaluated.
struct Ready {
    settings: Settings,
    evaluation: Evaluation,
}

/// Builds, inside of the namespaces.
pub(super) fn make(args: &Args, global: &Global, printer: &Printer) -> Result<Made, Trouble> {
    let recipes = recipes(args, global)?;
    let Some((first, _)) = recipes.first() else {
        return Err(Report::new("build::no_recipe", "there is no recipe in these folders").into());
    };
    let shared = global.plain_settings(first)?;
    let store =
        Store::open(&global.store(&shared)).map_err(|source| plain(&Error::Store { source }))?;
    let versions = global.versions()?;
    let format = match args.log_format {
        LogKind::Human => LogFormat::Human,
        LogKind::Json => LogFormat::Json,
    };
    let progress = Progress::new(format, args.verbose, recipes.len() > 1);
    let mut run_settings = run::Settings {
        store,
        out: std::path::absolute(&args.out).unwrap_or_else(|_| args.out.clone()),
        secrets: Secrets::default(),
    };
    let mut ready = Vec::new();
    for (recipe, options) in recipes {
        let settings = settings(args, global, &recipe, options)?;
        // `capture` builds while the recipe is evaluated; what is missing is said before
        // that, from a first look at the plan.
        let mut preview = crate::build::PreviewCapture {
            store: Some(run_settings.store.clone()),
            versions: versions.clone(),
        };
        let evaluation = recipe::evaluate(&recipe, &settings, &mut preview)?;
        ready.push((
            recipe,
            Ready {
                settings,
                evaluation,
            },
        ));
    }
    before(args, &ready, &mut run_settings, &versions, printer)?;
    let archives = Archives::default();
    let refresh = match args.refresh.or(shared.project.refresh) {
        Some(age) => Refresh::OlderThan(age),
        None => Refresh::Never,
    };
    for (recipe, ready) in &mut ready {
        let mut assumptions = ready.evaluation.plan.assumptions.iter();
        if assumptions.any(|assumption| assumption.what.starts_with("output of ")) {
            let mut capture = BuildCapture {
                settings: &run_settings,
                events: &progress,
                versions: &versions,
                archives: &archives,
                refresh,
            };
            ready.evaluation = recipe::evaluate(recipe, &ready.settings, &mut capture)?;
        }
    }
    let prepared: Vec<Prepared> = ready
        .iter()
        .map(|(_, ready)| {
            let plan = ready.evaluation.plan.clone();
            Prepared::new(plan, &run_settings.store, &versions, &archives, refresh)
        })
        .collect();
    if args.offline {
        reachable(&prepared, &ready, &run_settings.store)?;
    }
    let jobs = args.jobs.unwrap_or_else(processors);
    let stdlib = Stdlib::new(global.stdlib.clone());
    let text = |name: &str| stdlib.text(name).unwrap_or_default();
    let boots = Boots {
        machines: text(boot::MACHINES),
        check: text(boot::CHECK),
        start: text(boot::START),
        hints: &|| recipe::known_failures(&shared),
    };
    match crate::build::execute(&prepared, &run_settings, jobs, &boots, &progress) {
        Ok(outcome) => {
            progress.done(&outcome);
            Ok(Made::Done(outcome))
        }
        Err(failed) => {
            progress.clear();
            failure(args, global, failed, ready, printer).map(Made::Not)
        }
    }
}

/// How a build went.
pub(super) enum Made {
    Done(Outcome),
    /// It was interrupted: the status to exit with.
    Not(ExitCode),
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What a person is told when builds have failed.
fn failure(
    args: &Args,
    global: &Global,
    failed: Vec<Failed>,
    ready: Vec<(PathBuf, Ready)>,
    printer: &Printer,
) -> Done {
    if failed
        .iter()
        .any(|failed| matches!(failed.error, Error::Interrupted))
    {
        printer.say(
            "interrupted: what ran is stopped, nothing is left mounted, finished layers are kept",
        );
        return Ok(ExitCode::from(130));
    }
    let mut trouble = Trouble {
        reports: Vec::new(),
        sources: crate::diagnose::SourceMap::default(),
        code: 1,
    };
    for (number, (_, ready)) in ready.into_iter().enumerate() {
        // The recipe's own causes come before the stdlib's.
        let mut hints = ready.evaluation.hints;
        hints.extend(recipe::known_failures(&ready.settings));
        for failed in failed.iter().filter(|failed| failed.build == number) {
            let mut report = failed.error.report(&hints);
            if args.offline {
                report = report.help("the build ran without a network: without `--offline` it may download what is missing");
            }
            if let Error::Command { failure, .. } = &failed.error
                && failure.kept.is_some()
            {
                report = report.next(shell_command(&ready.evaluation.plan, args, global));
            }
            trouble.reports.push(report);
        }
        trouble.sources.extend(ready.evaluation.sources);
    }
    Err(trouble)
}

/// The command that opens a shell in the failed layer.
fn shell_command(plan: &Plan, args: &Args, global: &Global) -> String {
    let mut words = vec!["rootwright".to_owned(), "shell".to_owned()];
    for (name, folder) in [("--store", &global.store), ("--stdlib", &global.stdlib)] {
        if let Some(folder) = folder {
            words.extend([name.to_owned(), folder.display().to_string()]);
        }
    }
    // Without it the recipe would be refused before its root is looked for.
    if args.allow_host_run {
        words.push("--allow-host-run".to_owned());
    }
    words.push(plan.recipe.path.clone());
    for option in plan.options.iter().filter(|option| option.given) {
        let value = option.value.as_str().map(str::to_owned);
        let value = value.unwrap_or_else(|| option.value.to_string());
        words.push("-o".to_owned());
        words.push(format!("{}={value}", option.name));
    }
    words.push("--failed".to_owned());
    crate::plan::command::quote_all(&words)
}

/// Without a network, a bootstrap that has to run finds no archive: said before the
/// first step.
fn reachable(
    builds: &[Prepared],
    ready: &[(PathBuf, Ready)],
    store: &Store,
) -> Result<(), Trouble> {
    let mut reports = Vec::new();
    for build in builds {
        for (layer, key) in build.layers.iter().zip(&build.keys) {
            if store.has(&key.key) {
                continue;
            }
            for step in build.steps(layer) {
                let on_host = step
                    .actions
                    .iter()
                    .any(|action| matches!(action.op, Op::HostRun(_)));
                let archives = step.archives.iter();
                let mut far = archives
                    .filter_map(|index| build.plan.archives.get(*index))
                    .filter(|archive| !archive.url.starts_with("file:"));
                if let Some(archive) = far.next().filter(|_| on_host) {
                    reports.push(
                        Report::new(
                            "build::offline",
                            format!(
                                "step {} has to run, and `{}` is out of reach",
                                step.number, archive.url
                            ),
                        )
                        .cause("its layer is not in the store, and the build is `--offline`")
                        .help("build once without `--offline`; or give a mirror whose address begins with `file:`")
                        .trace(step.calls.clone()),
                    );
                }
            }
        }
    }
    if reports.is_empty() {
        return Ok(());
    }
    let mut sources = crate::diagnose::SourceMap::default();
    for (_, ready) in ready {
        sources.extend(ready.evaluation.sources.clone());
    }
    Err(Trouble {
        reports,
        sources,
        code: 1,
    })
}

/// Everything that can be known before the first step, at once.
fn before(
    args: &Args,
    ready: &[(PathBuf, Ready)],
    run_settings: &mut run::Settings,
    versions: &Versions,
    printer: &Printer,
) -> Result<(), Trouble> {
    let mut trouble = Trouble {
        reports: Vec::new(),
        sources: crate::diagnose::SourceMap::default(),
        code: 1,
    };
    for (_, ready) in ready {
        let tools = preflight::host_tools(&ready.settings)?;
        let plan = &ready.evaluation.plan;
        if args.install_tools {
            let missing = preflight::missing(plan, &tools);
            let packages = missing.into_iter().filter_map(|m| m.package).collect();
            preflight::install(&packages, &tools, &|line| printer.say(line))?;
        }
        let status = preview(plan, &run_settings.store, versions);
        let runs = |step: &Step| {
            let status = status.get(&step.number);
            matches!(status, Some(StepStatus::Runs(_) | StepStatus::Follows(_)))
        };
        let depth = Depth {
            secrets: preflight::secret_files(&args.secrets),
            archives: !args.offline
                && plan
                    .steps
                    .iter()
                    .any(|step| !step.archives.is_empty() && runs(step)),
            runs: plan
                .steps
                .iter()
                .filter(|step| runs(step))
                .map(|step| step.number)
                .collect(),
            patience: preflight::IN_A_BUILD,
        };
        let sources = &ready.evaluation.sources;
        let (checkup, secrets) = Checkup::of(plan, &tools, run_settings, &depth, sources);
        printer.reports(&checkup.warnings, sources);
        run_settings.secrets.extend(secrets);
        for report in checkup.reports {
            // Several recipes have the same host.
            if !trouble.reports.iter().any(|known: &Report| {
                known.message == report.message
                    && known.cause == report.cause
                    && known.trace == report.trace
            }) {
                trouble.reports.push(report);
            }
        }
        for (what, state) in checkup.lines {
            if let State::Unknown(why) = state {
                printer.say(&format!("not checked: {what}: {why}"));
            }
        }
        trouble.sources.extend(ready.evaluation.sources.clone());
    }
    match trouble.reports.is_empty() {
        true => Ok(()),
        false => Err(trouble),
    }
}
