use std::io::Write;
use std::process::Command;

use rootwright::plan::render::{secret_variable, sh};
use rootwright::plan::{Format, Op, Plan};

use crate::support::plans::{self, export, plan, write};

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
fn a_diskless_debian() {
    let script = sh(&plans::debian_nfs());
    sound(&script);
    insta::assert_snapshot!(script);
}

#[test]
fn scripts_are_sound_whatever_is_in_them() {
    sound(&sh(&plans::nasty()));
}

/// One by one, so that each is seen without what the others define.
#[test]
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
        sound(&sh(&one));
    }
}

#[test]
fn an_empty_plan_is_a_script_too() {
    sound(&sh(&plan("a.rhai", "").done()));
}

#[test]
fn a_secret_is_a_variable() {
    assert_eq!(
        secret_variable("root-password"),
        "ROOTWRIGHT_SECRET_ROOT_PASSWORD"
    );
    let script = sh(&plans::debian_nfs());
    assert!(script.contains("[[ -n ${ROOTWRIGHT_SECRET_ADMIN_PASSWORD+set} ]]"));
}

#[test]
fn roots_of_one_name_get_directories_of_their_own() {
    let plan: Plan = plan("a.rhai", "")
        .root("x", ["any", "", ""], None)
        .root("x", ["any", "", ""], Some((0, 1)))
        .step(0, "write_file", "w", vec![write("/a", "a\n")])
        .step(1, "export", "e", vec![Op::Export(export("e", Format::Dir))])
        .done();
    let script = sh(&plan);
    sound(&script);
    assert!(script.contains("\"$work/x-0\"") && script.contains("\"$work/x-1\""));
}
