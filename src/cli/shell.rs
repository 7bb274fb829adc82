//! `rootwright shell`

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::printer::Printer;
use super::{Done, Global, RecipeArgs, namespaces, preview};
use crate::diagnose::{Report, Trouble};
use crate::run::changed_files::{Change, ChangeKind, hunks};
use crate::run::shell::{BuiltRoot, NotBuilt, Point, shell};
use crate::run::{self, Secrets};

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
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = super::secret_file)]
    secrets: Vec<(String, PathBuf)>,
    /// A command to run instead of a shell
    #[arg(last = true)]
    command: Vec<String>,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    namespaces(false, global, printer)?;
    let previewed = global.preview(&args.recipe.recipe, &args.recipe.chosen)?;
    let plan = &previewed.evaluation.plan;
    let fail = |error: NotBuilt| {
        let (code, message) = ("shell::place", error.to_string());
        Trouble::from(match error {
            NotBuilt::Missing(_) => preview::not_built(code, message, &plan.recipe.path),
            NotBuilt::NoStep(_) => Report::new(code, message)
                .help(format!("the recipe has {} steps", plan.steps.len())),
            _ => Report::new(code, message),
        })
    };
    let last = previewed.last_build();
    let (store, built) = last.ok_or_else(|| fail(NotBuilt::Missing(1)))?;
    let point = match (args.step, args.before, args.failed) {
        (Some(step), _, _) => Point::After(step),
        (_, Some(step), _) => Point::Before(step),
        (_, _, true) => Point::Failed,
        _ => Point::End(preview::root(plan, args.root.as_deref())?),
    };
    let root = BuiltRoot::find(&built, point, store).map_err(fail)?;
    let mut secrets = Secrets::default();
    // A step that needs a secret without a value fails; the others do not need it.
    let _ = secrets.collect(&built.plan, &args.secrets);
    let settings = run::Settings {
        store: store.clone(),
        out: PathBuf::new(),
        secrets,
        files: run::Files::default(),
    };
    let (command, keep) = (&args.command, args.keep);
    let (status, changes) = shell(&built.plan, &root, command, keep, &settings, &|_| {})?;
    if args.keep {
        printer.out(&written(&changes));
    }
    Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}

/// Files added, changed and removed; of small texts, the lines.
fn written(changes: &[Change]) -> String {
    let mut out = String::new();
    for change in changes {
        let mark = match change.kind {
            ChangeKind::Added => '+',
            ChangeKind::Changed => '~',
            ChangeKind::Removed => '-',
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
