//! Root privileges.

use std::path::PathBuf;

use super::host_tools::{HostTools, missing_of};
use crate::build::cache::Versions;
use crate::build::capture::preview_until_capture;
use crate::diagnose::{Report, Trouble};
use crate::recipe::{Settings, stdlib::Stdlib};

/// An error unless this process is root.
pub fn privileges() -> Option<Report> {
    if rustix::process::geteuid().is_root() {
        return None;
    }
    let own: Vec<String> = std::env::args().collect();
    Some(
        Report::new(
            "host::privileges",
            "must run as root: overlay mounts, device nodes and file owners need it",
        )
        .help("`rootwright plan` shows what would run, without privileges")
        .next(format!("sudo {}", crate::plan::command::quote_all(&own))),
    )
}

/// Like [`privileges`], with everything else that is known without them: what is wrong with
/// the recipes, and what this host does not have.
///
/// # Errors
/// When this process is not root.
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
