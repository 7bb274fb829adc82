//! `rootwright test`: tests that pass, tests that fail and what they say, formats.

use crate::support::{Project, rootwright, stderr, stdout};

const RECIPE: &str = r#"let release = option("release", #{ default: "one", choices: ["one", "two"] });
let root = bootstrap(#{ distro: "tiny", release: release });
root.install(["alpha"]);
root.write_file("/etc/motd", `release ${release}` + "\n");
root.nspawn_run(["sh", "-c", "true"], #{ stdin: secret("door") });
root.write_file("/etc/door", "key=" + secret("door") + "\n");
"#;

const PASSING: &str = r#"fn test_plan() {
    let plan = plan("node.rhai");
    assert_eq(plan.calls, ["bootstrap", "install", "write_file", "nspawn_run", "write_file"]);
    assert_contains(plan.commands, "sh -c true");
    assert_contains(plan.files, "/var/installed/alpha");
    assert_eq(plan.files["/etc/door"], "key=<secret door>\n");
    assert_eq(plan.options.release, "one");
    assert_lacks(plan.files, "/etc/nothing");
    assert_ne(plan.steps.len(), 0);
    assert(plan.roots[0].distro == "tiny");
}
fn test_table() {
    for row in each(#{ release: ["one", "two"] }) {
        assert_eq(plan("node.rhai", row).files["/etc/motd"], `release ${row.release}` + "\n");
    }
}
fn test_error() {
    let error = expect_error("node.rhai", #{ release: "three" });
    assert_eq(error.code, "script::bad_option_value");
    assert_eq(error.line, 1);
}
"#;

const FAILING: &str = r#"fn test_differs() {
    assert_eq(plan("node.rhai").files["/etc/motd"], "release two\n");
}
fn test_no_error() {
    expect_error("node.rhai");
}
fn test_lacks() {
    assert_contains(plan("node.rhai").calls, "dracut");
}
fn test_recipe_fails() {
    plan("node.rhai", #{ relase: "two" });
}
"#;

fn test(project: &Project, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = rootwright()
        .current_dir(project.path())
        .arg("test")
        .args(arguments)
        .env("ROOTWRIGHT_SECRET_DOOR", "swordfish")
        .output()
        .unwrap();
    let (out, err) = (stdout(&output), stderr(&output));
    assert!(!out.contains("swordfish") && !err.contains("swordfish"));
    (output.status.code(), out, err)
}

fn project(tests: &str) -> Project {
    let project = Project::new();
    project.write("node.rhai", RECIPE);
    project.write("node_test.rhai", tests);
    project
}

#[test]
fn tests_pass_in_the_order_of_the_file() {
    let (code, out, err) = test(&project(PASSING), &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.starts_with(
            "node_test.rhai\n  ok     test_plan\n  ok     test_table\n  ok     test_error\n3 passed, 0 failed; plans: 4, in "
        ),
        "{out}"
    );
}

#[test]
fn failures_show_their_line_and_both_values() {
    let (code, out, err) = test(&project(FAILING), &["node_test.rhai"]);
    assert_eq!(code, Some(1));
    assert!(out.contains("0 passed, 4 failed"), "{out}");
    for said in [
        "the two values differ",
        "node_test.rhai:2:5",
        "- release one",
        "+ release two",
        "`node.rhai` evaluates, and an error was expected",
        "node_test.rhai:5:5",
        "`dracut` is not in the value",
        "node_test.rhai:8:5",
        "the recipe has no option `relase`",
        "node_test.rhai:11:5",
        "did you mean `release`?",
    ] {
        assert!(err.contains(said), "{said} in:\n{err}");
    }
}

#[test]
fn other_formats() {
    let project = project(FAILING);
    let (code, out, _) = test(&project, &["--format", "tap"]);
    assert_eq!(code, Some(1));
    assert!(
        out.starts_with("TAP version 14\n1..4\nnot ok 1 - node_test.rhai: test_differs\n  ---\n"),
        "{out}"
    );
    let (code, out, _) = test(&project, &["--format", "junit"]);
    assert_eq!(code, Some(1));
    assert!(
        out.contains(r#"<testsuite name="node_test.rhai" tests="4" failures="4">"#),
        "{out}"
    );
    assert!(!out.contains('\u{1b}'), "{out}");
}

#[test]
fn snapshots_are_written_then_held() {
    let project = project(
        r#"fn test_it() { snapshot(plan("node.rhai"), "plain"); }
"#,
    );
    let (code, _, err) = test(&project, &[]);
    assert_eq!(code, Some(1));
    assert!(err.contains("there is no snapshot `plain`"), "{err}");
    assert_eq!(test(&project, &["--update"]).0, Some(0));
    assert_eq!(test(&project, &[]).0, Some(0));
    project.write("node.rhai", &RECIPE.replace("alpha", "beta"));
    let (code, _, err) = test(&project, &[]);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("the plan is not the snapshot `plain`"),
        "{err}"
    );
    assert!(err.contains("rootwright test --update"), "{err}");
}

#[test]
fn nothing_to_run_is_said() {
    let empty = Project::new();
    let (code, _, err) = test(&empty, &[]);
    assert_eq!(code, Some(1));
    assert!(err.contains("there are no tests in `.`"), "{err}");
    let (code, _, err) = test(&project("fn helper() { 1 }\n"), &[]);
    assert_eq!(code, Some(1));
    assert!(err.contains("`node_test.rhai` has no tests"), "{err}");
    assert!(err.contains("starts with `test_`"), "{err}");
}
