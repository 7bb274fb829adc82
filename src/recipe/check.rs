//! Mistakes in recipes and modules, looked for with every choice of every option.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Evaluation, Failure, Settings, engine, evaluate_here};
use crate::diagnose::{Report, Span};
use crate::plan::policy::Permissions;
use crate::plan::{Capture, option_text};

/// Folders of a repository that contain modules.
pub const MODULE_FOLDERS: [&str; 2] = ["lib", "distro"];

/// What is wrong with a script.
#[derive(Default)]
pub struct Checked {
    pub failures: Vec<Failure>,
    /// The names of the options that it declares; `None` if it does not evaluate.
    pub options: Option<Vec<String>>,
}

/// Evaluates a recipe with its defaults, then with every other choice of each option, in this
/// thread, for which [`super::parallel::each`] has made room. `capture` makes what answers
/// `capture`.
pub fn recipe(
    recipe: &Path,
    settings: &Settings,
    capture: impl Fn() -> Rc<RefCell<dyn Capture>>,
) -> Checked {
    let evaluate = |options: Vec<(String, String)>| -> Result<Evaluation, Failure> {
        let settings = Settings {
            options,
            permissions: Permissions {
                allow_host_run: true,
            },
            ..settings.clone()
        };
        evaluate_here(recipe, &settings, capture())
    };
    let first = match evaluate(Vec::new()) {
        Ok(evaluation) => evaluation,
        Err(failure) => {
            return Checked {
                failures: vec![failure],
                options: None,
            };
        }
    };
    let mut failures = Vec::new();
    for option in &first.plan.options {
        let others = option.choices.iter();
        for choice in others.filter(|choice| **choice != option.value) {
            let value = option_text(choice);
            if let Err(mut failure) = evaluate(vec![(option.name.clone(), value.clone())]) {
                for report in &mut failure.reports {
                    let help = format!("with `-o {}={value}`", option.name);
                    report.help.push(help);
                }
                failures.push(failure);
            }
        }
    }
    let options = first.plan.options.into_iter().map(|option| option.name);
    Checked {
        failures,
        options: Some(options.collect()),
    }
}

/// Checks a module, whether a recipe imports it or not, without evaluating it, in this thread,
/// for which [`super::parallel::each`] has made room. Its imports are looked for in the folder
/// above `lib/` or `distro/` too, if no configuration names another.
pub fn module(module: &Path, settings: &Settings) -> Checked {
    let holds_modules = |folder: &&Path| {
        let name = folder.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| MODULE_FOLDERS.contains(&name))
    };
    let repository = module
        .ancestors()
        .find(holds_modules)
        .and_then(Path::parent)
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let checked = engine::check_module(module, repository, settings);
    Checked {
        failures: checked.err().into_iter().collect(),
        options: Some(Vec::new()),
    }
}

/// Reports that were shown. A mistake in a module appears in every recipe that imports it, and
/// one in a recipe with every choice of an option.
#[derive(Default)]
pub struct Shown(BTreeSet<(String, String, Vec<SourcePlace>)>);

/// A file by its real path, since recipes name the same module differently, and a line and
/// column in it.
type SourcePlace = (PathBuf, u32, u32);

impl Shown {
    /// The reports that are new, in the order of their places.
    pub fn new_of(&mut self, mut reports: Vec<Report>) -> Vec<Report> {
        reports.sort_by_key(|report| {
            let span = report.place()?;
            Some((span.file.clone(), span.start.line, span.start.column))
        });
        reports.retain(|report| self.is_new(report));
        reports
    }

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

fn place(span: &Span) -> SourcePlace {
    let file = Path::new(&span.file);
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    (file, span.start.line, span.start.column)
}
