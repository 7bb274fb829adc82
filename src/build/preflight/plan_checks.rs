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

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;

use super::call_site::{field, word};
use super::{Checked, Findings, HostTools};
use crate::diagnose::{Report, Severity, SourceMap, own_calls};
use crate::plan::{Check, Key, Plan, Unresolved};
use crate::run::process::Process;
use crate::run::{Settings, Values, how_it_ended};

/// How many run at a time: mostly they wait for an answer.
const AT_A_TIME: usize = 4;
/// As much of its output as a check may need.
const MOST_BYTES: usize = 1 << 20;
/// Lines of a check that are read.
const MOST_LINES: usize = 200;

/// A line of a check's output.
#[derive(Debug, Deserialize)]
struct CheckLine {
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
    /// Packages that would fix it, by family of the host.
    #[serde(default)]
    packages: BTreeMap<String, String>,
}

/// What one check found.
#[derive(Debug, Default)]
struct Answer {
    about: String,
    errors: Vec<Report>,
    warnings: Vec<Report>,
    /// What could not be checked, and why.
    unknown: Vec<String>,
    /// Packages of this host that would fix something.
    packages: Vec<String>,
}

/// What checks are given beside the plan.
pub struct Environment<'a> {
    pub tools: &'a HostTools,
    pub sources: &'a SourceMap,
    /// A folder of the store for what checks keep.
    pub cache: &'a Path,
    /// How long each may take.
    pub timeout: Duration,
    /// Whether repositories are asked, too.
    pub repositories: bool,
    pub settings: &'a Settings,
}

/// Runs the checks of a plan that were not run before, several at once.
pub fn check(
    plan: &Plan,
    environment: &Environment<'_>,
    checked: &mut BTreeSet<Checked>,
    findings: &mut Findings,
) {
    let known = |check: &Check| Key::of(&[serde_json::to_vec(check).unwrap_or_default()]);
    let checks = plan.checks.iter();
    let checks: Vec<&Check> = checks
        .filter(|check| environment.repositories || check.sources.is_empty())
        .filter(|check| checked.insert(Checked::PlanCheck(known(check))))
        .collect();
    for answer in run(plan, &checks, environment) {
        if !answer.errors.is_empty() || answer.unknown.is_empty() {
            findings.add(answer.about.clone(), answer.errors);
        }
        for why in answer.unknown {
            findings.unknown(answer.about.clone(), why);
        }
        findings.warnings.extend(answer.warnings);
        findings.packages.extend(answer.packages);
    }
}

fn run(plan: &Plan, checks: &[&Check], environment: &Environment<'_>) -> Vec<Answer> {
    let next = Mutex::new(checks.iter().enumerate());
    let mut found: Vec<(usize, Answer)> = std::thread::scope(|scope| {
        let work = || {
            let mut found = Vec::new();
            loop {
                let taken = next.lock().map(|mut next| next.next());
                let Ok(Some((number, check))) = taken else {
                    return found;
                };
                found.push((number, one(plan, check, environment)));
            }
        };
        let workers: Vec<_> = (0..AT_A_TIME.min(checks.len()))
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

fn one(plan: &Plan, check: &Check, environment: &Environment<'_>) -> Answer {
    let mut answer = Answer {
        about: check.about.clone(),
        ..Answer::default()
    };
    let said = listen(plan, check, environment);
    let (lines, trouble) =
        said.unwrap_or_else(|error| (Vec::new(), Some(format!("the check did not run: {error}"))));
    for line in lines {
        take(&mut answer, line, check, environment);
    }
    answer.unknown.extend(trouble);
    answer
}

/// Runs the command; gives the lines that it printed, and what went wrong with it itself.
fn listen(
    plan: &Plan,
    check: &Check,
    environment: &Environment<'_>,
) -> std::io::Result<(Vec<CheckLine>, Option<String>)> {
    let timeout = environment.timeout;
    let folder = tempfile::tempdir()?;
    let names = check.wants.iter().map(|want| format!("{}\n", want.name));
    let values = Values {
        plan,
        settings: environment.settings,
        root: Path::new("/"),
    };
    let missing = |missing: Unresolved| std::io::Error::other(missing.to_string());
    let mut process = Process::new(check.command.resolve(&values).map_err(missing)?)
        .env("HOME", folder.path())
        .env("TMPDIR", folder.path())
        .env("CACHE", environment.cache)
        // A little less than it has: what it knows, it can still say.
        .env("PATIENCE", (timeout.as_secs().max(2) - 1).to_string())
        .dir(folder.path())
        .writes(folder.path())
        .writes(environment.cache)
        .stdin(names.collect::<String>())
        .limit(timeout);
    let texts = check.command.arguments().chain(check.env.values());
    process = process.reads_all(texts.flat_map(|text| values.paths(text)));
    let root = plan.root(check.root);
    process = process.reads_all(root.map_or(&[][..], |root| &root.package_sources));
    for (name, value) in &check.env {
        process = process.env(name, value.resolve(&values).map_err(missing)?);
    }
    let said = process.capture(MOST_BYTES)?;
    let mut lines = Vec::new();
    let mut odd = None;
    let text = String::from_utf8_lossy(&said.stdout);
    for line in text.lines().take(MOST_LINES) {
        match serde_json::from_str::<CheckLine>(line) {
            Ok(line) => lines.push(line),
            Err(_) => odd = Some(format!("the check printed `{line}`, which is no finding")),
        }
    }
    let trouble = if said.ended.timed_out {
        let seconds = timeout.as_secs();
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
fn take(answer: &mut Answer, line: CheckLine, check: &Check, environment: &Environment<'_>) {
    if let Some(unknown) = line.unknown {
        answer.unknown.push(unknown);
        return;
    }
    let Some(message) = line.message else {
        let why = "the check printed a line without a message";
        answer.unknown.push(why.to_owned());
        return;
    };
    let number = line.line;
    let want = number.and_then(|number| check.wants.get(number.checked_sub(1)?));
    if let Some(step) = want.and_then(|want| want.after) {
        let why = format!("{message}, but step {step} may add others");
        answer.unknown.push(why);
        return;
    }
    let calls = own_calls(want.map_or(&check.calls, |want| &want.calls));
    let sources = environment.sources;
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
    let (report, package) = environment.tools.fixed_by(report, &line.packages);
    answer.packages.extend(package);
    match line.severity {
        Severity::Error => answer.errors.push(report),
        Severity::Warning | Severity::Note => answer.warnings.push(report),
    }
}
