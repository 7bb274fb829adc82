//! Secrets and `capture`: when values are taken, and what happens without them.

use std::process::{Command, Output};

use crate::support::{Project, run, stderr, stdout, tiny};

const EXPORT: &str = r#"root.export(#{ format: "dir", name: "x" });"#;

fn recipe(steps: &str) -> String {
    tiny(&format!("{steps}\n{EXPORT}\n"))
}

fn read(project: &Project, path: &str) -> String {
    project.read(&format!("out/x/root/{path}"))
}

#[track_caller]
fn fails(output: &Output, parts: &[&str]) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn capture_without_preview_works_on_the_first_build() {
    let project = Project::new();
    let recipe = recipe(r#"root.write_file("/v", root.capture(["echo", "real"]));"#);
    project.recipe(&recipe).build().success();
    assert_eq!(read(&project, "v"), "real");
    // With the build, a preview knows it, too.
    let words = [
        "plan",
        "recipe.rhai",
        "--allow-host-run",
        "--format",
        "json",
    ];
    let plan = stdout(&project.command(&words).success());
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let captured = serde_json::json!([
        { "command": { "program": ["echo", "real"] }, "source": "remembered", "output": "real" }
    ]);
    assert_eq!(plan["captures"], captured);
    assert!(!plan["assumptions"].to_string().contains("real"));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_captured_command_has_its_standard_input() {
    let project = Project::new();
    let recipe = recipe(r#"root.write_file("/v", root.capture(["cat"], #{ stdin: "told" }));"#);
    project.recipe(&recipe).build().success();
    assert_eq!(read(&project, "v"), "told");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn doctor_checks_what_comes_before_a_capture() {
    let project = Project::new();
    project.write(
        "recipe.rhai",
        &recipe(
            r#"root.write_file("/k", secret("key"));
root.capture(["ls"]);"#,
        ),
    );
    let words = ["doctor", "recipe.rhai", "--allow-host-run"];
    let output = project.command(&words).output();
    fails(
        &output,
        &["the secret `key` has no value", "recipe.rhai:2:"],
    );
    assert!(
        stdout(&output).contains("unknown  the steps after `capture` at recipe.rhai:3:"),
        "{}",
        stdout(&output)
    );
}

/// The first evaluation of a build, with the preview's stand-in, did not see the secret.
#[test]
#[ignore = "run with tests/run tiny"]
fn a_secret_that_only_the_real_output_leads_to_is_asked_for() {
    let project = Project::new();
    let recipe = recipe(
        r#"let mode = root.capture(["echo", "secure"], #{ preview: "plain" });
if mode == "secure" {
  root.write_file("/k", "key=" + secret("late"));
}"#,
    );
    for _ in 0..2 {
        let output = project.recipe(&recipe).build().output();
        fails(
            &output,
            &["the secret `late` has no value", "recipe.rhai:4:"],
        );
        assert!(!project.out().join("x").exists());
    }
    project
        .recipe(&recipe)
        .build()
        .env("ROOTWRIGHT_SECRET_LATE", "v1")
        .success();
    assert_eq!(read(&project, "k"), "key=v1");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_is_missing_is_reported_before_a_capture_builds() {
    let project = Project::new();
    let recipe = recipe(
        r#"root.write_file("/a", secret("one"));
root.write_file("/b", secret("two"));
root.capture(["cat", "/a"], #{ env: #{ K: secret("three") } });"#,
    );
    let output = project.recipe(&recipe).build().output();
    fails(
        &output,
        &[
            "`one` has no value",
            "`two` has no value",
            "`three` has no value",
        ],
    );
    assert!(
        !stderr(&output).contains("bootstrap tiny "),
        "{}",
        stderr(&output)
    );
    assert_eq!(stderr(&output).matches("`one` has no value").count(), 1);
    let layers = std::fs::read_dir(project.store().join("layers")).unwrap();
    assert_eq!(layers.count(), 0);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_script_cannot_catch_a_capture_that_fails() {
    let project = Project::new();
    let recipe = recipe(r#"try { root.capture(["false"]); } catch { }"#);
    let output = project.recipe(&recipe).build().output();
    fails(
        &output,
        &["`false` ended with exit status 1", "recipe.rhai:2:"],
    );
    assert!(!project.out().join("x").exists());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_empty_value_is_an_error() {
    let project = Project::new();
    let recipe = recipe(r#"root.write_file("/k", secret("key"));"#);
    let build = project.recipe(&recipe).build();
    let output = build.env("ROOTWRIGHT_SECRET_KEY", "").output();
    fails(
        &output,
        &[
            "the secret `key` has no value",
            "`ROOTWRIGHT_SECRET_KEY` is empty",
        ],
    );
    project.write("empty", "");
    let build = project.recipe(&recipe).build();
    let output = build.args(["--secret", "key=empty"]).output();
    fails(
        &output,
        &["the secret `key` has no value", "`empty` is empty"],
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_shell_fails_where_a_step_needs_a_secret_without_a_value() {
    let project = Project::new();
    let recipe = recipe(
        r#"root.write_file("/a", "");
root.write_file("/k", secret("key"));"#,
    );
    project
        .recipe(&recipe)
        .build()
        .env("ROOTWRIGHT_SECRET_KEY", "v1")
        .success();
    let shell = |step: &str| {
        let words = [
            "shell",
            "recipe.rhai",
            "--allow-host-run",
            "--step",
            step,
            "--",
            "cat",
            "/k",
        ];
        project.command(&words).output()
    };
    // In the middle of a layer, the steps up to there run again.
    let output = shell("2");
    assert!(!stderr(&output).contains("no value"), "{}", stderr(&output));
    assert_eq!(stdout(&shell("3")), "v1");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn secrets_with_the_same_variable_are_refused() {
    let project = Project::new();
    for other in ["a_b", "A-B"] {
        let lines = text!(
            r#"root.write_file("/x", secret("a-b"));
root.write_file("/y", secret("{other}"));"#,
            other
        );
        project.write("recipe.rhai", &recipe(&lines));
        let words = ["plan", "recipe.rhai", "--allow-host-run"];
        let output = project.command(&words).output();
        let message = format!("the secrets `a-b` and `{other}` have the same variable");
        fails(
            &output,
            &[&message, "`ROOTWRIGHT_SECRET_A_B`", "recipe.rhai:3:"],
        );
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn secrets_of_two_recipes_do_not_share_a_variable() {
    let project = Project::new();
    for (name, secret) in [("one", "a-b"), ("two", "a_b")] {
        let export = text!(r#"root.export(#{ format: "dir", name: "{name}" });"#, name);
        let lines = tiny(&text!(
            r#"root.write_file("/x", secret("{secret}"));
{export}"#,
            secret,
            export
        ));
        project.write(&format!("{name}.rhai"), &lines);
    }
    let words = ["build", "one.rhai", "two.rhai", "--allow-host-run"];
    let build = project.command(&words);
    let output = build.env("ROOTWRIGHT_SECRET_A_B", "v1").output();
    let why = "`ROOTWRIGHT_SECRET_A_B` is the value of the secret `a-b`";
    fails(&output, &["the secret `a_b` has no value", why]);
    project.write("value", "v2");
    let build = project.command(&words);
    let build = build.args(["--secret", "a_b=value"]);
    build.env("ROOTWRIGHT_SECRET_A_B", "v1").success();
}

#[test]
#[ignore = "run with tests/run tiny"]
fn of_several_recipes_each_takes_its_options_and_captures() {
    let project = Project::new();
    for name in ["one", "two"] {
        let lines = text!(
            r#"let v = option("{name}", #{ default: "" });
let root = bootstrap(#{ distro: "tiny" });
root.write_file("/x", v + root.capture(["echo", v]));
root.export(#{ format: "dir", name: "{name}" });"#,
            name
        );
        project.write(&format!("{name}.rhai"), &lines);
    }
    let words = ["build", "one.rhai", "two.rhai", "--allow-host-run"];
    project
        .command(&words)
        .option("one=1")
        .option("two=2")
        .success();
    let text = std::fs::read_to_string(project.out().join("two/root/x")).unwrap();
    assert_eq!(text, "22");
    let output = project.command(&words).option("three=3").output();
    fails(&output, &["unknown option `three`"]);
}

/// A command of the host and one in the root look through every process that they see: only what
/// the recipe gave them is there, and not what else the build was given.
#[test]
#[ignore = "run with tests/run tiny"]
fn commands_see_no_secret_but_their_own() {
    const LOOK: &str = "for file in /proc/[0-9]*/environ; do tr '\\0' '\\n' <$file || true; done";
    let project = Project::new();
    project.tiny(format!(
        r#"root.host_run(script(`{LOOK}`));
root.nspawn_run(`{LOOK}`, #{{ env: #{{ GIVEN: secret("given") }} }});
root.write_file("/etc/other", secret("other"));
"#
    ));
    project
        .build()
        .env("ROOTWRIGHT_SECRET_GIVEN", "given-4711")
        .env("ROOTWRIGHT_SECRET_OTHER", "other-4711")
        .env("ROOTWRIGHT_SECRET_UNUSED", "unused-4711")
        .success();
    let logs = run(Command::new("grep")
        .args(["-rhE", "=|secret"])
        .arg(project.store().join("logs")));
    let said = stdout(&logs);
    assert!(
        said.contains("GIVEN=<secret given>") && said.contains("PATH="),
        "{said}"
    );
    for value in ["4711", "<secret other>", "SECRET_UNUSED"] {
        assert!(!said.contains(value), "{value}: {said}");
    }
}
