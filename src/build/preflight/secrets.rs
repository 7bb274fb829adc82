//! Values of secrets.

use std::path::PathBuf;

use super::Findings;
use crate::diagnose::Report;
use crate::plan::{Plan, secret_variable};
use crate::run::{MissingSecret, Secrets};

/// Collects the values; an error for each secret without one, at the call that needs it.
pub fn check(
    plan: &Plan,
    files: &[(String, PathBuf)],
    secrets: &mut Secrets,
    findings: &mut Findings,
) {
    let missing = secrets.collect(plan, files);
    let report = |MissingSecret { name, why, calls }: MissingSecret| {
        Report::new("host::secrets", format!("the secret `{name}` has no value"))
            .trace(calls)
            .cause(why)
            .help(format!(
                "give its file with `--secret {name}=FILE`, or its value in `{}`",
                secret_variable(&name)
            ))
    };
    if !missing.is_empty() {
        findings.add("secrets", missing.into_iter().map(report));
    }
}
