//! Environments of commands that the kernel would refuse.

use std::path::Path;

use super::Findings;
use crate::plan::Plan;
use crate::run::{Settings, Values, Words, place};

/// An error for each command that can't be started with what the plan gives it.
pub fn check(plan: &Plan, settings: &Settings, findings: &mut Findings) {
    let values = Values {
        plan,
        settings,
        // Where it will be is as long as this, or little longer.
        root: Path::new("/"),
    };
    let mut refused = Vec::new();
    for step in &plan.steps {
        for action in &step.actions {
            let report = action.op.run().and_then(|run| Words::refused(run, &values));
            refused.extend(report.map(|report| report.trace(place(step, &action.calls))));
        }
    }
    if !refused.is_empty() {
        findings.add("environments of commands", refused);
    }
}
