//! `rootwright plan`

use std::process::ExitCode;

use clap::ValueEnum;

use super::printer::Printer;
use super::{Done, Global, RecipeArgs};
use crate::build::cache;
use crate::diagnose::Trouble;
use crate::preview;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// How the plan is written: for people, as data, or as a script to run by hand
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
    /// A bash script that makes the same root without rootwright
    Sh,
    /// A picture, for Graphviz
    Graph,
    /// The JSON schema of `json`
    Schema,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let previewed = global.preview(&args.recipe)?;
    let plan = &previewed.evaluation.plan;
    printer.out(&match args.format {
        Format::Text => {
            let mut options = printer.text_options();
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
    });
    Ok(ExitCode::SUCCESS)
}
