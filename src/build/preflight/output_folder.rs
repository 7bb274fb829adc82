//! What can be known of exports before a build starts.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD};
use std::fs;

use crate::diagnose::Report;
use crate::export::{Error, publish};
use crate::plan::Plan;
use crate::run::ordinary_user;

/// All that stands in the way of the exports of `plan`: their names, what is at
/// `OUT/NAME` now, and whether `out` can be written. Changes nothing. Empty for a plan
/// without exports.
pub fn check(plan: &Plan, out: &Path) -> Vec<Report> {
    let mut reports = Vec::new();
    let mut names = BTreeSet::new();
    for (step, export) in plan.exports() {
        let found = publish::check_name(&export.name).and_then(|()| {
            if !names.insert(&export.name) {
                return Err(Error::Twice {
                    name: export.name.clone(),
                });
            }
            // What is wrong with the folder itself is said once, below.
            match fs::metadata(out) {
                Ok(metadata) if metadata.is_dir() => {
                    let place = out.join(&export.name);
                    publish::refuse_foreign(&place, export.format.is_versioned())
                }
                _ => Ok(()),
            }
        });
        if let Err(error) = found {
            reports.push(Report::from(error).trace(step.calls.clone()));
        }
    }
    if plan.exports().next().is_some()
        && let Err(error) = writable(out)
    {
        let path = out.to_owned();
        reports.push(Error::Out { path, error }.into());
    }
    reports
}

/// Whether `out`, or the nearest folder above it that is there, can be written.
fn writable(out: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(out)?;
    for path in absolute.ancestors() {
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(rustix::io::Errno::NOTDIR.into());
            }
            Ok(_) => {
                let wanted = Access::WRITE_OK | Access::EXEC_OK;
                let look = || rustix::fs::accessat(CWD, path, wanted, AtFlags::EACCESS);
                // Folders are made with the user's rights, exports with the build's.
                let found = match path == absolute {
                    true => look(),
                    false => ordinary_user::as_user(look),
                };
                return Ok(found?);
            }
            // A link that leads nowhere cannot become a folder.
            Err(error) if fs::symlink_metadata(path).is_ok() => return Err(error),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
