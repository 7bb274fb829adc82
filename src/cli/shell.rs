//! `rootwright shell`

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::printer::Printer;
use super::{Done, Global, RecipeArgs};
use crate::build::preflight;
use crate::diagnose::Trouble;
use crate::diagnose::{HintSet, Report};
use crate::plan::Plan;
use crate::recipe;
use crate::run::changed_files::{Change, Kind, hunks};
use crate::run::shell::{NoPlace, Point, place, shell};
use crate::run::{self, Secrets, namespace};
use crate::store::Built;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// After this step [default: after the last one]
    #[arg(long, value_name = "N", group = "point")]
    step: Option<usize>,
    /// Before this step
    #[arg(long, value_name = "N", group = "point")]
    before: Option<usize>,
    /// In what the step left that failed
    #[arg(long, group = "point")]
    failed: bool,
    /// The root, where a recipe makes several
    #[arg(long, value_name = "NAME", group = "point")]
    root: Option<String>,
    /// Print what was changed, to be written into the recipe
    #[arg(long)]
    keep: bool,
    /// Take a secret's value from a file
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = super::pair)]
    secrets: Vec<(String, String)>,
    /// A command to run instead of a shell
    #[arg(last = true)]
    command: Vec<String>,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    if let Some(report) = preflight::privileges() {
        return Err(report.into());
    }
    let plain = |error: &run::Error| Trouble::from(error.report(&HintSet::default()));
    match namespace::enter(false).map_err(|error| plain(&error))? {
        namespace::Place::Done(code) => return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        namespace::Place::Inside => {}
    }
    let settings = global.settings(&args.recipe)?;
    let store = Store::open(&global.store(&settings))
        .map_err(|source| plain(&run::Error::Store { source }))?;
    let mut preview = crate::build::PreviewCapture {
        store: Some(store.clone()),
        versions: global.versions()?,
    };
    let evaluation = recipe::evaluate(&args.recipe.recipe, &settings, &mut preview)?;
    let plan = &evaluation.plan;
    let fail = |error: &NoPlace, plan: &Plan| {
        let build = format!("rootwright build {}", plan.recipe.path);
        let report = Report::new("shell::place", error.to_string());
        Trouble::from(match error {
            NoPlace::NotBuilt(_) => report
                .cause("the recipe was not built as it is now, or its layers were removed")
                .next(build),
            NoPlace::NoStep(_) => report.help(format!("the recipe has {} steps", plan.steps.len())),
            _ => report,
        })
    };
    let built = last(&store, plan).ok_or_else(|| fail(&NoPlace::NotBuilt(1), plan))?;
    let point = match (args.step, args.before, args.failed) {
        (Some(step), _, _) => Point::After(step),
        (_, Some(step), _) => Point::Before(step),
        (_, _, true) => Point::Failed,
        _ => Point::End(root(plan, args.root.as_deref())?),
    };
    let files: Vec<(String, PathBuf)> = args
        .secrets
        .iter()
        .map(|(name, file)| (name.clone(), file.into()))
        .collect();
    // A secret is asked for when a step needs it.
    let secrets = Secrets::for_plans(&[plan], &files).unwrap_or_default();
    let run_settings = run::Settings {
        store,
        out: PathBuf::new(),
        secrets,
    };
    let place = place(&built, point, &run_settings).map_err(|error| fail(&error, plan))?;
    let done = shell(
        &built.plan,
        &place,
        &args.command,
        args.keep,
        &run_settings,
        &|_| {},
    );
    let (status, changes) = done.map_err(|error| plain(&error))?;
    if args.keep {
        printer.out(&written(&changes));
    }
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}

/// The last build of this recipe with these options.
pub(super) fn last(store: &Store, plan: &Plan) -> Option<Built> {
    let mut builds = store.recorded(&plan.recipe.path).into_iter();
    let values = |plan: &Plan| -> Vec<(String, serde_json::Value)> {
        let options = plan.options.iter();
        options
            .map(|option| (option.name.clone(), option.value.clone()))
            .collect()
    };
    builds.find(|built| values(&built.plan) == values(plan))
}

pub(super) fn root(plan: &Plan, name: Option<&str>) -> Result<usize, Trouble> {
    let names: Vec<&str> = plan.roots.iter().map(|root| root.name.as_str()).collect();
    let found = match name {
        Some(name) => plan.roots.iter().find(|root| root.name == name),
        None => plan.roots.last(),
    };
    found.map(|root| root.id).ok_or_else(|| {
        let message = format!("the recipe makes no root `{}`", name.unwrap_or_default());
        let report = Report::new("shell::root", message);
        report
            .help(format!("its roots are {}", names.join(", ")))
            .into()
    })
}

/// Files added, changed and removed; of small texts, the lines.
fn written(changes: &[Change]) -> String {
    let mut out = String::new();
    for change in changes {
        let mark = match change.kind {
            Kind::Added => '+',
            Kind::Changed => '~',
            Kind::Removed => '-',
        };
        let slash = if change.is_dir { "/" } else { "" };
        let note = match change.note.is_empty() {
            true => String::new(),
            false => format!("  ({})", change.note),
        };
        let _ = writeln!(out, "{mark} /{}{slash}{note}", change.path.display());
        if let Some((old, new)) = &change.texts {
            for line in hunks(old, new) {
                let _ = writeln!(out, "    {line}");
            }
        }
    }
    if changes.is_empty() {
        out.push_str("nothing was changed\n");
    }
    out
}
