//! Root privileges.

use std::path::PathBuf;

use super::host_root::with_sudo;
use super::host_tools::{HostTools, missing_of};
use crate::build::cache::Versions;
use crate::build::capture::preview_until_capture;
use crate::diagnose::{Report, Trouble};
use crate::recipe::{Settings, stdlib::Stdlib};
use crate::run::rootless::{self, Obstacle};

/// An error unless this process is root, or can become root of a user namespace.
pub fn privileges() -> Option<Report> {
    if rustix::process::geteuid().is_root() {
        return None;
    }
    let obstacles = rootless::obstacles();
    if obstacles.is_empty() {
        return None;
    }
    let causes: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
    let report = Report::new(
        "host::privileges",
        "must run as root, or as a user who has subordinate IDs (subuid(5))",
    )
    .cause(causes.join("\n"));
    let report = obstacles
        .iter()
        .fold(report, |report, obstacle| report.help(obstacle.help()))
        .help("`rootwright plan` shows what would run, without privileges");
    let cures = obstacles.iter().filter_map(Obstacle::cure);
    let cures = install(&obstacles).into_iter().chain(cures);
    Some(cures.fold(report, Report::next).next(with_sudo()))
}

/// The command that installs the programs that are missing, if the standard library knows it.
fn install(obstacles: &[Obstacle]) -> Option<String> {
    let tools = HostTools::load(&Stdlib::new(None)).ok()?;
    let programs = obstacles.iter().filter_map(Obstacle::program);
    let packages = programs.filter_map(|program| tools.package_of(program));
    let command = tools.install_command(&packages.collect())?;
    Some(crate::plan::command::quote_all(&command))
}

/// Like [`privileges`], with everything else that is known without them: what is wrong with
/// the recipes, and what this host does not have.
///
/// # Errors
/// When this process can't build.
pub fn privileges_for(
    recipes: impl FnOnce() -> Result<Vec<(PathBuf, Settings)>, Trouble>,
) -> Result<(), Trouble> {
    let Some(report) = privileges() else {
        return Ok(());
    };
    let mut trouble = Trouble::from(report);
    for (recipe, settings) in &recipes()? {
        let known = preview_until_capture(recipe, settings, None, &Versions::default())?;
        let tools = HostTools::load(&Stdlib::new(settings.stdlib.clone()))?;
        let missing = missing_of(&known.plan, &tools);
        // Several recipes need the same tools.
        let new = missing.filter(|new| trouble.reports.iter().all(|r| r.cause != new.cause));
        trouble.reports.extend(new);
    }
    Err(trouble)
}
