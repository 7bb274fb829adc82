//! `rootwright plan`

use std::process::ExitCode;

use clap::ValueEnum;

use super::printer::Printer;
use super::{Done, Global, RecipeArgs};
use crate::plan::render;
use crate::run::PreviewCapture;
use crate::run::prepared::preview;
use crate::script;
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
    let evaluation = script::evaluate(&args.recipe.recipe, &settings, &mut capture)?;
    printer.out(&match args.format {
        Format::Text => {
            let mut options = printer.text_options();
            if let Some(store) = &store {
                options.status = preview(&evaluation.plan, store, &versions);
            }
            render::text(&evaluation.plan, &options)
        }
        Format::Json => render::json(&evaluation.plan),
        Format::Sh => render::sh(&evaluation.plan),
        Format::Graph => render::graph(&evaluation.plan),
        Format::Schema => render::schema(),
    });
    Ok(ExitCode::SUCCESS)
}
