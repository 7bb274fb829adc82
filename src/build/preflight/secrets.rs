//! Values of secrets.

use std::path::PathBuf;

use super::Findings;
use crate::diagnose::Report;
use crate::plan::{Plan, secret_variable};
use crate::run::{MissingSecret, NoValue, Secrets};

/// Collects the values; an error for each secret without one, at the call that needs it.
pub fn check(
    plan: &Plan,
    files: &[(String, PathBuf)],
    secrets: &mut Secrets,
    findings: &mut Findings,
) {
    let missing = secrets.collect(plan, files);
    let report = |MissingSecret { name, why, calls }: MissingSecret| {
        let report = Report::new("host::secrets", format!("the secret `{name}` has no value"));
        let report = report.trace(calls).cause(why.to_string());
        report.help(match why {
            NoValue::Large { .. } => {
                "secrets are kept in memory; copy a large file into the root with `root.copy_in`"
                    .to_owned()
            }
            _ => format!(
                "give its file with `--secret {name}=FILE`, or its value in `{}`",
                secret_variable(&name)
            ),
        })
    };
    if !missing.is_empty() {
        findings.add("secrets", missing.into_iter().map(report));
    }
}
