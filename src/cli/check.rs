//! `rootwright check`

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use super::printer::Printer;
use super::{Done, Global, list, repository, unused_settings};
use crate::build::PreviewCapture;
use crate::diagnose::Trouble;
use crate::diagnose::{Report, Span};
use crate::plan::Capture;
use crate::project;
use crate::recipe::stdlib::Stdlib;
use crate::recipe::{self, Settings, parallel};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recipes, or folders of them; in a folder, the modules of `lib/` and `distro/` too
    /// [default: the repository, else this folder]
    #[arg(value_parser = super::repository::recipe, add = super::completions::recipes())]
    paths: Vec<PathBuf>,
}

/// What is checked.
enum Subject {
    Recipe(PathBuf),
    Module(PathBuf),
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let (mut recipes, mut modules) = (Vec::new(), Vec::new());
    let all = match args.paths.is_empty() {
        true => vec![repository::here()],
        false => args.paths.clone(),
    };
    for path in &all {
        if path.is_dir() {
            let found = list::scripts(path)?;
            recipes.extend(found.0);
            modules.extend(found.1);
        } else {
            recipes.push(path.clone());
        }
    }
    let mut known = Known::default();
    let mut findings = 0;
    let mut tell = |mut trouble: Trouble| {
        trouble.reports.sort_by_key(|report| {
            report
                .place()
                .map(|span| (span.file.clone(), span.start.line, span.start.column))
        });
        trouble.reports.retain(|report| known.is_new(report));
        if !trouble.reports.is_empty() {
            if findings > 0 {
                printer.gap();
            }
            findings += trouble.reports.len();
            printer.reports(&trouble.reports, &trouble.sources);
        }
    };
    let (number_of_recipes, number_of_modules) = (recipes.len(), modules.len());
    let all_recipes = recipes.clone();
    let recipes = recipes.into_iter().map(Subject::Recipe);
    let subjects: Vec<Subject> = recipes
        .chain(modules.into_iter().map(Subject::Module))
        .collect();
    let look = |subject: &Subject| match subject {
        Subject::Recipe(recipe) => check(recipe, global),
        Subject::Module(module) => Checked {
            troubles: check_module(module, global).into_iter().collect(),
            ..Checked::default()
        },
    };
    let mut declared = Some(BTreeSet::new());
    parallel::each(&subjects, look, |checked| {
        // Of a recipe that does not evaluate nobody knows the options.
        declared = declared.take().zip(checked.options).map(|(mut all, more)| {
            all.extend(more);
            all
        });
        checked.troubles.into_iter().for_each(&mut tell);
    })?;
    if let (true, Some(declared)) = (args.paths.is_empty(), declared)
        && let Some(root) = project::repository(Path::new("."))
    {
        let settings = global.plain_settings(&root)?;
        let stdlib = Stdlib::new(settings.stdlib.clone());
        let found =
            unused_settings::unheeded(&settings.project, &root, &all_recipes, &declared, &stdlib);
        found.into_iter().for_each(&mut tell);
    }
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    let mut checked = count(number_of_recipes, "recipe");
    if number_of_modules > 0 {
        checked = format!("{checked} and {}", count(number_of_modules, "module"));
    }
    let result = match findings {
        0 => "nothing wrong".to_owned(),
        number => count(number, "finding"),
    };
    printer.summary(&format!("{checked} checked, {result}"));
    Ok(ExitCode::from(u8::from(findings > 0)))
}

/// What was found in one script.
struct Checked {
    troubles: Vec<Trouble>,
    /// The options that it declares, if that is known.
    options: Option<Vec<String>>,
}

impl Default for Checked {
    fn default() -> Self {
        Checked {
            troubles: Vec::new(),
            options: Some(Vec::new()),
        }
    }
}

/// The findings that were told: a mistake in a module shows through every recipe that
/// imports it, and one of a recipe under every choice of an option.
#[derive(Default)]
struct Known(BTreeSet<(String, String, Vec<Place>)>);

/// A file by its real path, since recipes name the same module differently, and a line
/// and column in it.
type Place = (PathBuf, u32, u32);

impl Known {
    fn is_new(&mut self, report: &Report) -> bool {
        let innermost = report.trace.last().map(|frame| &frame.span);
        let places = report.place().into_iter().chain(innermost);
        let key = (
            report.code.clone(),
            report.message.clone(),
            places.map(place).collect(),
        );
        self.0.insert(key)
    }
}

fn place(span: &Span) -> Place {
    let file = Path::new(&span.file);
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    (file, span.start.line, span.start.column)
}

/// What shows of a module without evaluating it, whether a recipe imports it or not.
fn check_module(module: &Path, global: &Global) -> Option<Trouble> {
    let repository = module
        .ancestors()
        .find(|folder| {
            let name = folder.file_name().and_then(std::ffi::OsStr::to_str);
            name.is_some_and(|name| list::MODULES.contains(&name))
        })
        .and_then(Path::parent)
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let settings = match global.plain_settings(module) {
        Ok(settings) => settings,
        Err(trouble) => return Some(trouble),
    };
    recipe::check_module(module, repository, &settings)
        .err()
        .map(Trouble::from)
}

/// Evaluates a recipe with its defaults, then with every other choice of each option.
fn check(recipe: &Path, global: &Global) -> Checked {
    let unknown = |trouble: Trouble| Checked {
        troubles: vec![trouble],
        options: None,
    };
    let settings = match global.plain_settings(recipe) {
        Ok(settings) => Settings {
            allow_host_run: true,
            ..settings
        },
        Err(trouble) => return unknown(trouble),
    };
    let evaluate = |options: Vec<(String, String)>| {
        let settings = Settings {
            options,
            ..settings.clone()
        };
        let answers: Rc<RefCell<dyn Capture>> = Rc::new(RefCell::new(PreviewCapture::default()));
        recipe::evaluate_here(recipe, &settings, answers)
    };
    let first = match evaluate(Vec::new()) {
        Ok(evaluation) => evaluation,
        Err(failure) => return unknown(failure.into()),
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
            for report in &mut failure.reports {
                report
                    .help
                    .push(format!("with `-o {}={value}`", option.name));
            }
            found.push(failure.into());
        }
    }
    let options = first.plan.options.into_iter().map(|option| option.name);
    Checked {
        troubles: found,
        options: Some(options.collect()),
    }
}
