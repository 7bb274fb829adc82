//! `rootwright doctor`

use std::path::PathBuf;
use std::process::ExitCode;

use super::printer::Printer;
use super::{Done, ErrorFormat, Global, RecipeArgs, namespaces};
use crate::build::preflight::{self, Findings, Preflight, Status, Subject};
use crate::build::preview_until_capture;
use crate::diagnose::Trouble;
use crate::recipe::stdlib::Stdlib;
use crate::run::{self, Secrets};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The folder that exports would go to
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Take a secret's value from a file
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = super::secret_file)]
    secrets: Vec<(String, PathBuf)>,
    /// Do the cures that are safe: install host tools and keyrings that are missing
    #[arg(long)]
    fix: bool,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let recipe = &args.recipe;
    preflight::privileges_for(|| {
        let settings = global.settings(&recipe.recipe, &recipe.chosen)?;
        Ok(vec![(recipe.recipe.clone(), settings)])
    })?;
    namespaces(false, global, printer)?;
    let settings = global.settings(&recipe.recipe, &recipe.chosen)?;
    let store = Store::open(&global.store(&settings.project)).map_err(run::Error::from)?;
    let versions = global.versions()?;
    let known = preview_until_capture(&recipe.recipe, &settings, Some(store.clone()), &versions)?;
    let mut run_settings = run::Settings {
        store,
        out: std::path::absolute(&args.out).unwrap_or_else(|_| args.out.clone()),
        secrets: Secrets::default(),
        files: run::Files::default(),
    };
    let stdlib = Stdlib::new(settings.stdlib.clone());
    let mut preflight = Preflight::new(&stdlib, &args.secrets, preflight::DOCTOR_TIMEOUT)?;
    let subject = Subject::everything(&known.plan, &known.sources);
    let tell = |line: &str| printer.say(line);
    let mut findings = match args.fix {
        true => preflight.check_and_install(&subject, &mut run_settings, &tell)?,
        false => preflight.check(&subject, &mut run_settings),
    };
    if let Some(call) = known.ends_at.as_deref().and_then(<[_]>::first) {
        let what = format!("the steps after `capture` at {}", call.span);
        findings.unknown(what, "its output is known only after a build");
    }
    let json = matches!(global.error_format, ErrorFormat::Json);
    printer.out(&listed(&findings, json));
    printer.reports(&findings.warnings, &known.sources);
    if findings.errors.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Trouble::new(findings.errors, known.sources))
}

fn listed(findings: &Findings, json: bool) -> String {
    let mut out = String::new();
    for (what, status) in &findings.checks {
        let (word, why) = match status {
            Status::Ok => ("ok", ""),
            Status::Failed => ("wrong", ""),
            Status::Unknown(why) => ("unknown", why.as_str()),
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
