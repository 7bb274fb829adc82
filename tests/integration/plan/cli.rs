//! The command line: exact words for what people get wrong.

use std::path::Path;

use crate::support::{Project, rootwright, stderr, stdout};

pub const DEBIAN: &str = r#"let release = option("release", #{ default: "bookworm", choices: ["bookworm", "trixie"] });
let root = bootstrap(#{ distro: "debian", release: release, mirror: "http://mirror.example.org/debian" });
"#;

#[test]
fn bad_recipes_get_clear_errors() {
    let project = Project::new();
    project
        .file("node.rhai", DEBIAN)
        .file("broken.rhai", "let x = ;\n")
        .file("typo.rhai", "let a = 1;\nroot_of(instal);\n");
    std::fs::write(project.path().join("latin.rhai"), b"// caf\xe9\n").unwrap();
    let plan = |name: &str| project.command(&["plan", name]);
    plan("nod.rhai").failure().stderr(
        "  x cannot read `nod.rhai`: there is no such file\n  help: did you mean `node.rhai`?\n",
    );
    plan("distro").failure().stderr(
        "  x `distro` is a folder, not a recipe\n  help: `rootwright list distro` shows the recipes in it\n",
    );
    plan("latin.rhai").failure().stderr(
        "  x `latin.rhai` is not UTF-8 text: the bytes in line 1 are not characters\n  help: save it as UTF-8\n",
    );
    plan("broken.rhai")
        .failure()
        .stderr_contains(["broken.rhai:1:9"]);
    let said = plan("typo.rhai")
        .args(["--error-format", "short"])
        .failure()
        .err();
    assert!(said.starts_with("typo.rhai:2:"), "{said}");
}

#[test]
fn options_are_checked_by_name_and_choice() {
    let project = Project::new();
    project.recipe(DEBIAN);
    project
        .plan()
        .option("relase=trixie")
        .failure()
        .stderr("  x the recipe has no option `relase`\n  help: did you mean `release`?\n");
    project
        .plan()
        .option("release=trixi")
        .failure()
        .stderr_contains([
            "`trixi` is no value of the option `release`",
            "recipe.rhai:1:15",
            "did you mean `-o release=trixie`?",
        ]);
    project.plan().option("release").status(2);
}

#[test]
fn errors_are_data_where_asked_for() {
    let project = Project::new();
    project.recipe("nothing(1);");
    let plan = project.plan().args(["--error-format", "json"]);
    let report = plan.failure().report();
    assert_eq!(report["code"], "script::unknown_function");
    assert_eq!(report["trace"][0]["span"]["start"]["line"], 1);
}

#[test]
fn a_wrong_command_line_is_a_report_like_any_other() {
    let wrong: &[(&[&str], &str, &str, &str)] = &[
        (
            &["plam"],
            "usage::command",
            "there is no command `plam`",
            "did you mean `plan`?",
        ),
        (
            &["cache"],
            "usage::command",
            "a command is missing",
            "there is ls, explain, gc",
        ),
        (
            &["plan"],
            "usage::missing",
            "`<RECIPE>` is missing",
            "`rootwright plan --help`",
        ),
        (
            &["plan", "x", "--fromat", "sh"],
            "usage::argument",
            "there is no argument `--fromat` here",
            "did you mean `--format`?",
        ),
        (
            &["plan", "x", "--format", "xml"],
            "usage::value",
            "`xml` is no value of `--format <FORMAT>`",
            "there is text, json",
        ),
        (
            &["plan", "x", "-o", "y"],
            "usage::value",
            "`y` is no value of `--option <NAME=VALUE>`",
            "an option is given as NAME=VALUE",
        ),
        (
            &["shell", "x", "--step", "y"],
            "usage::value",
            "`y` is no value of `--step <N>`",
            "it wants a whole number",
        ),
        (
            &["shell", "x", "--step", "1", "--failed"],
            "usage::conflict",
            "`--step <N>` does not go together with `--failed`",
            "`rootwright shell --help`",
        ),
        (
            &["boot"],
            "usage::missing",
            "is missing",
            "`rootwright boot --help`",
        ),
        (
            &["test", "--nonsense"],
            "usage::argument",
            "there is no argument `--nonsense` here",
            "`rootwright test --help`",
        ),
    ];
    for (words, code, message, help) in wrong {
        let output = rootwright()
            .args(*words)
            .args(["--error-format", "json"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let said = stderr(&output);
        let report: serde_json::Value =
            serde_json::from_str(&said).unwrap_or_else(|_| panic!("{words:?}: {said}"));
        assert_eq!(report["code"], *code, "{said}");
        assert!(
            said.contains(message) && said.contains(help),
            "{words:?}: {said}"
        );
        let output = rootwright()
            .args(*words)
            .arg("--error-format=short")
            .output()
            .unwrap();
        let said = stderr(&output);
        assert!(
            said.starts_with("rootwright: ") && said.lines().count() == 1,
            "{said}"
        );
    }
    // For people, a command that has commands says which there are.
    let output = rootwright().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("Usage: rootwright"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn show_describes_what_it_need_not_allow() {
    let project = Project::new();
    project.recipe(
        r#"//! Runs on the host.
let size = option("size", #{ default: 3 });
let root = bootstrap(#{ distro: "tiny" });
root.host_run(["true"]);
"#,
    );
    project
        .command(&["show", "recipe.rhai"])
        .success()
        .stdout_contains(["recipe.rhai: Runs on the host", "-o size="]);
}

#[test]
fn a_recipe_that_has_no_end_is_not_read_to_its_end() {
    let started = std::time::Instant::now();
    let output = rootwright().args(["plan", "/dev/zero"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("`/dev/zero` is larger than 1 MiB"), "{said}");
    assert!(started.elapsed() < std::time::Duration::from_secs(60));
}

#[test]
fn planning_needs_nothing() {
    let project = Project::new();
    project.write("node.rhai", DEBIAN);
    let output = rootwright()
        .current_dir(project.path())
        .args(["plan", "node.rhai", "--store", "/nowhere/at/all"])
        .env("PATH", "")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("bootstrap debian bookworm"));
    assert!(!Path::new("/nowhere").exists());
}

#[test]
fn check_tries_every_choice_and_ends_with_1() {
    let project = Project::new();
    project
        .file("good.rhai", DEBIAN)
        .file("lib/helper.rhai", "this is no recipe")
        .command(&["check", "good.rhai"])
        .success()
        .stderr("1 recipe checked, nothing wrong\n");
    project
        .file(
            "bad.rhai",
            r#"
let kind = option("kind", #{ default: "a", choices: ["a", "b"] });
if kind == "b" { fail("b is broken"); }
"#,
        )
        .file("worse.rhai", "one(1);\ntwo(2);\n")
        .command(&["check", "bad.rhai", "worse.rhai"])
        .failure()
        .stderr_contains([
            "b is broken",
            "with `-o kind=b`",
            "bad.rhai:3:",
            "`one`",
            "`two`",
            "2 recipes checked, 3 findings",
        ]);
}

#[test]
fn check_finds_all_in_all_files_and_says_each_once() {
    let project = Project::new();
    project
        .config(r#"name = "site""#)
        .file("a.rhai", "import \"shared\" as shared;\none(1);\n")
        .file("b.rhai", "import \"shared\" as shared;\nlet x = ;\n")
        .file("c.rhai", "import \"shared\" as shared;\ntwo(2);\n")
        .file("lib/broken.rhai", "fn f( { }\n")
        .file(
            "lib/shared.rhai",
            "fn f() { three(3); }\nfn g() { four(4); }\n",
        )
        .file("lib/unused.rhai", "fn f() { five(5); }\n")
        .file(
            "distro/mine.rhai",
            r#"import "unused" as unused;
fn bootstrap(root, spec) { six(6); }
"#,
        );
    let check = |format: &str| {
        let check = project.check().args(["--error-format", format]);
        check.failure().err()
    };
    let said = check("short");
    let place = |part: &str| {
        assert_eq!(said.matches(part).count(), 1, "{part}: {said}");
        said.find(part).unwrap()
    };
    let places = [
        "a.rhai:2:1: there is no function `one`",
        "lib/shared.rhai:1:10: there is no function `three`",
        "lib/shared.rhai:2:10: there is no function `four`",
        "b.rhai:2:9: ",
        "c.rhai:2:1: there is no function `two`",
        "lib/unused.rhai:1:10: there is no function `five`",
        "distro/mine.rhai:2:28: there is no function `six`",
        "lib/broken.rhai:1:7: ",
    ];
    places.iter().for_each(|part| {
        place(part);
    });
    assert!(
        said.ends_with("3 recipes and 5 modules checked, 8 findings\n"),
        "{said}"
    );
    assert_eq!(check("short"), said, "the order is stable");
    // As data it is a line for each finding, and nothing else.
    let found: Vec<serde_json::Value> = check("json")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(found.len(), 8);
    assert!(
        found
            .iter()
            .all(|one| one["place"]["start"]["line"].is_u64())
    );
}

#[test]
fn list_and_show_read_the_comments_and_options() {
    let project = Project::new();
    project
        .file("b.rhai", "//! The second.\n")
        .file(
            "a.rhai",
            format!("//! The first.\n//!\n//! With more.\n{DEBIAN}"),
        )
        .file("lib/c.rhai", "//! A library.\n");
    project
        .command(&["list"])
        .success()
        .stdout("a.rhai  The first.\nb.rhai  The second.\n");
    project
        .command(&["show", "a.rhai"])
        .success()
        .stdout_contains([
            "a.rhai: The first.",
            "With more.",
            "-o release=…",
            r#"default "bookworm"; one of "bookworm", "trixie""#,
        ]);
}

#[test]
fn the_site_says_the_mirror() {
    let recipe = DEBIAN.replace(r#", mirror: "http://mirror.example.org/debian""#, "");
    let project = Project::new();
    project
        .config(
            r#"
name = "site"
[distro.debian]
mirror = "http://site.example.org/debian"
"#,
        )
        .recipe(recipe)
        .plan()
        .success()
        .stdout_contains([
            "mirror = http://site.example.org/debian",
            "the site's configuration",
        ]);
    project
        .config(r#"nmae = "site""#)
        .plan()
        .failure()
        .stderr_contains(["there is no setting `nmae`", "did you mean `name`?"]);
}
