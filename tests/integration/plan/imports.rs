//! Imports between the files of `src/`: which file uses what another one defines.
//!
//! An import of a name that a module re-exports leads to the file that defines it, so a `mod.rs`
//! that only gathers its files makes no circle. Test modules do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

/// A module's path: `["run", "files"]`; empty for `lib.rs`.
type Module = Vec<String>;

struct File {
    name: String,
    defines: BTreeSet<String>,
    /// Paths of `use` and of expressions, absolute.
    uses: BTreeSet<Module>,
    /// Paths of `pub use`, absolute; `*` for all.
    exports: Vec<Module>,
    text: String,
}

/// For each file the files that it uses.
pub fn edges(files: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<Module> = files.iter().map(|(name, _)| module(name)).collect();
    let files: BTreeMap<Module, File> = files
        .iter()
        .map(|(name, text)| (module(name), File::of(name, text, &modules)))
        .collect();
    let mut edges = BTreeMap::new();
    for file in files.values() {
        let mut used = BTreeSet::new();
        for path in &file.uses {
            used.extend(defined_in(&files, path, 0));
            // A module that is imported is used by its name: `files::apply`.
            if let (true, Some(name)) = (files.contains_key(path), path.last()) {
                let inside = Regex::new(&format!(r"\b{name}::(\w+)")).unwrap();
                for found in inside.captures_iter(&file.text) {
                    let mut path = path.clone();
                    path.push(found[1].to_owned());
                    used.extend(defined_in(&files, &path, 0));
                }
            }
        }
        used.remove(&file.name);
        edges.insert(file.name.clone(), used);
    }
    edges
}

/// Files that use each other, directly or by way of others.
pub fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reaches = |from: &String| {
        let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
        while let Some(file) = left.pop() {
            for next in &edges[file] {
                if seen.insert(next) {
                    left.push(next);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        edges.keys().map(|file| (file, reaches(file))).collect();
    let mut circles: Vec<Vec<String>> = Vec::new();
    for (file, theirs) in &reached {
        if !theirs.contains(file) || circles.iter().flatten().any(|known| known == *file) {
            continue;
        }
        let circle = theirs.iter().filter(|other| reached[*other].contains(file));
        circles.push(circle.map(|other| (*other).clone()).collect());
    }
    circles
}

fn module(name: &str) -> Module {
    let path = name.strip_suffix(".rs").unwrap();
    let mut parts: Module = path.split('/').map(str::to_owned).collect();
    if ["mod", "lib", "main"].contains(&parts.last().unwrap().as_str()) {
        parts.pop();
    }
    parts
}

/// The file that defines the name at the end of a path.
fn defined_in(files: &BTreeMap<Module, File>, path: &Module, depth: usize) -> Option<String> {
    let length = (0..path.len())
        .rev()
        .find(|at| files.contains_key(&path[..*at]))?;
    let file = &files[&path[..length]];
    let name = &path[length];
    if files.contains_key(&path[..=length]) || depth > 8 {
        return None;
    }
    if file.defines.contains(name) {
        return Some(file.name.clone());
    }
    let exports = file.exports.iter().filter_map(|export| {
        let (last, module) = export.split_last()?;
        let mut path = module.to_vec();
        path.push(name.clone());
        (last == "*" || last == name).then_some(path)
    });
    let mut found = exports.filter_map(|path| defined_in(files, &path, depth + 1));
    found.next().or_else(|| Some(file.name.clone()))
}

impl File {
    fn of(name: &str, text: &str, modules: &BTreeSet<Module>) -> Self {
        let own = module(name);
        let text = text.split("#[cfg(test)]").next().unwrap();
        let text = Regex::new("//.*")
            .unwrap()
            .replace_all(text, "")
            .into_owned();
        let items = r"\b(?:struct|enum|fn|trait|const|static|type)\s+([A-Za-z_]\w*)";
        let items = Regex::new(items).unwrap();
        let defines = items.captures_iter(&text).map(|found| found[1].to_owned());
        let statement = Regex::new(r"(?s)(pub(?:\([a-z]+\))?\s+)?use\s+([^;]+);").unwrap();
        let (mut uses, mut exports) = (BTreeSet::new(), Vec::new());
        for found in statement.captures_iter(&text) {
            for path in expanded(&found[2]) {
                let Some(path) = absolute(&own, &path, modules) else {
                    continue;
                };
                match found.get(1) {
                    Some(_) => exports.push(path),
                    None => drop(uses.insert(path)),
                }
            }
        }
        let rest = statement.replace_all(&text, "");
        let inline = Regex::new(r"\b(?:crate|super)(?:::\w+)+").unwrap();
        for found in inline.find_iter(&rest) {
            uses.extend(absolute(&own, found.as_str(), modules));
        }
        File {
            name: name.to_owned(),
            defines: defines.collect(),
            uses,
            exports,
            text: rest.into_owned(),
        }
    }
}

/// `a::{b, c::{d}}` as `a::b`, `a::c::d`.
fn expanded(tree: &str) -> Vec<String> {
    let tree = tree.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((lead, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap().trim();
        return vec![path.trim_end_matches("::self").to_owned()];
    };
    let body = rest.rsplit_once('}').map_or(rest, |(body, _)| body);
    let (mut depth, mut part, mut paths) = (0, String::new(), Vec::new());
    for c in body.chars().chain([',']) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 {
            if !part.trim().is_empty() {
                paths.extend(expanded(&format!("{lead}{}", part.trim())));
            }
            part.clear();
        } else {
            part.push(c);
        }
    }
    paths
}

/// A path from the top of the crate; `None` for one of another crate.
fn absolute(own: &Module, path: &str, modules: &BTreeSet<Module>) -> Option<Module> {
    let parts: Vec<&str> = path.split("::").collect();
    let owned = |parts: &[&str]| {
        parts
            .iter()
            .map(|part| (*part).to_owned())
            .collect::<Vec<_>>()
    };
    match parts.first().copied()? {
        "crate" => Some(owned(&parts[1..])),
        "self" => Some([own.clone(), owned(&parts[1..])].concat()),
        "super" => {
            let up = parts.iter().take_while(|part| **part == "super").count();
            let above = own.get(..own.len().checked_sub(up)?)?;
            Some([above.to_vec(), owned(&parts[up..])].concat())
        }
        first => {
            let child = [own.clone(), vec![first.to_owned()]].concat();
            let known = modules.contains(&child);
            known.then(|| [own.clone(), owned(&parts)].concat())
        }
    }
}

/// Every file of `src/` that is compiled into the library.
pub fn sources() -> Vec<(String, String)> {
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let walk = walkdir::WalkDir::new(&base).sort_by_file_name();
    let mut files = Vec::new();
    for entry in walk.into_iter().flatten() {
        let name = entry
            .path()
            .strip_prefix(&base)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let is_source = name.ends_with(".rs") && name != "main.rs" && name != "build_script.rs";
        if is_source {
            files.push((name, std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
    files
}

#[test]
fn files_do_not_use_each_other_in_a_circle() {
    let found = circles(&edges(&sources()));
    assert!(found.is_empty(), "{found:#?}");
}

/// The check finds what it is for.
#[test]
fn a_circle_is_found() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let files = [
        file("lib.rs", "pub mod a;\npub mod b;\n"),
        file(
            "a/mod.rs",
            "mod one;\nmod two;\npub use one::One;\npub use two::Two;\n",
        ),
        file("a/one.rs", "use super::Two;\npub struct One(Two);\n"),
        file("a/two.rs", "use crate::b;\npub struct Two(b::Three);\n"),
        file(
            "b.rs",
            "pub struct Three;\nfn three() -> crate::a::One { todo() }\n",
        ),
    ];
    assert_eq!(circles(&edges(&files)), [["a/one.rs", "a/two.rs", "b.rs"]]);
    assert!(
        circles(&edges(
            &files[..4]
                .iter()
                .cloned()
                .chain([file("b.rs", "pub struct Three;\n")])
                .collect::<Vec<_>>()
        ))
        .is_empty()
    );
}
