//! `rootwright plan`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::printer::Printer;
use super::{Done, Global, RecipeArgs};
use crate::build::{bundle, cache};
use crate::diagnose::{Report, Trouble};
use crate::preview;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// How the plan is written: for people, as data, or as a script to run by hand
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write to a file instead of the terminal; a bundle needs one
    #[arg(long, value_name = "FILE", required_if_eq("format", "bundle"))]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
    /// A bash script that makes the same root without rootwright
    Sh,
    /// A picture, for Graphviz
    Graph,
    /// The plan with every file that it reads, for `rootwright apply`
    Bundle,
    /// The JSON schema of `json`
    Schema,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let previewed = global.preview(&args.recipe.recipe, &args.recipe.chosen)?;
    let plan = &previewed.evaluation.plan;
    let text = match args.format {
        Format::Text => {
            let mut options = printer.text_options();
            options.permissions.allow_host_run = args.recipe.chosen.allow_host_run;
            if let Some(store) = &previewed.store {
                options.status = cache::preview(plan, store, &previewed.versions);
            }
            preview::text(plan, &options)
        }
        Format::Json => preview::json(plan),
        Format::Sh => preview::sh(plan).map_err(|reports| Trouble {
            sources: previewed.evaluation.sources.clone(),
            ..Trouble::from(reports)
        })?,
        Format::Graph => preview::graph(plan),
        Format::Schema => preview::schema(),
        Format::Bundle => {
            let path = args.output.as_deref().unwrap_or(Path::new("plan.bundle"));
            bundle::write(plan, &previewed.evaluation.sources, path).map_err(Report::from)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    match &args.output {
        None => printer.drawn(&text),
        Some(path) => std::fs::write(path, text).map_err(|error| {
            let message = format!("cannot write `{}`: {error}", path.display());
            Report::new("plan::output", message)
        })?,
    }
    Ok(ExitCode::SUCCESS)
}
