//! The fuzz targets as property tests, for a toolchain that has no fuzzer: the kept corpus,
//! and some seconds of changed pieces of it. `docs/testing.md` has how to fuzz for longer.

#[path = "../../fuzz/targets.rs"]
mod targets;

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use regex::Regex;
use rootwright::plan::{Plan, SCHEMA_VERSION};
use rootwright::preview::json;

use crate::support::stdlib::plan;
use crate::support::{plans, read};

/// How long one input may take; the scripts' own limit is 5 s.
const LONGEST: Duration = Duration::from_secs(20);

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/tests/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(folder).unwrap();
    let seeds: Vec<Vec<u8>> = entries
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(seeds.len() >= 5, "{target}: {}", seeds.len());
    seeds
}

/// A change of an input, as a fuzzer makes them.
#[derive(Clone, Debug)]
enum Change {
    Byte(Index, u8),
    Cut(Index, Index),
    Repeat(Index, Index),
    Text(Index, String),
    /// A piece of another seed, put in.
    Splice(Index, Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(i, byte)| Change::Byte(i, byte)),
        (at(), at()).prop_map(|(i, j)| Change::Cut(i, j)),
        (at(), at()).prop_map(|(i, j)| Change::Repeat(i, j)),
        (
            at(),
            "\\PC{0,20}|[-+]?[0-9]{1,20}|[{}()\\[\\]\"'`$#;,.:|&=!]{1,8}"
        )
            .prop_map(|(i, text)| Change::Text(i, text)),
        (at(), at(), at()).prop_map(|(s, i, j)| Change::Splice(s, i, j)),
    ]
}

fn range(data: &[u8], a: Index, b: Index) -> std::ops::Range<usize> {
    let (a, b) = (a.index(data.len() + 1), b.index(data.len() + 1));
    a.min(b)..a.max(b)
}

fn apply(data: &mut Vec<u8>, change: &Change, seeds: &[Vec<u8>]) {
    match change {
        Change::Byte(at, byte) if !data.is_empty() => {
            let at = at.index(data.len());
            data[at] = *byte;
        }
        Change::Byte(..) => {}
        Change::Cut(a, b) => {
            let range = range(data, *a, *b);
            data.drain(range);
        }
        Change::Repeat(a, b) => {
            let range = range(data, *a, *b);
            let piece: Vec<u8> = data[range.clone()].iter().copied().take(1000).collect();
            data.splice(range.end..range.end, piece);
        }
        Change::Text(at, text) => {
            let at = at.index(data.len() + 1);
            data.splice(at..at, text.bytes());
        }
        Change::Splice(seed, a, b) => {
            let seed = seed.get(seeds);
            let piece = seed[range(seed, *a, *b)].to_vec();
            let at = a.index(data.len() + 1);
            data.splice(at..at, piece);
        }
    }
}

fn holds(target: &str, cases: u32, body: fn(&[u8])) {
    let seeds = corpus(target);
    let timed = |data: &[u8]| {
        let start = Instant::now();
        body(data);
        assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
    };
    for seed in &seeds {
        timed(seed);
    }
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let inputs = (any::<Index>(), prop::collection::vec(change(), 1..6));
    let result = TestRunner::new(config).run(&inputs, |(seed, changes)| {
        let mut data = seed.get(&seeds).clone();
        for change in &changes {
            apply(&mut data, change, &seeds);
        }
        timed(&data);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn recipes_are_parsed_and_evaluated() {
    holds("evaluate", 250, targets::evaluate);
}

#[test]
fn options_are_parsed() {
    holds("options", 100, targets::options);
}

#[test]
fn hints_are_matched() {
    holds("hints", 150, targets::hints);
}

#[test]
fn plans_are_read_and_drawn() {
    holds("plan", 1000, targets::plan);
}

#[test]
fn settings_of_a_project_are_read() {
    holds("project", 300, targets::project);
}

#[test]
fn locks_are_read() {
    holds("lock", 300, targets::lock);
}

#[test]
fn bundles_are_read() {
    holds("bundle", 100, targets::bundle);
}

#[test]
fn manifests_are_read() {
    holds("manifest", 200, targets::manifest);
}

#[test]
fn answers_of_repositories_are_read() {
    holds("repository", 300, targets::repository);
}

#[test]
fn initramfs_files_are_read() {
    holds("initramfs", 300, targets::initramfs);
}

/// The kept plans are those of kept recipes, by name. `UPDATE=1` writes them again, for a plan
/// that has changed its form.
#[test]
fn the_kept_plans_are_plans() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let path = Regex::new(r#""[^"]*/recipe\.rhai""#).unwrap();
    for entry in std::fs::read_dir(kept.join("plan")).unwrap() {
        let file = entry.unwrap().path();
        if std::env::var_os("UPDATE").is_some() {
            let name = file.file_stem().unwrap();
            let plan = if name == "all-operations" {
                let mut all = plans::nasty();
                all.steps.drain(6..);
                all
            } else {
                plan(&read(kept.join("evaluate").join(name)))
            };
            // The recipe was in a folder of this machine.
            let text = path
                .replace_all(&json(&plan), r#""recipe.rhai""#)
                .into_owned();
            // In one line: it is no text to read.
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            std::fs::write(&file, value.to_string()).unwrap();
        }
        let plan: Plan = serde_json::from_str(&read(&file))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(plan.schema, SCHEMA_VERSION, "{}", file.display());
    }
}
