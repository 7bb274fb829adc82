//! What the plan's own checks say: commands of the host that change nothing.
//!
//! A check gets the names that it is about on standard input, a line each, a folder in
//! `CACHE` to keep downloads in, and in `PATIENCE` how many seconds it has. It runs in an
//! empty folder of its own, in a clean environment. Every line that it prints is a JSON
//! object; that it prints none means that all is well.
//!
//! ```text
//! {"message": …}    a finding; where known with `cause`, `help`, `line` (of standard input,
//!                   from 1, that it is about), `field` or `word` (of the call, to be
//!                   underlined), `packages` (that cure it, by family of hosts), `severity`
//!                   (`warning` keeps nobody from building)
//! {"unknown": …}    what could not be checked, and why
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;

use super::HostTools;
use crate::diagnose::{Frame, Position, Report, Severity, SourceMap, Span};
use crate::plan::{Check, Plan};
use crate::run::how_it_ended;
use crate::run::process::Process;

/// How many run at a time: mostly they wait for an answer.
const AT_A_TIME: usize = 4;
/// As much of its output as a check may need.
const MOST_BYTES: usize = 1 << 20;
/// Lines of a check that are read.
const MOST_LINES: usize = 200;
/// How the names of embedded scripts begin in spans.
const STDLIB: &str = "stdlib:";

/// A line of a check's output.
#[derive(Debug, Deserialize)]
struct Line {
    /// A finding: what is wrong.
    message: Option<String>,
    /// What could not be looked at, and why.
    unknown: Option<String>,
    #[serde(default)]
    severity: Severity,
    cause: Option<String>,
    help: Option<String>,
    /// The line of standard input that the finding is about, counted from 1.
    line: Option<usize>,
    /// The field of the call, or the word in it, that is underlined.
    field: Option<String>,
    word: Option<String>,
    /// Packages that would cure it, by family of the host.
    #[serde(default)]
    packages: BTreeMap<String, String>,
}

/// What one check found.
#[derive(Debug, Default)]
pub struct Checked {
    pub about: String,
    pub wrong: Vec<Report>,
    /// What is odd, and keeps nobody from building.
    pub odd: Vec<Report>,
    /// What could not be checked, and why.
    pub unknown: Vec<String>,
    /// Packages of this host that would cure something.
    pub packages: Vec<String>,
}

/// What checks are given beside the plan.
pub struct Circumstances<'a> {
    pub tools: &'a HostTools,
    pub sources: &'a SourceMap,
    /// A folder of the store for what checks keep.
    pub cache: &'a Path,
    /// How long each may take.
    pub limit: Duration,
    /// Whether archives are asked, too.
    pub archives: bool,
}

/// Runs the checks of a plan, several at once.
pub fn run(plan: &Plan, circumstances: &Circumstances<'_>) -> Vec<Checked> {
    let asked: Vec<&Check> = plan
        .checks
        .iter()
        .filter(|check| circumstances.archives || check.sources.is_empty())
        .collect();
    let next = Mutex::new(asked.iter().enumerate());
    let mut found: Vec<(usize, Checked)> = std::thread::scope(|scope| {
        let work = || {
            let mut found = Vec::new();
            loop {
                let taken = next.lock().map(|mut next| next.next());
                let Ok(Some((number, check))) = taken else {
                    return found;
                };
                found.push((number, one(check, circumstances)));
            }
        };
        let workers: Vec<_> = (0..AT_A_TIME.min(asked.len()))
            .map(|_| scope.spawn(work))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_default())
            .collect()
    });
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, checked)| checked).collect()
}

fn one(check: &Check, circumstances: &Circumstances<'_>) -> Checked {
    let mut checked = Checked {
        about: check.about.clone(),
        ..Checked::default()
    };
    match listen(check, circumstances) {
        Ok((lines, trouble)) => {
            for line in lines {
                take(&mut checked, line, check, circumstances);
            }
            checked.unknown.extend(trouble);
        }
        Err(error) => checked
            .unknown
            .push(format!("the check did not run: {error}")),
    }
    checked
}

/// Runs the command; gives the lines that it printed, and what went wrong with it itself.
fn listen(
    check: &Check,
    circumstances: &Circumstances<'_>,
) -> std::io::Result<(Vec<Line>, Option<String>)> {
    let limit = circumstances.limit;
    let folder = tempfile::tempdir()?;
    let names: String = check
        .wants
        .iter()
        .map(|want| format!("{}\n", want.name))
        .collect();
    let mut process = Process::new(&check.argv)
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path())
        .env("CACHE", circumstances.cache)
        // A little less than it has: what it knows, it can still say.
        .env("PATIENCE", (limit.as_secs().max(2) - 1).to_string())
        .dir(folder.path())
        .stdin(names)
        .limit(limit);
    for (name, value) in &check.env {
        process = process.env(name, value);
    }
    let said = process.capture(MOST_BYTES)?;
    let mut lines = Vec::new();
    let mut odd = None;
    for line in String::from_utf8_lossy(&said.stdout)
        .lines()
        .take(MOST_LINES)
    {
        match serde_json::from_str::<Line>(line) {
            Ok(line) => lines.push(line),
            Err(_) => odd = Some(format!("the check printed `{line}`, which is no finding")),
        }
    }
    let trouble = if said.ended.timed_out {
        let seconds = limit.as_secs();
        Some(format!("no answer within {seconds} seconds"))
    } else if !said.ended.status.success() {
        let errors = said.stderr();
        let last = errors.lines().last().unwrap_or("it says nothing");
        let status = how_it_ended(said.ended.status);
        Some(format!("the check failed ({status}): {last}"))
    } else {
        odd
    };
    Ok((lines, trouble))
}

/// Adds what a line says.
fn take(checked: &mut Checked, line: Line, check: &Check, circumstances: &Circumstances<'_>) {
    if let Some(unknown) = line.unknown {
        checked.unknown.push(unknown);
        return;
    }
    let Some(message) = line.message else {
        let why = "the check printed a line without a message";
        checked.unknown.push(why.to_owned());
        return;
    };
    let want = line
        .line
        .and_then(|number| check.wants.get(number.checked_sub(1)?));
    if let Some(step) = want.and_then(|want| want.after) {
        let why = format!("{message}, but step {step} may add others");
        checked.unknown.push(why);
        return;
    }
    let calls = want.map_or(&check.calls, |want| &want.calls);
    let calls = own_frames(calls);
    let sources = circumstances.sources;
    let literal = want.and_then(|want| want.literal.clone());
    let focus = literal.or_else(|| {
        calls.iter().rev().find_map(|frame| {
            let named = line.word.as_deref().and_then(|w| word(sources, frame, w));
            named.or_else(|| field(sources, frame, line.field.as_deref()?))
        })
    });
    let mut report = Report::new("host::check", message).trace(calls);
    report.severity = line.severity;
    report.cause = line.cause;
    report.help.extend(line.help);
    if focus.is_some() {
        report = report.focus(focus).label("here");
    }
    let (report, package) = circumstances.tools.cured_by(report, &line.packages);
    checked.packages.extend(package);
    match line.severity {
        Severity::Error => checked.wrong.push(report),
        Severity::Warning | Severity::Note => checked.odd.push(report),
    }
}

/// The calls of the recipe and its own modules: how the stdlib asks is of no interest to who
/// has to mend the recipe.
fn own_frames(calls: &[Frame]) -> Vec<Frame> {
    let own = |frame: &&Frame| !frame.span.file.starts_with(STDLIB);
    calls.iter().take_while(own).cloned().collect()
}

/// The report, drawn at the first of these fields that the call has.
pub fn at_field(mut report: Report, sources: &SourceMap, fields: &[&str]) -> Report {
    report.trace = own_frames(&report.trace);
    let focus = fields.iter().find_map(|name| {
        let frames = report.trace.iter().rev();
        frames
            .filter_map(|frame| field(sources, frame, name))
            .next()
    });
    match focus {
        Some(span) => report.focus(Some(span)).label("here"),
        None => report,
    }
}

/// Where a call names a word in quotes.
fn word(sources: &SourceMap, frame: &Frame, word: &str) -> Option<Span> {
    let quoted = ['"', '`'].map(|quote| format!("{quote}{word}{quote}"));
    find(sources, frame, |text| {
        let at = quoted.iter().find_map(|quoted| text.find(quoted))?;
        Some((at, word.len() + 2))
    })
}

/// Where a call has a field of this name.
fn field(sources: &SourceMap, frame: &Frame, name: &str) -> Option<Span> {
    find(sources, frame, |text| {
        let begins = |at: usize| {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '"')
        };
        let ends = |at: usize| {
            let rest = text.get(at + name.len()..).unwrap_or_default();
            rest.trim_start().starts_with(':')
        };
        text.match_indices(name)
            .map(|(at, _)| at)
            .find(|at| begins(*at) && ends(*at))
            .map(|at| (at, name.len()))
    })
}

/// A place in the text of a call, from its byte offset and its length.
fn find(
    sources: &SourceMap,
    frame: &Frame,
    look: impl FnOnce(&str) -> Option<(usize, usize)>,
) -> Option<Span> {
    let text = sources.get(&frame.span.file)?;
    let range = sources.byte_range(&frame.span)?;
    let (offset, length) = look(text.get(range.clone())?)?;
    let start = range.start + offset;
    let position = |byte: usize| -> Option<Position> {
        let before = text.get(..byte)?;
        let line = before.rsplit('\n').next().unwrap_or(before);
        Some(Position {
            line: u32::try_from(before.matches('\n').count()).ok()? + 1,
            column: u32::try_from(line.chars().count()).ok()? + 1,
        })
    };
    Some(Span {
        file: frame.span.file.clone(),
        start: position(start)?,
        end: position(start + length)?,
    })
}
