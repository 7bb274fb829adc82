//! `rootwright plan`

use std::process::ExitCode;

use clap::ValueEnum;

use super::printer::Printer;
use super::{Done, Global, RecipeArgs};
use crate::plan::render;
use crate::run::PreviewCapture;
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
    Sh,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let settings = global.settings(&args.recipe)?;
    let mut capture = PreviewCapture {
        store: Store::existing(&global.store(&settings)),
    };
    let evaluation = script::evaluate(&args.recipe.recipe, &settings, &mut capture)?;
    printer.out(&match args.format {
        Format::Text => render::text(&evaluation.plan),
        Format::Json => render::json(&evaluation.plan),
        Format::Sh => render::sh(&evaluation.plan),
    });
    Ok(ExitCode::SUCCESS)
}
