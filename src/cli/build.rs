//! `rootwright build`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use super::printer::Printer;
use super::progress::{LogFormat, Progress};
use super::{Done, Global, RecipeArgs, Trouble};
use crate::diagnose::Report;
use crate::export::{self, Exports};
use crate::plan::Plan;
use crate::run::preflight::{self, HostTools};
use crate::run::{self, BuildCapture, Error, Secrets, sandbox};
use crate::script::{self, Evaluation, Settings, stdlib::Stdlib};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The folder that exports go to
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
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
        // What is wrong with the recipe is worth knowing at once, too.
        let settings = global.settings(&args.recipe)?;
        let mut capture = run::PreviewCapture { store: None };
        script::evaluate(&args.recipe.recipe, &settings, &mut capture)?;
        return Err(report.into());
    }
    match sandbox::enter().map_err(|error| plain(&error))? {
        sandbox::Place::Done(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        sandbox::Place::Inside => inside(args, global, printer),
    }
}

fn inside(args: &Args, global: &Global, printer: &Printer) -> Done {
    let settings = global.settings(&args.recipe)?;
    let store =
        Store::open(&global.store(&settings)).map_err(|source| plain(&Error::Store { source }))?;
    let format = match args.log_format {
        LogKind::Human => LogFormat::Human,
        LogKind::Json => LogFormat::Json,
    };
    let progress = Progress::new(format, args.verbose);
    let files: Vec<(String, PathBuf)> = args
        .secrets
        .iter()
        .map(|(name, file)| (name.clone(), file.into()))
        .collect();
    let mut run_settings = run::Settings {
        store,
        out: std::path::absolute(&args.out).unwrap_or_else(|_| args.out.clone()),
        secrets: Secrets::default(),
    };
    // `capture` builds while the recipe is evaluated; what is missing is said before that,
    // from a first look at the plan.
    let mut preview = run::PreviewCapture {
        store: Some(run_settings.store.clone()),
    };
    let first = script::evaluate(&args.recipe.recipe, &settings, &mut preview)?;
    before(args, &settings, &first, &mut run_settings, &files, printer)?;
    let captures = first
        .plan
        .assumptions
        .iter()
        .any(|assumption| assumption.what.starts_with("output of "));
    let evaluation = if captures {
        let mut capture = BuildCapture {
            settings: &run_settings,
            events: &progress,
        };
        script::evaluate(&args.recipe.recipe, &settings, &mut capture)?
    } else {
        first
    };
    match run::execute(&evaluation.plan, &run_settings, &Exports, &progress) {
        Ok(outcome) => {
            progress.done(&outcome);
            Ok(ExitCode::SUCCESS)
        }
        Err(Error::Interrupted) => {
            progress.clear();
            printer.say("interrupted: what ran is stopped, nothing is left mounted, finished layers are kept");
            Ok(ExitCode::from(130))
        }
        Err(error) => {
            progress.clear();
            // The recipe's own causes come before the stdlib's.
            let mut hints = evaluation.hints;
            hints.extend(script::known_failures(&settings));
            Err(Trouble {
                reports: vec![error.report(&hints)],
                sources: evaluation.sources,
                code: 1,
            })
        }
    }
}

/// Everything that can be known before the first step, at once.
fn before(
    args: &Args,
    settings: &Settings,
    evaluation: &Evaluation,
    run_settings: &mut run::Settings,
    files: &[(String, PathBuf)],
    printer: &Printer,
) -> Result<(), Trouble> {
    let tools = host_tools(settings)?;
    let mut reports = Vec::new();
    let mut missing = preflight::missing(&evaluation.plan, &tools);
    if args.install_tools && !missing.is_empty() {
        missing = install(&evaluation.plan, &tools, &missing, printer)?;
    }
    if !missing.is_empty() {
        reports.push(preflight::report(&missing, &tools));
    }
    match Secrets::for_plan(&evaluation.plan, files) {
        Ok(secrets) => run_settings.secrets = secrets,
        Err(missing) => reports.extend(preflight::secrets(&missing)),
    }
    reports.extend(preflight::space(run_settings));
    reports.extend(export::check(&evaluation.plan, &run_settings.out));
    if reports.is_empty() {
        return Ok(());
    }
    Err(Trouble {
        reports,
        sources: evaluation.sources.clone(),
        code: 1,
    })
}

fn host_tools(settings: &Settings) -> Result<HostTools, Trouble> {
    let table = Stdlib::new(settings.stdlib.clone())
        .text("host/tools.toml")
        .unwrap_or_default();
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    HostTools::new(&table, &os_release).map_err(|error| {
        Report::new(
            "host::tools",
            format!("the stdlib's table of host tools cannot be read: {error}"),
        )
        .into()
    })
}

/// Installs what the table knows, and looks again.
fn install(
    plan: &Plan,
    tools: &HostTools,
    missing: &[preflight::Missing],
    printer: &Printer,
) -> Result<Vec<preflight::Missing>, Trouble> {
    let Some(install) = tools.install_command(missing) else {
        return Ok(preflight::missing(plan, tools));
    };
    for command in tools
        .refresh_command()
        .into_iter()
        .chain([install.as_slice()])
    {
        let shown = crate::plan::command::quote_all(command);
        printer.say(&format!("installing host tools: {shown}"));
        let done = duct::cmd(&command[0], &command[1..])
            .stdin_null()
            .stdout_to_stderr()
            .run();
        if let Err(error) = done {
            return Err(Report::new(
                "host::install",
                format!("installing the host tools failed: {error}"),
            )
            .help("run the command by hand, and see what it says")
            .next(shown)
            .into());
        }
    }
    Ok(preflight::missing(plan, tools))
}

fn plain(error: &Error) -> Trouble {
    error.report(&crate::diagnose::HintSet::default()).into()
}
