//! The keys that packages and repositories are checked with.

use super::call_site::at_field;
use super::{Findings, HostTools, Subject};
use crate::plan::{Keyring, Names};
use crate::run::{Settings, keyrings};

/// Fields of a call that say which keys it wants.
const FIELDS: [&str; 5] = ["fingerprints", "keyring", "sha256", "key", "release"];

/// Makes the keyrings that will be used.
pub fn check(
    subject: &Subject<'_>,
    tools: &HostTools,
    settings: &Settings,
    findings: &mut Findings,
) {
    let (plan, store) = (subject.plan, &settings.store);
    for keyring in used(subject) {
        let failed = keyrings::ensure(keyring, plan, &settings.files, store)
            .err()
            .map(|report| {
                let report = at_field(report, subject.sources, &FIELDS);
                let (report, package) = tools.fixed_by(report, &keyring.packages);
                findings.packages.extend(package);
                report
            });
        findings.add(format!("the keys of {}", keyring.about), failed);
    }
}

/// The keyrings of steps that will run, and of checks that ask repositories.
fn used<'a>(subject: &Subject<'a>) -> Vec<&'a Keyring> {
    let plan = subject.plan;
    let mut used = Names::default();
    for step in &plan.steps {
        if subject.steps.contains(&step.number) {
            used.keyrings.extend(step.uses.keyrings.iter().cloned());
        }
    }
    if subject.repositories {
        for check in &plan.checks {
            let arguments = check.command.arguments().chain(check.env.values());
            arguments.for_each(|argument| used.add(argument));
        }
    }
    let keyrings = plan.keyrings.iter();
    keyrings
        .filter(|keyring| used.keyrings.contains(&keyring.name))
        .collect()
}
