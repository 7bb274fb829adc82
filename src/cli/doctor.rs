//! `rootwright doctor`

use std::path::PathBuf;
use std::process::ExitCode;

use super::printer::Printer;
use super::{Done, ErrorFormat, Global, RecipeArgs};
use crate::build::preflight;
use crate::build::preflight::{Checkup, Depth, State, plain};
use crate::diagnose::Trouble;
use crate::recipe;
use crate::run::{self, Secrets, namespace};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The folder that exports would go to
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Take a secret's value from a file
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = super::pair)]
    secrets: Vec<(String, String)>,
    /// Do the cures that are safe: install host tools and keyrings that are missing
    #[arg(long)]
    fix: bool,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    if let Some(report) = preflight::privileges() {
        // What is wrong with the recipe is worth knowing at once, too.
        let settings = global.settings(&args.recipe)?;
        let mut preview = crate::build::PreviewCapture::default();
        let plan = recipe::evaluate(&args.recipe.recipe, &settings, &mut preview)?.plan;
        return Err(preflight::without_privileges(report, &[(settings, plan)])?);
    }
    match namespace::enter(false).map_err(|error| plain(&error))? {
        namespace::Place::Done(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        namespace::Place::Inside => inside(args, global, printer),
    }
}

fn inside(args: &Args, global: &Global, printer: &Printer) -> Done {
    let settings = global.settings(&args.recipe)?;
    let store = Store::open(&global.store(&settings))
        .map_err(|source| plain(&run::Error::Store { source }))?;
    let mut preview = crate::build::PreviewCapture {
        store: Some(store.clone()),
        versions: global.versions()?,
    };
    let evaluation = recipe::evaluate(&args.recipe.recipe, &settings, &mut preview)?;
    let tools = preflight::host_tools(&settings)?;
    let run_settings = run::Settings {
        store,
        out: std::path::absolute(&args.out).unwrap_or_else(|_| args.out.clone()),
        secrets: Secrets::default(),
    };
    let depth = Depth {
        secrets: preflight::secret_files(&args.secrets),
        archives: true,
        runs: evaluation
            .plan
            .steps
            .iter()
            .map(|step| step.number)
            .collect(),
        patience: preflight::IN_A_DOCTOR,
    };
    let look = || {
        let sources = &evaluation.sources;
        Checkup::of(&evaluation.plan, &tools, &run_settings, &depth, sources).0
    };
    let mut checkup = look();
    if args.fix && !checkup.packages.is_empty() {
        preflight::install(&checkup.packages, &tools, &|line| printer.say(line))?;
        checkup = look();
    }
    printer.out(&listed(
        &checkup,
        matches!(global.error_format, ErrorFormat::Json),
    ));
    printer.reports(&checkup.warnings, &evaluation.sources);
    if checkup.reports.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Trouble {
        reports: checkup.reports,
        sources: evaluation.sources,
        code: 1,
    })
}

fn listed(checkup: &Checkup, json: bool) -> String {
    let mut out = String::new();
    for (what, state) in &checkup.lines {
        let (word, why) = match state {
            State::Ok => ("ok", ""),
            State::Wrong => ("wrong", ""),
            State::Unknown(why) => ("unknown", why.as_str()),
        };
        if json {
            let line = serde_json::json!({ "what": what, "state": word, "why": why });
            out.push_str(&format!("{line}\n"));
        } else if why.is_empty() {
            out.push_str(&format!("{word:<8} {what}\n"));
        } else {
            out.push_str(&format!("{word:<8} {what}: {why}\n"));
        }
    }
    out
}
