//! `rootwright check`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::printer::Printer;
use super::{Done, Global, Trouble, list};
use crate::run::PreviewCapture;
use crate::script::{self, Settings};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recipes, or folders of them
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let mut recipes = Vec::new();
    for path in &args.paths {
        if path.is_dir() {
            recipes.extend(list::recipes(path)?);
        } else {
            recipes.push(path.clone());
        }
    }
    let mut findings = 0;
    for recipe in &recipes {
        for trouble in check(recipe, global) {
            findings += trouble.reports.len();
            printer.reports(&trouble.reports, &trouble.sources);
        }
    }
    let recipes = match recipes.len() {
        1 => "1 recipe".to_owned(),
        count => format!("{count} recipes"),
    };
    printer.say(&match findings {
        0 => format!("{recipes} checked, nothing wrong"),
        1 => format!("{recipes} checked, 1 finding"),
        count => format!("{recipes} checked, {count} findings"),
    });
    Ok(ExitCode::from(u8::from(findings > 0)))
}

/// Evaluates a recipe with its defaults, then with every other choice of each option.
fn check(recipe: &Path, global: &Global) -> Vec<Trouble> {
    let settings = match global.plain_settings(recipe) {
        Ok(settings) => Settings {
            allow_host_run: true,
            ..settings
        },
        Err(trouble) => return vec![trouble],
    };
    let evaluate = |options: Vec<(String, String)>| {
        let settings = Settings {
            options,
            ..settings.clone()
        };
        script::evaluate(recipe, &settings, &mut PreviewCapture::default())
    };
    let first = match evaluate(Vec::new()) {
        Ok(evaluation) => evaluation,
        Err(failure) => return vec![failure.into()],
    };
    let mut found: Vec<Trouble> = Vec::new();
    for option in &first.plan.options {
        for choice in option
            .choices
            .iter()
            .filter(|choice| **choice != option.value)
        {
            let value = choice
                .as_str()
                .map_or_else(|| choice.to_string(), str::to_owned);
            let Err(mut failure) = evaluate(vec![(option.name.clone(), value.clone())]) else {
                continue;
            };
            // The same mistake shows under every choice: once is enough.
            let known = |message: &str| {
                found
                    .iter()
                    .flat_map(|t: &Trouble| &t.reports)
                    .any(|r| r.message == message)
            };
            failure.reports.retain(|report| !known(&report.message));
            for report in &mut failure.reports {
                report
                    .help
                    .push(format!("with `-o {}={value}`", option.name));
            }
            found.push(failure.into());
        }
    }
    found
}
