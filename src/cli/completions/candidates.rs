//! `rootwright complete`: what may stand at the end of a command line. Words, flags and
//! their values come from the command line's own definition; recipes, their options and the
//! choices of these are looked up here.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter, complete,
};
use serde_json::Value;

use super::Words;
use crate::build::PreviewCapture;
use crate::cli::printer::Printer;
use crate::cli::{Done, Global, command, repository};
use crate::plan::policy::Permissions;
use crate::plan::{OptionValue, option_text};
use crate::project::{self, Project};
use crate::recipe::{self, Settings};
use crate::reference::Reference;

/// All that was typed, of which whoever completes one word is given that word alone.
static COMMAND_LINE: OnceLock<(Vec<OsString>, Global)> = OnceLock::new();

pub fn run(args: Words, global: Global, printer: &Printer) -> Done {
    let (words, _) = COMMAND_LINE.get_or_init(|| (args.words, global));
    let Some(last) = words.len().checked_sub(1) else {
        return Ok(ExitCode::SUCCESS);
    };
    let folder = std::env::current_dir().ok();
    // Where nothing can be said, a shell wants silence.
    let found = complete(&mut command(), words.clone(), last, folder.as_deref());
    for candidate in found.unwrap_or_default() {
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.as_deref().and_then(|help| help.lines().next());
        let value = candidate.get_value().to_string_lossy();
        // A line break would be another candidate.
        if !value.contains(['\n', '\t']) {
            printer.out(&format!("{value}\t{}\n", help.unwrap_or_default()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Recipes, and folders on the way to them.
pub fn recipes() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let mut found = PathCompleter::any()
            .filter(|path| path.is_file() && repository::is_recipe(path))
            .complete(current);
        found.extend(in_repository(current));
        found
    })
}

/// In a repository, the names of recipes in other folders than this one.
fn in_repository(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current
        .to_str()
        .filter(|word| !word.starts_with(['.', '/']));
    let (Some(current), Some(root)) = (current, project::repository(Path::new("."))) else {
        return Vec::new();
    };
    let recipes = repository::recipes(&root).unwrap_or_default();
    let stems: Vec<&OsStr> = recipes.iter().filter_map(|path| path.file_stem()).collect();
    let here = std::env::current_dir().ok();
    let is_here = |path: &Path| {
        let folder = std::path::absolute(path).ok();
        folder.as_deref().and_then(Path::parent) == here.as_deref()
    };
    let top = project::from_here(&root);
    recipes
        .iter()
        .filter(|path| !is_here(path))
        .filter_map(|path| {
            let stem = path.file_stem()?;
            let alone = stems.iter().filter(|other| **other == stem).count() == 1;
            let below = path
                .strip_prefix(&top)
                .or_else(|_| path.strip_prefix(&root));
            let name = match alone {
                true => Path::new(stem).to_owned(),
                // As much of the path as tells it apart.
                false => below.unwrap_or(path).with_extension(""),
            };
            let name = name.to_str().filter(|name| name.starts_with(current))?;
            let help = path.display().to_string();
            Some(CompletionCandidate::new(name).help(Some(help.into())))
        })
        .collect()
}

/// `NAME=`, and after it the values that the recipes before it allow.
pub fn options() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let current = current.to_string_lossy();
        let declared = declared();
        match current.split_once('=') {
            None => declared
                .values()
                .filter(|option| option.name.starts_with(&*current))
                .map(|option| {
                    let name = format!("{}=", option.name);
                    CompletionCandidate::new(name).help(Some(help(option).into()))
                })
                .collect(),
            Some((name, value)) => declared
                .get(name)
                .map(|option| values(option, value))
                .unwrap_or_default(),
        }
    })
}

fn values(option: &OptionValue, current: &str) -> Vec<CompletionCandidate> {
    // The items before the last one of a list are written already.
    let (before, item) = match (&option.value, current.rsplit_once(',')) {
        (Value::Array(_), Some((before, item))) => (format!("{before},"), item),
        _ => (String::new(), current),
    };
    let mut values: Vec<String> = option.choices.iter().map(option_text).collect();
    if values.is_empty() {
        match &option.value {
            Value::Bool(_) => values.extend(["true".to_owned(), "false".to_owned()]),
            Value::Null => {}
            value => values.push(option_text(value)),
        }
    }
    values
        .iter()
        .filter(|value| value.starts_with(item))
        .map(|value| {
            let word = format!("{}={before}{value}", option.name);
            CompletionCandidate::new(word).help(Some(option.help.clone().into()))
        })
        .collect()
}

/// `Debian release (bookworm)`
fn help(option: &OptionValue) -> String {
    let default = match &option.value {
        Value::Null => "has to be given".to_owned(),
        value => option_text(value),
    };
    format!("{} ({default})", option.help).trim().to_owned()
}

/// The options of the recipes among the words, with the values that are given already.
fn declared() -> BTreeMap<String, OptionValue> {
    let mut found = BTreeMap::new();
    let Some((words, global)) = COMMAND_LINE.get() else {
        return found;
    };
    let (_, before) = words.split_last().unwrap_or((&OsString::new(), &[]));
    let pairs: Vec<(String, String)> = before
        .windows(2)
        .filter(|pair| matches!(pair, [flag, _] if flag == "-o" || flag == "--option"))
        .filter_map(|pair| pair.last()?.to_str()?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let words = before.iter().skip(2).filter_map(|word| word.to_str());
    let words = words.filter(|word| !word.starts_with('-') && !word.contains('='));
    for recipe in words.filter_map(|word| repository::recipe(word).ok()) {
        if !repository::is_recipe(&recipe) || !recipe.is_file() {
            continue;
        }
        // Libraries are not fetched for this.
        let project = Project::find(&recipe, |project| global.shelves(project));
        let settings = Settings {
            options: pairs.clone(),
            stdlib: global.stdlib.clone(),
            // Evaluating runs nothing.
            permissions: Permissions {
                allow_host_run: true,
            },
            project: project.unwrap_or_default(),
            ..Settings::default()
        };
        let mut capture = PreviewCapture::default();
        for option in recipe::option_list::options(&recipe, &settings, &mut capture) {
            found.entry(option.name.clone()).or_insert(option);
        }
    }
    found
}

/// Names that `rootwright docs` knows.
pub fn reference() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let current = current.to_string_lossy();
        let whole = Reference::new(&Settings::default()).ok();
        let mut found = Vec::new();
        for section in whole.iter().flat_map(|whole| &whole.sections) {
            let entries = section.functions.iter();
            let mut names: Vec<(&str, &str)> = entries
                .map(|entry| (entry.name.as_str(), entry.doc.summary.as_str()))
                .collect();
            names.extend(section.module.as_deref().map(|name| (name, "a module")));
            names.retain(|(name, _)| name.starts_with(&*current));
            found.extend(names.into_iter().map(|(name, summary)| {
                CompletionCandidate::new(name).help(Some(summary.to_owned().into()))
            }));
        }
        found
    })
}
