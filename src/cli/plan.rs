//! `rootwright plan`

use std::process::ExitCode;

use clap::ValueEnum;

use super::printer::Printer;
use super::{Done, Global, RecipeArgs};
use crate::build::PreviewCapture;
use crate::build::cache::preview;
use crate::diagnose::Trouble;
use crate::preview;
use crate::recipe;
use crate::store::Store;

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
    let settings = global.settings(&args.recipe)?;
    let store = Store::existing(&global.store(&settings));
    let versions = global.versions()?;
    let mut capture = PreviewCapture {
        store: store.clone(),
        versions: versions.clone(),
    };
    let evaluation = recipe::evaluate(&args.recipe.recipe, &settings, &mut capture)?;
    printer.out(&match args.format {
        Format::Text => {
            let mut options = printer.text_options();
            options.permissions = settings.permissions;
            if let Some(store) = &store {
                options.status = preview(&evaluation.plan, store, &versions);
            }
            preview::text(&evaluation.plan, &options)
        }
        Format::Json => preview::json(&evaluation.plan),
        Format::Sh => preview::sh(&evaluation.plan).map_err(|reports| Trouble {
            reports,
            sources: evaluation.sources.clone(),
            code: 1,
        })?,
        Format::Graph => preview::graph(&evaluation.plan),
        Format::Schema => preview::schema(),
    });
    Ok(ExitCode::SUCCESS)
}
