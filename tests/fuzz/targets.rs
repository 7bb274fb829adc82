//! What input from outside goes through, from bytes to what people see. A target fails by
//! panicking, by hanging, or by taking more memory than its caller allows.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each fuzz target is a crate that uses one function; a target fails by panicking"
)]

use std::path::PathBuf;
use std::sync::OnceLock;

use rootwright::diagnose::render::{Style, render as render_report};
use rootwright::diagnose::{HintSet, Report, SourceMap};
use std::collections::BTreeSet;

use rootwright::plan::{Capture, CaptureRequest, Captured, Circumstances, Key, Plan, keys, layers};
use rootwright::preview;
use rootwright::recipe::{self, HostFacts, Settings};
use rootwright::run::{CommandFailure, Error};

/// Captures are answered with what the recipe expects.
struct Stand;

impl Capture for Stand {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Report> {
        let text = request.preview.unwrap_or("captured");
        Ok(Captured::Preview(text.to_owned()))
    }
}

/// A host of which nothing is known.
struct Nowhere;

impl Circumstances for Nowhere {
    fn version(&self, _: &str) -> Option<String> {
        None
    }

    fn archives(&self, _: &Key, _: &BTreeSet<usize>) -> Option<String> {
        None
    }
}

/// The bytes as a recipe: parsed, evaluated, and its plan or its reports drawn.
pub fn evaluate(data: &[u8]) {
    with_recipe(data, Vec::new());
}

/// Declares an option of every kind.
const OPTIONS: &str = r#"
let a = option("text", #{ default: "a", pattern: "[a-z]+(-[0-9]{1,3})?" });
let b = option("choice", #{ default: "one", choices: ["one", "two", "drei"] });
let c = option("number", #{ default: 1, choices: [1, 2, -3] });
let d = option("any", #{ type: "number", default: 7 });
let e = option("flag", #{ default: false });
let f = option("list", #{ default: ["x"], pattern: "[x-z]" });
let g = option("some", #{ type: "list", default: ["x"], choices: ["x", "y"] });
let h = option("free");
log(`${a} ${b} ${c} ${d} ${e} ${f} ${g} ${h}`);
"#;

/// Each line as a word of a command line, and `NAME=VALUE` lines as a recipe's options.
pub fn options(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words = ["rootwright", "plan", "recipe.rhai"];
    let _ = rootwright::cli::check_usage(words.into_iter().chain(text.lines()));
    let _ = rootwright::cli::check_usage(["rootwright"].into_iter().chain(text.lines()));
    let pairs = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    with_recipe(OPTIONS.as_bytes(), pairs);
}

fn with_recipe(text: &[u8], options: Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.rhai");
    std::fs::write(&recipe, text).unwrap();
    let settings = Settings {
        options,
        // What recipes ask of the host comes from an empty folder.
        host: HostFacts {
            root: folder.path().to_owned(),
            ..HostFacts::default()
        },
        ..Settings::default()
    };
    match recipe::evaluate(&recipe, &settings, &mut Stand) {
        Ok(evaluation) => draw_plan(&evaluation.plan),
        Err(failure) => {
            assert!(!failure.reports.is_empty());
            draw_reports(&failure.reports, &failure.sources);
        }
    }
}

fn draw_reports(reports: &[Report], sources: &SourceMap) {
    for style in [Style::Human, Style::Json, Style::Short] {
        for report in reports {
            for (color, width) in [(false, 100), (true, 40)] {
                let drawn = render_report(report, sources, style, color, width);
                assert!(drawn.ends_with('\n'));
            }
        }
    }
}

/// The first line names tools, the others are what they printed before they failed.
pub fn hints(data: &[u8]) {
    static HINTS: OnceLock<HintSet> = OnceLock::new();
    let hints = HINTS.get_or_init(|| recipe::known_failures(&Settings::default()));
    assert!(hints.iter().count() >= 60);
    let text = String::from_utf8_lossy(data);
    let (tools, output) = text.split_once('\n').unwrap_or(("", &text));
    for hint in hints.iter() {
        if let Some(known) = hint.explain(output) {
            assert!(!known.cause.is_empty() && !known.help.is_empty());
        }
    }
    let failure = CommandFailure {
        step: 1,
        command: tools.to_owned(),
        in_root: data.len().is_multiple_of(2),
        script: data.len().is_multiple_of(3),
        tools: tools.split_whitespace().map(str::to_owned).collect(),
        status: "exit status 1".to_owned(),
        exited_well: false,
        matched: output
            .lines()
            .filter(|line| line.contains("FAILED"))
            .map(str::to_owned)
            .collect(),
        output: output.lines().map(str::to_owned).collect(),
        log: PathBuf::from("log"),
        kept: Some(PathBuf::from("kept")),
        boot: None,
        told: Vec::new(),
    };
    let error = Error::Command {
        failure: Box::new(failure),
        calls: Vec::new(),
    };
    draw_reports(&[error.report(hints)], &SourceMap::default());
}

/// A plan from elsewhere: drawn in every form; as JSON it comes back as it was.
pub fn plan(data: &[u8]) {
    if let Ok(plan) = serde_json::from_slice::<Plan>(data) {
        draw_plan(&plan);
    }
}

fn draw_plan(plan: &Plan) {
    for commands in [true, false] {
        for width in [1, 90] {
            let options = preview::TextOptions {
                color: !commands,
                commands,
                width,
                ..preview::TextOptions::default()
            };
            preview::text(plan, &options);
        }
    }
    let _ = preview::sh(plan);
    preview::graph(plan);
    let again: Plan = serde_json::from_str(&preview::json(plan)).expect("a plan's own JSON");
    assert_eq!(&again, plan);
    let layers = layers(plan);
    assert!(layers.len() <= plan.steps.len());
    assert_eq!(keys(plan, &layers, &Nowhere).len(), layers.len());
}
