//! What a build of an ordinary user can't do.

use super::Findings;
use crate::diagnose::Report;
use crate::plan::{Op, Plan, RunPlace};
use crate::run::place;
use crate::store::owners::in_namespace;

/// An error for each operation that needs root of this host.
pub fn check(plan: &Plan, findings: &mut Findings) {
    if !in_namespace() {
        return;
    }
    let mut refused = Vec::new();
    for step in &plan.steps {
        for action in &step.actions {
            let (built_in, why) = match &action.op {
                Op::Run(run) if matches!(run.place, RunPlace::BootedRoot { .. }) => (
                    run.place.built_in(),
                    "it boots the root with systemd-nspawn, which only root of this host may start",
                ),
                Op::ExpectBoot(_) => (
                    "expect_boot",
                    "its servers and its network need root of this host",
                ),
                _ => continue,
            };
            let message = format!("an ordinary user's build has no `{built_in}`");
            let report = Report::new("host::rootless", message)
                .cause(why)
                .help("build this recipe as root, or take the call out")
                .trace(place(step, &action.calls));
            refused.push(report);
        }
    }
    findings.add("what a build without root can do", refused);
}
