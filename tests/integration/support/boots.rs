//! What `rootwright boot` has to say of a node that is as it should be.

use std::process::Output;

use serde_json::Value;

use super::{stderr, stdout};

/// All that `rootwright boot` looks at holds, of a node that is up when it is at `goal`.
pub fn holds(verdict: &Value, over: &str, goal: &str) {
    let checks = verdict["checks"].as_array().unwrap();
    let names: Vec<&str> = checks
        .iter()
        .map(|check| check["what"].as_str().unwrap())
        .collect();
    for name in [
        &format!("reached {goal}"),
        &format!("/ is an overlay over {over}"),
        "what is below cannot be written",
        "a write to / succeeds",
        "no unit has failed",
        "what was served is unchanged",
    ] {
        assert!(names.contains(&name), "{name}: {verdict}");
    }
    for check in checks {
        assert_eq!(check["holds"], true, "{verdict}");
    }
    let times: Vec<&str> = ["node_times", "host_times"]
        .iter()
        .flat_map(|list| verdict[*list].as_array().unwrap())
        .map(|time| time["name"].as_str().unwrap())
        .collect();
    // Only systemd knows when its initramfs began.
    let initramfs = (goal == "multi-user.target").then_some("initramfs");
    for name in ["kernel runs", goal].into_iter().chain(initramfs) {
        assert!(times.contains(&name), "{name}: {verdict}");
    }
    let (used, total) = (&verdict["memory"][0], &verdict["memory"][1]);
    assert!(
        used.as_u64() > Some(50) && used.as_u64() < total.as_u64(),
        "{verdict}"
    );
}

/// What `rootwright boot --format json` has found.
pub fn verdict(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|_| panic!("{}", stderr(output)))
}
