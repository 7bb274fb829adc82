//! What bash and shellcheck say of scripts of plans.

use std::io::Write;
use std::process::Command;

use rootwright::preview::sh;

use crate::support::plans::{self, plan};

/// Neither bash nor shellcheck has anything to say.
fn sound(script: &str) {
    let mut file = tempfile::Builder::new().suffix(".sh").tempfile().unwrap();
    file.write_all(script.as_bytes()).unwrap();
    for (tool, flag) in [("bash", "-n"), ("shellcheck", "--color=never")] {
        let output = Command::new(tool)
            .arg(flag)
            .arg(file.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{tool}:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_diskless_debian() {
    sound(&sh(&plans::debian_nfs()).unwrap());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn scripts_are_sound_whatever_is_in_them() {
    sound(&sh(&plans::nasty()).unwrap());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_runtime_is_sound() {
    sound(rootwright::plan::command::SHELL_RUNTIME);
}

/// One by one, so that each is seen without what the others define.
#[test]
#[ignore = "run with tests/run tiny"]
fn every_operation_alone_brings_what_it_needs() {
    let all = plans::nasty();
    let Some(step) = all.steps.get(5) else {
        panic!("the plan has more steps")
    };
    for action in &step.actions {
        let mut one = all.clone();
        one.steps = vec![rootwright::plan::Step {
            actions: vec![action.clone()],
            ..step.clone()
        }];
        sound(&sh(&one).unwrap());
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_empty_plan_is_a_script_too() {
    sound(&sh(&plan("a.rhai", "").done()).unwrap());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn roots_of_one_name() {
    sound(&sh(&plans::two_roots_of_one_name()).unwrap());
}
