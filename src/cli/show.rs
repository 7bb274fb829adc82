//! `rootwright show`

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::printer::Printer;
use super::{Done, Global};
use crate::build::PreviewCapture;
use crate::recipe;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recipe: a file, or the name of one of the repository
    #[arg(value_parser = super::repository::recipe, add = super::completions::recipes())]
    recipe: PathBuf,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    // Nothing of it runs.
    let settings = global.permissive_settings(&args.recipe)?;
    let plan = recipe::evaluate(&args.recipe, &settings, &mut PreviewCapture::default())?.plan;
    let mut out = String::new();
    let _ = match plan.recipe.title.is_empty() {
        true => writeln!(out, "{}", plan.recipe.path),
        false => writeln!(out, "{}: {}", plan.recipe.path, plan.recipe.title),
    };
    if !plan.recipe.description.is_empty() {
        let _ = writeln!(out, "\n{}", plan.recipe.description);
    }
    if !plan.options.is_empty() {
        let _ = writeln!(out, "\noptions:");
    }
    for option in &plan.options {
        let mut words = vec![format!("default {}", option.value)];
        if !option.choices.is_empty() {
            let choices: Vec<String> = option.choices.iter().map(ToString::to_string).collect();
            words.push(format!("one of {}", choices.join(", ")));
        }
        let (name, help, words) = (&option.name, &option.help, words.join("; "));
        let _ = writeln!(out, "  -o {name}=…  {help} ({words})");
    }
    printer.out(&out);
    Ok(ExitCode::SUCCESS)
}
