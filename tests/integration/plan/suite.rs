//! Wrong scripts, each with the report that a person gets for it: `tests/suite/scripts/`
//! has `NAME.rhai` and beside it `NAME.txt`, the human form without colour and then the
//! form of `--error-format short`. `UPDATE=1` writes the second anew.
//!
//! A first line `//@ -o name=value` or `//@ --allow-host-run` stands for the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rootwright::build::PreviewCapture;
use rootwright::diagnose::render::{Style, render};

use rootwright::recipe::{self, Failure, HostFacts, Settings};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/scripts")
}

/// The wrong scripts by name, without their libraries.
fn scripts() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rhai"))
        .collect();
    names.sort();
    names
}

/// What the first line of a script says of the command line.
fn settings(text: &str) -> Settings {
    let mut settings = Settings {
        // Nothing of this host: not its architecture, not its package sources.
        host: HostFacts {
            arch: "x86_64".to_owned(),
            root: PathBuf::from("/nowhere"),
        },
        ..Settings::default()
    };
    let line = text.lines().next().unwrap_or_default();
    let mut words = line
        .strip_prefix("//@ ")
        .unwrap_or_default()
        .split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "--allow-host-run" => settings.permissions.allow_host_run = true,
            "-o" => {
                let (name, value) = words.next().unwrap().split_once('=').unwrap();
                settings.options.push((name.to_owned(), value.to_owned()));
            }
            other => panic!("what is {other}?"),
        }
    }
    settings
}

/// Evaluates a wrong script. Its reports name files from the folder on: no path of this machine
/// is in them.
fn failure(name: &str) -> Option<Failure> {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut failure =
        recipe::evaluate(&path, &settings(&text), &mut PreviewCapture::default()).err()?;
    let prefix = format!("{}/", folder().display());
    let reports = serde_json::to_string(&failure.reports).unwrap();
    failure.reports = serde_json::from_str(&reports.replace(&prefix, "")).unwrap();
    for entry in walkdir::WalkDir::new(folder()) {
        let path = entry.unwrap().into_path();
        if let Some(text) = failure.sources.get(path.to_str().unwrap()).cloned() {
            let name = path.strip_prefix(folder()).unwrap().to_str().unwrap();
            failure.sources.insert(name, text);
        }
    }
    Some(failure)
}

fn drawn(failure: &Failure, style: Style) -> Vec<String> {
    failure
        .reports
        .iter()
        .map(|report| render(report, &failure.sources, style, false, 100))
        .collect()
}

/// What a person sees, in both forms.
fn seen(name: &str) -> Result<String, String> {
    let failure = failure(name).ok_or_else(|| format!("{name}: nothing is found wrong with it"))?;
    let human = drawn(&failure, Style::Human).join("\n");
    let short = drawn(&failure, Style::Short).concat();
    Ok(without_stdlib_lines(&format!("{human}\n{short}")))
}

/// `stdlib:distro/x.rhai:12:5` without its line and column: a change of the stdlib is no
/// change of the reports.
fn without_stdlib_lines(text: &str) -> String {
    let place = regex::Regex::new(r"(stdlib:[\w/.-]+\.rhai):\d+:\d+").unwrap();
    place.replace_all(text, "$1:…").into_owned()
}

#[test]
fn every_wrong_script_has_its_report() {
    let scripts = scripts();
    assert!(scripts.len() >= 80, "{}", scripts.len());
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for name in &scripts {
        let seen = match seen(name) {
            Ok(seen) => seen,
            Err(message) => {
                wrong.push(message);
                continue;
            }
        };
        let beside = folder().join(name).with_extension("txt");
        if update {
            std::fs::write(&beside, &seen).unwrap();
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if seen != expected {
            wrong.push(format!("{name}: expected\n{expected}\nand got\n{seen}"));
        }
        if let Some(other) = texts.insert(seen.replace(name, "NAME"), name.clone()) {
            wrong.push(format!("{name} and {other} are alike"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_code_has_its_area_and_every_message_its_tone() {
    let mut helpless = Vec::new();
    for name in scripts() {
        let failure = failure(&name).expect("a wrong script");
        for report in &failure.reports {
            let said = std::iter::once(&report.message).chain(&report.help);
            for words in said {
                let lower = words.to_lowercase();
                assert!(
                    !words.ends_with('.') && !words.contains('\n'),
                    "{name}: {words}"
                );
                assert!(!lower.contains("please"), "{name}: {words}");
                for inside in [
                    "Dynamic",
                    "ImmutableString",
                    "anon$",
                    "getter",
                    "i64",
                    "EvalAlt",
                ] {
                    assert!(!words.contains(inside), "{name}: {words}");
                }
            }
            assert!(
                report.code.starts_with("script::") || report.code.starts_with("policy::"),
                "{name}: {}",
                report.code
            );
            if report.help.is_empty() && !WITHOUT_HELP.contains(&name.as_str()) {
                helpless.push(format!("{name}: {}", report.message));
            }
        }
    }
    assert!(helpless.is_empty(), "no help: {helpless:#?}");
}

/// Scripts whose report says all in its message.
const WITHOUT_HELP: &[&str] = &["thrown_map.rhai", "division_by_zero.rhai"];

#[test]
fn the_data_of_a_report_has_what_the_drawing_shows() {
    let name = "lib_misspelt_field.rhai";
    let failure = failure(name).expect("a wrong script");
    let [text] = drawn(&failure, Style::Json).try_into().unwrap();
    assert_eq!(text.lines().count(), 1);
    let data: serde_json::Value = serde_json::from_str(&text).unwrap();
    let at = |line: u32, column: u32| serde_json::json!({ "line": line, "column": column });
    assert_eq!(data["code"], "script::unknown_field");
    assert_eq!(data["message"], "`add_with` has no field `shel`");
    assert_eq!(data["label"], "no such field");
    assert_eq!(data["help"], serde_json::json!(["did you mean `shell`?"]));
    assert_eq!(
        data["place"],
        serde_json::json!({ "file": name, "start": at(3, 41), "end": at(3, 58) })
    );
    let calls: Vec<(&str, &str)> = data["trace"]
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| {
            let file = frame["span"]["file"].as_str().unwrap();
            (frame["function"].as_str().unwrap(), file)
        })
        .collect();
    assert_eq!(calls, [("add_with", name), ("fields", "lib/users.rhai")]);
}
