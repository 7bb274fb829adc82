//! The keys that packages and repositories are checked with.

use std::collections::BTreeSet;

use super::call_site::at_field;
use super::{Findings, HostTools, Subject};
use crate::plan::Keyring;
use crate::run::keyrings;
use crate::store::Store;

/// Fields of a call that say which keys it wants.
const FIELDS: [&str; 5] = ["fingerprints", "keyring", "sha256", "key", "release"];

/// Makes the keyrings that will be used.
pub fn check(subject: &Subject<'_>, tools: &HostTools, store: &Store, findings: &mut Findings) {
    for keyring in used(subject) {
        let failed = keyrings::ensure(keyring, store).err().map(|report| {
            let report = at_field(*report, subject.sources, &FIELDS);
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
    let steps = plan.steps.iter();
    let mut paths: BTreeSet<&str> = steps
        .filter(|step| subject.steps.contains(&step.number))
        .flat_map(|step| keyrings::of_step(plan, step))
        .map(|keyring| keyring.path.as_str())
        .collect();
    if subject.repositories {
        let values = plan.checks.iter().flat_map(|check| check.env.values());
        paths.extend(values.map(String::as_str));
    }
    let used = |keyring: &&Keyring| paths.contains(keyring.path.as_str());
    plan.keyrings.iter().filter(used).collect()
}
