//! Recipe repositories: `rootwright new`, recipes by name from any folder, rootwright.toml.

use std::path::Path;
use std::process::Output;

use crate::support::{Project, rootwright, run, stderr, stdout};

fn in_folder(folder: &Path, arguments: &[&str]) -> Output {
    rootwright()
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = in_folder(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        stderr(&output)
    );
    stdout(&output)
}

#[track_caller]
fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = in_folder(folder, arguments);
    assert!(
        !output.status.success(),
        "{arguments:?}: {}",
        stdout(&output)
    );
    stderr(&output)
}

#[test]
fn a_new_repository_is_checked_tested_and_planned_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let made = succeeds(folder.path(), &["new", "our-nodes"]);
    assert_eq!(
        made,
        "our-nodes is a recipe repository now:
  .github/workflows/check.yml
  .gitignore
  .gitlab-ci.yml
  README.md
  lib/base.rhai
  recipes/node.rhai
  rootwright.toml
  tests/node_test.rhai
"
    );
    let top = folder.path().join("our-nodes");
    for (place, prefix) in [
        ("", ""),
        ("recipes", "../"),
        (".github/workflows", "../../"),
    ] {
        let place = top.join(place);
        let listed = succeeds(&place, &["list"]);
        assert_eq!(
            listed,
            format!("{prefix}recipes/node.rhai  A small Debian, to begin with.\n")
        );
        let checked = in_folder(&place, &["check"]);
        assert_eq!(
            stderr(&checked),
            "1 recipe and 1 module checked, nothing wrong\n"
        );
        let tested = succeeds(&place, &["test"]);
        assert!(
            tested.starts_with("tests/node_test.rhai\n  ok ")
                && tested.contains("2 passed, 0 failed"),
            "{tested}"
        );
        let plan = succeeds(&place, &["plan", "node", "-o", "release=bookworm"]);
        assert!(
            plan.contains("Debian bookworm, made from the recipes of our-nodes."),
            "{plan}"
        );
    }
    // The CI files run what a person would.
    for file in [".gitlab-ci.yml", ".github/workflows/check.yml"] {
        let text = std::fs::read_to_string(top.join(file)).unwrap();
        assert!(text.contains("- rootwright check") || text.contains("run: rootwright check"));
        assert!(
            text.contains("rootwright test") && !text.contains("{{"),
            "{text}"
        );
    }
}

#[test]
fn new_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("full")).unwrap();
    std::fs::write(folder.path().join("full/kept"), "mine").unwrap();
    std::fs::write(folder.path().join("file"), "mine").unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    for taken in ["full", "file"] {
        assert_eq!(
            fails(folder.path(), &["new", taken]),
            format!(
                "  x `{taken}` is there already\n  help: `new` makes a folder and overwrites nothing: give it another name\n"
            )
        );
    }
    assert_eq!(
        std::fs::read_dir(folder.path().join("full"))
            .unwrap()
            .count(),
        1
    );
    succeeds(folder.path(), &["new", "empty"]);
    let said = fails(&folder.path().join("empty"), &["new", "inner"]);
    assert!(
        said.contains("would be inside of the repository `.`"),
        "{said}"
    );
    let said = fails(folder.path(), &["new", "a b"]);
    assert!(
        said.contains("`a b` does not end in a name") && said.contains("help: letters"),
        "{said}"
    );
}

const RECIPE: &str = r#"//! One.
let release = option("release", #{ default: "one", choices: ["one", "two"] });
let root = bootstrap(#{ distro: "tiny", release: release });
"#;

fn project(config: &str) -> Project {
    let project = Project::new();
    project.write("rootwright.toml", config);
    project.write("recipes/node.rhai", RECIPE);
    project.write("recipes/web/front.rhai", RECIPE);
    project.write("recipes/mail/front.rhai", RECIPE);
    project.write("lib/deep/x.rhai", "fn f() { }\n");
    project
}

#[test]
fn recipes_have_names() {
    let project = project(
        r#"name = "x"
"#,
    );
    let deep = project.path().join("lib/deep");
    for name in [
        "node",
        "recipes/node",
        "web/front",
        "../../recipes/node.rhai",
    ] {
        let plan = succeeds(&deep, &["show", name]);
        assert!(plan.starts_with("../../recipes/"), "{name}: {plan}");
    }
    let said = fails(&deep, &["plan", "front"]);
    assert!(
        said.contains(
            "there is more than one: ../../recipes/mail/front.rhai, ../../recipes/web/front.rhai"
        ),
        "{said}"
    );
    let said = fails(&deep, &["build", "nod"]);
    assert!(
        said.contains("no recipe of that name in the repository; did you mean `node`?"),
        "{said}"
    );
    // A file here counts more than a recipe's name.
    project.write("node", RECIPE);
    let plan = succeeds(project.path(), &["show", "node"]);
    assert!(plan.starts_with("node: One."), "{plan}");
}

#[test]
fn the_repository_gives_options_their_values() {
    let project = project(
        r#"[options]
release = "two"
[options.front]
release = "one"
"#,
    );
    let show = |recipe: &str, arguments: &[&str]| {
        let arguments = [&["plan", recipe, "--allow-host-run"], arguments].concat();
        let plan = succeeds(project.path(), &arguments);
        plan.lines()
            .find(|line| line.starts_with("options"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        show("node", &[]),
        "options   release = two  from rootwright.toml, or one"
    );
    assert_eq!(
        show("web/front", &[]),
        "options   release = one  from rootwright.toml, or two"
    );
    assert_eq!(
        show("node", &["-o", "release=one"]),
        "options   release = one  given, or two"
    );
    project.write("rootwright.toml", r#"options.release = "three""#);
    let said = fails(project.path(), &["plan", "node"]);
    for part in [
        "`three` is no value of the option `release`",
        "[recipes/node.rhai:2:15]",
        "help: it is one of one, two",
        "help: the value stands in `[options]` of rootwright.toml",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// What is wrong with a rootwright.toml, the line that is shown, and the cure.
#[test]
fn every_key_of_rootwright_toml_is_known_or_an_error() {
    for (config, message, place, help) in [
        (
            r#"nam = "x"
"#,
            "there is no setting `nam`",
            "rootwright.toml:1:1",
            "did you mean `name`?",
        ),
        (
            r#"name = "x"
[cache]
refersh = "7d"
"#,
            "there is no setting of `cache` `refersh`",
            "rootwright.toml:3:1",
            "did you mean `refresh`?",
        ),
        (
            r#"[cache]
refresh = "soon"
"#,
            "`soon` is no length of time",
            "rootwright.toml:2:11",
            r#"refresh = "7d""#,
        ),
        (
            "[cache]\nrefresh = 7\n",
            "`refresh` has to be a string, and is of type integer",
            "rootwright.toml:2:11",
            "",
        ),
        (
            r#"distro = "x"
"#,
            "`distro` has to be a table, and is of type string",
            "rootwright.toml:1:10",
            "[distro.NAME]",
        ),
        (
            r#"[libraries.net]
git = "../x"
tga = "v1"
"#,
            "there is no setting of a library `tga`",
            "rootwright.toml:3:1",
            "did you mean `tag`?",
        ),
        (
            r#"[libraries.net]
tag = "v1"
"#,
            "the library `net` has no address",
            "rootwright.toml:1:12",
            r#"git = "https://…""#,
        ),
        (
            r#"[libraries.net]
git = "../x"
tag = "v1"
rev = "12"
"#,
            "`net` has `rev` already",
            "rootwright.toml:3:1",
            "one of `tag`, `branch` and `rev` decides",
        ),
        (
            r#"[libraries.net]
git = "../x"
grants = ["hostrun"]
"#,
            "there is no grant `hostrun`",
            "rootwright.toml:3:11",
            "did you mean `host_run`?",
        ),
        (
            r#"[libraries."a b"]
git = "../x"
"#,
            "`a b` is no name for a library",
            "rootwright.toml:1:12",
            "small letters",
        ),
        (
            "[options]\nsize = 1.5\n",
            "`size` has to be a string, a number, a boolean or an array of strings",
            "rootwright.toml:2:8",
            "",
        ),
        (
            "name = x\n",
            "string values must be quoted",
            "rootwright.toml:1:8",
            "",
        ),
    ] {
        let project = project(config);
        let said = fails(&project.path().join("recipes"), &["show", "node.rhai"]);
        for part in [message, &format!("[../{place}]"), help] {
            assert!(said.contains(part), "{part:?} in:\n{said}");
        }
    }
}

/// What the file itself cannot tell, `check` does, which sees every recipe and module.
#[test]
fn check_finds_what_rootwright_toml_says_to_nobody() {
    let project = project(
        r#"[options]
relaese = "two"
[options.nod]
release = "two"
[distro.tniy]
mirror = "x"
[distro.debian]
miror = "x"
"#,
    );
    let said = fails(project.path(), &["check"]);
    for part in [
        "no recipe has an option `relaese`",
        "[rootwright.toml:2:1]",
        "did you mean `release`?",
        "the repository has no recipe `nod`",
        "[rootwright.toml:3:10]",
        "did you mean `node`?",
        "there is no distro `tniy`",
        "[rootwright.toml:5:9]",
        "did you mean `tiny`?",
        "no distro's module asks for `miror`",
        "[rootwright.toml:8:1]",
        "did you mean `mirror`?",
        "4 findings",
    ] {
        assert!(said.contains(part), "{part:?} in:\n{said}");
    }
    project.write(
        "rootwright.toml",
        r#"[options]
release = "two"
[options.node]
release = "two"
[distro.debian]
mirror = "x"
"#,
    );
    succeeds(project.path(), &["check"]);
}

#[test]
fn outside_of_a_repository_libraries_have_no_place() {
    let folder = tempfile::tempdir().unwrap();
    for command in [["add", "../x"].as_slice(), &["update"], &["vendor"]] {
        assert_eq!(
            fails(folder.path(), command),
            "  x there is no `rootwright.toml` here, nor in a folder above\n  help: `rootwright new NAME` makes a recipe repository\n"
        );
    }
    run(rootwright().current_dir(folder.path()).args(["list"]));
}

#[test]
fn a_snapshot_is_the_same_from_any_folder() {
    let project = project(
        r#"name = "x"
"#,
    );
    project.write(
        "tests/node_test.rhai",
        r#"fn test_it() { snapshot(plan("recipes/node.rhai"), "it"); }"#,
    );
    succeeds(project.path(), &["test", "--update"]);
    for folder in ["", "tests", "lib/deep"] {
        succeeds(&project.path().join(folder), &["test"]);
    }
    succeeds(&project.path().join("tests"), &["test", "node_test.rhai"]);
    let text = project.path().join("tests/snapshots/node_test__it.txt");
    let text = std::fs::read_to_string(text).unwrap();
    assert!(text.contains("recipe    recipes/node.rhai\n"), "{text}");
}
