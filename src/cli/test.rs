//! `rootwright test`

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use super::printer::Printer;
use super::{Done, Global, repository};
use crate::diagnose::Report;
use crate::diagnose::render::{Style, render};
use crate::project;
use crate::recipe::parallel;
use crate::recipe::testing::{SUFFIX, TestOutcome, TestSettings, run_file};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file of tests, or a folder with such files in it or below [default: the repository,
    /// else this folder]
    #[arg(add = super::completions::recipes())]
    path: Option<PathBuf>,
    /// Write the snapshots anew instead of comparing with them
    #[arg(long)]
    update: bool,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    /// The Test Anything Protocol, version 14
    Tap,
    Junit,
}

type Results = Vec<(PathBuf, Vec<TestOutcome>)>;

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    let path = args.path.clone().unwrap_or_else(repository::here);
    let mut tests = Vec::new();
    for file in files(&from_the_top(&path))? {
        let settings = TestSettings {
            settings: global.permissive_settings(&file)?,
            update: args.update,
        };
        tests.push((file, settings));
    }
    let mut results = Vec::new();
    parallel::each(
        &tests,
        |(file, settings)| (file.clone(), run_file(file, settings)),
        |result| results.push(result),
    )?;
    printer.out(&match args.format {
        Format::Human => human(&results),
        Format::Tap => tap(&results),
        Format::Junit => junit(&results),
    });
    let mut failed = 0;
    for outcome in results.iter().flat_map(|(_, outcomes)| outcomes) {
        if !outcome.passed() {
            failed += 1;
            if matches!(args.format, Format::Human) {
                printer.say("");
                printer.reports(&outcome.reports, &outcome.sources);
            }
        }
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// Goes to the top of the repository, so that snapshots name files in the same way wherever
/// they are taken, and names `path` from there.
fn from_the_top(path: &Path) -> PathBuf {
    let Ok(absolute) = std::path::absolute(path) else {
        return path.to_owned();
    };
    let top = project::repository(path);
    match top.map(std::env::set_current_dir) {
        Some(Ok(())) => project::from_here(&absolute),
        _ => path.to_owned(),
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Report> {
    let unreadable = |error: std::io::Error| {
        let message = format!("cannot read `{}`: {error}", path.display());
        Report::new("test::unreadable", message)
    };
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let files: std::io::Result<Vec<PathBuf>> = repository::files(path).collect();
    let mut found = files.map_err(unreadable)?;
    found.retain(|file| repository::ends_with(file, SUFFIX));
    if found.is_empty() {
        let message = format!("there are no tests in `{}`", path.display());
        let report = Report::new("test::no_tests", message);
        return Err(report.help(format!("the names of files of tests end with `{SUFFIX}`")));
    }
    Ok(found)
}

fn human(results: &Results) -> String {
    let mut out = String::new();
    let (mut passed, mut failed, mut plans, mut seconds) = (0, 0, 0, 0.0);
    for (file, outcomes) in results {
        let _ = writeln!(out, "{}", file.display());
        for outcome in outcomes {
            let word = if outcome.passed() { "ok    " } else { "FAILED" };
            let _ = writeln!(out, "  {word} {}", outcome.name);
            passed += usize::from(outcome.passed());
            failed += usize::from(!outcome.passed());
            plans += outcome.plans;
            seconds += outcome.duration.as_secs_f64();
        }
    }
    let counts = format!("{passed} passed, {failed} failed; plans: {plans}");
    let _ = writeln!(out, "{counts}, in {seconds:.2} s");
    out
}

fn report_text(outcome: &TestOutcome) -> String {
    let reports = outcome.reports.iter();
    let texts = reports.map(|report| render(report, &outcome.sources, Style::Human, false, 100));
    texts.collect()
}

fn tap(results: &Results) -> String {
    let count: usize = results.iter().map(|(_, outcomes)| outcomes.len()).sum();
    let mut out = format!("TAP version 14\n1..{count}\n");
    let mut number = 0;
    for (file, outcomes) in results {
        for outcome in outcomes {
            number += 1;
            let not = if outcome.passed() { "" } else { "not " };
            let name = &outcome.name;
            let _ = writeln!(out, "{not}ok {number} - {}: {name}", file.display());
            if !outcome.passed() {
                out.push_str("  ---\n  report: |\n");
                for line in report_text(outcome).lines() {
                    let _ = writeln!(out, "    {line}");
                }
                out.push_str("  ...\n");
            }
        }
    }
    out
}

fn junit(results: &Results) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (file, outcomes) in results {
        let failed = outcomes.iter().filter(|outcome| !outcome.passed()).count();
        let name = escaped(&file.display().to_string());
        let tests = outcomes.len();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\">"
        );
        for outcome in outcomes {
            let _ = write!(
                out,
                "    <testcase classname=\"{name}\" name=\"{}\" time=\"{:.4}\"",
                escaped(&outcome.name),
                outcome.duration.as_secs_f64()
            );
            match outcome.reports.first() {
                None => out.push_str("/>\n"),
                Some(first) => {
                    let _ = writeln!(
                        out,
                        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                        escaped(&first.message),
                        escaped(&report_text(outcome))
                    );
                }
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// For XML; control characters, which it cannot hold at all, become `?`.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('?'),
            c => out.push(c),
        }
    }
    out
}
