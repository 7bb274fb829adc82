//! What `rootwright.toml` says to nobody: an option that no recipe has, a setting that no
//! distro's module asks for. Only the whole repository can tell.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::diagnose::{Frame, Report, SourceMap, Span, Trouble, nearest};
use crate::project::{self, Project};
use crate::recipe::stdlib::Stdlib;

/// How a module asks for a setting: `setting(name, "mirror")`.
const ASKS: &str = r#"\bsetting\([^,()]+,\s*"([A-Za-z0-9_]+)"\)"#;

/// Keys that mean nothing to any of `recipes`, whose options are `declared`.
pub fn unheeded(
    project: &Project,
    root: &Path,
    recipes: &[PathBuf],
    declared: &BTreeSet<String>,
    stdlib: &Stdlib,
) -> Option<Trouble> {
    let mut reports = Vec::new();
    let mut tell = |place: &Span, message: String, word: &str, known: &BTreeSet<String>| {
        let frame = Frame::here(place.clone());
        let report = Report::new("site::unheeded", message).trace(vec![frame]);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let all = match known.as_slice() {
            [] => "there are none".to_owned(),
            known => format!("there are {}", known.join(", ")),
        };
        reports.push(report.did_you_mean(nearest(word, known.into_iter()), all));
    };
    let names: BTreeSet<String> = recipes.iter().filter_map(|path| stem(path)).collect();
    for (recipe, place) in &project.places.recipes {
        if !names.contains(recipe) {
            let message = format!("the repository has no recipe `{recipe}`");
            tell(place, message, recipe, &names);
        }
    }
    for (option, place) in &project.places.options {
        if !declared.contains(option) {
            let message = format!("no recipe has an option `{option}`");
            tell(place, message, option, declared);
        }
    }
    let (distros, settings) = distros(root, stdlib);
    for ((distro, key), place) in &project.places.distros {
        if key.is_empty() && !distros.contains(distro) {
            let message = format!("there is no distro `{distro}`");
            tell(place, message, distro, &distros);
        } else if !key.is_empty() && distros.contains(distro) && !settings.contains(key) {
            let message = format!("no distro's module asks for `{key}`");
            tell(place, message, key, &settings);
        }
    }
    if reports.is_empty() {
        return None;
    }
    let mut sources = SourceMap::default();
    let path = root.join(project::FILE);
    if let Ok(text) = std::fs::read_to_string(&path) {
        sources.insert(project::from_here(&path).display().to_string(), text);
    }
    Some(Trouble::new(reports, sources))
}

/// The distros that there are, and what their modules ask the project for.
fn distros(root: &Path, stdlib: &Stdlib) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut texts) = (BTreeSet::new(), Vec::new());
    for folder in ["distro", "package"] {
        for module in stdlib.tree(folder) {
            if folder == "distro" {
                names.extend(stem(Path::new(&module)));
            }
            texts.extend(stdlib.text(&module));
        }
    }
    let own = std::fs::read_dir(root.join("distro"));
    for entry in own.into_iter().flatten().flatten() {
        names.extend(stem(&entry.path()));
        texts.extend(std::fs::read_to_string(entry.path()).ok());
    }
    let asks = Regex::new(ASKS).ok();
    let settings = texts
        .iter()
        .flat_map(|text| asks.iter().flat_map(|asks| asks.captures_iter(text)))
        .filter_map(|found| Some(found.get(1)?.as_str().to_owned()))
        .collect();
    (names, settings)
}

fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_str()?.to_owned())
}
