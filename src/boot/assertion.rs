//! What a recipe expects of an export that boots: looked at while it is built.

use std::path::Path;

use fs_err as fs;

use super::error::Error;
use super::job::{Boot, Means, Wanted, name};
use super::verdict::{Check, Verdict};
use crate::diagnose::{CommandReport, HintSet, Report};
use crate::export::OpenedExport;
use crate::plan::command::quote_all;
use crate::plan::{ExpectBoot, Key};
use crate::run::interrupt;

/// Changes when a boot with the same key would be looked at in another way.
const BOOT_CHECK: &str = "boot 1";

/// Boots what recipes expect to boot.
pub struct Boots<'a> {
    /// The texts of [`Means::FILES`].
    files: [String; 3],
    /// The known causes of failures; asked for when one is there.
    hints: &'a (dyn Fn() -> HintSet + Sync),
}

/// A boot that a recipe expects to succeed.
pub struct BootJob<'a> {
    pub expect: &'a ExpectBoot,
    /// What was exported.
    pub export: &'a Path,
    /// A folder for sockets and the like.
    pub work: &'a Path,
    /// Where the node's console goes.
    pub console: &'a Path,
    /// Gets what happens, line by line.
    pub see: &'a (dyn Fn(&str) + Sync),
}

impl<'a> Boots<'a> {
    /// `stdlib` returns the text of one of the stdlib's files.
    pub fn new(stdlib: &dyn Fn(&str) -> String, hints: &'a (dyn Fn() -> HintSet + Sync)) -> Self {
        let files = Means::FILES.map(stdlib);
        Boots { files, hints }
    }

    /// Stands for the artifact and everything that is looked at: a boot with the same key is
    /// not repeated. `None` if it is not known what the artifact was made from.
    pub fn key(&self, expect: &ExpectBoot, export: &Path) -> Option<Key> {
        let opened = OpenedExport::open(export).ok()?;
        let identity = opened.manifest.identity?;
        let expect = serde_json::to_string(expect).unwrap_or_default();
        let [machines, check, start] = &self.files;
        Some(Key::of(&[
            BOOT_CHECK,
            identity.as_str(),
            &expect,
            machines,
            check,
            start,
        ]))
    }

    /// Boots a node from the export.
    ///
    /// # Errors
    /// A report without a place in the recipe if the node does not come up, or a check fails.
    pub fn boot(&self, job: &BootJob<'_>) -> Result<(), Report> {
        let opened = OpenedExport::open(job.export).map_err(Report::from)?;
        let failed = |error: Error| with_rollback(error.report(&(self.hints)()), &opened);
        let boot = Boot {
            opened: &opened,
            wanted: &Wanted::from(job.expect),
            means: &Means::new(&self.files).map_err(failed)?,
            folder: job.work,
            console: job.console.to_owned(),
        };
        let verdict = boot.check(&interrupt::interrupted, &mut |line| (job.see)(line));
        let verdict = verdict.map_err(failed)?;
        verdict.to_string().lines().for_each(job.see);
        match verdict.holds() {
            true => Ok(()),
            false => Err(with_rollback(report(&verdict, &opened), &opened)),
        }
    }
}

/// What does not hold, as a report.
fn report(verdict: &Verdict, opened: &OpenedExport) -> Report {
    let wrong: Vec<&Check> = verdict.checks.iter().filter(|check| !check.holds).collect();
    let causes = wrong
        .iter()
        .map(|check| format!("{}: {}", check.what, check.found));
    let cause: Vec<String> = causes.collect();
    let console = fs::read(&verdict.console).unwrap_or_default();
    let seconds = verdict.host_times.last().map_or(0.0, |time| time.seconds);
    let name = name(opened);
    let message = format!("a node boots from the export `{name}`, but not all is well");
    Report::new("boot::expectation", message)
        .command(CommandReport {
            command: verdict.command.clone(),
            place: "on the host".to_owned(),
            status: format!("up after {seconds:.0} s, looked at, and ended"),
            lines: wrong.iter().flat_map(|check| check.lines.clone()).collect(),
            total_lines: String::from_utf8_lossy(&console).lines().count(),
            log: Some(verdict.console.clone()),
        })
        .cause(format!("this does not hold:\n{}", cause.join("\n")))
        .help("mend the recipe; or look around in the node, with its console on your terminal")
        .next(attend(opened))
}

/// The command that gives the node's console.
pub fn attend(opened: &OpenedExport) -> String {
    let path = opened.path.display().to_string();
    quote_all(&["rootwright", "boot", &path, "--interactive"].map(str::to_owned))
}

/// A version is the current one as soon as it is written.
fn with_rollback(report: Report, opened: &OpenedExport) -> Report {
    let out = opened.path.parent().and_then(Path::parent);
    let (Some(version), Some(out)) = (&opened.manifest.version, out) else {
        return report;
    };
    let (name, out) = (&opened.manifest.name, out.display().to_string());
    let words = ["rootwright", "export", "rollback", name, "--out", &out];
    report
        .help(format!(
            "nodes that boot from now on get version {version}; a rollback gives them the one before, if there is one"
        ))
        .next(quote_all(&words.map(str::to_owned)))
}
