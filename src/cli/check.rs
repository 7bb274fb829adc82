//! `rootwright check`

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use super::printer::Printer;
use super::{Done, Global, repository, unused_settings};
use crate::build::PreviewCapture;
use crate::diagnose::Trouble;
use crate::preview::plural;
use crate::project;
use crate::recipe::check::{self, Checked, Shown};
use crate::recipe::parallel;
use crate::recipe::stdlib::Stdlib;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recipes, or folders of them; in a folder, the modules of `lib/` and `distro/` too
    /// [default: the repository, else this folder]
    #[arg(value_parser = super::repository::recipe, add = super::completions::recipes())]
    paths: Vec<PathBuf>,
}

enum Script {
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
            let found = repository::scripts(path)?;
            recipes.extend(found.0);
            modules.extend(found.1);
        } else {
            recipes.push(path.clone());
        }
    }
    let mut shown = Shown::default();
    let mut findings = 0;
    let mut tell = |trouble: Trouble| {
        let reports = shown.new_of(trouble.reports);
        if !reports.is_empty() {
            if findings > 0 {
                printer.gap();
            }
            findings += reports.len();
            printer.reports(&reports, &trouble.sources);
        }
    };
    let of_recipes = recipes.iter().cloned().map(Script::Recipe);
    let of_modules = modules.iter().cloned().map(Script::Module);
    let scripts: Vec<Script> = of_recipes.chain(of_modules).collect();
    // The options of a recipe that does not evaluate are not known.
    let mut declared = Some(BTreeSet::new());
    parallel::each(
        &scripts,
        |script| check(script, global),
        |checked| match checked {
            Ok(checked) => {
                let known = declared.take().zip(checked.options);
                declared = known.map(|(mut all, more)| {
                    all.extend(more);
                    all
                });
                let failures = checked.failures.into_iter();
                failures.map(Trouble::from).for_each(&mut tell);
            }
            Err(trouble) => {
                declared = None;
                tell(trouble);
            }
        },
    )?;
    if let (true, Some(declared)) = (args.paths.is_empty(), declared)
        && let Some(root) = project::repository(Path::new("."))
    {
        let settings = global.plain_settings(&root)?;
        let stdlib = Stdlib::new(settings.stdlib.clone());
        let found =
            unused_settings::unheeded(&settings.project, &root, &recipes, &declared, &stdlib);
        found.into_iter().for_each(&mut tell);
    }
    let mut checked = plural(recipes.len(), "recipe", "recipes");
    if !modules.is_empty() {
        checked += &format!(" and {}", plural(modules.len(), "module", "modules"));
    }
    let result = match findings {
        0 => "nothing wrong".to_owned(),
        number => plural(number, "finding", "findings"),
    };
    printer.summary(&format!("{checked} checked, {result}"));
    Ok(ExitCode::from(u8::from(findings > 0)))
}

fn check(script: &Script, global: &Global) -> Result<Checked, Trouble> {
    Ok(match script {
        Script::Recipe(recipe) => {
            let capture = || -> Rc<RefCell<dyn crate::plan::Capture>> {
                Rc::new(RefCell::new(PreviewCapture::default()))
            };
            check::recipe(recipe, &global.plain_settings(recipe)?, capture)
        }
        Script::Module(module) => check::module(module, &global.plain_settings(module)?),
    })
}
