//! The command line: exact words for what people get wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Repository, rootwright, run, stderr, stdout};

const DEBIAN: &str = "let release = option(\"release\", #{ default: \"bookworm\", choices: [\"bookworm\", \"trixie\"] });\nlet root = bootstrap(#{ distro: \"debian\", release: release, mirror: \"http://mirror.example.org/debian\" });\n";

/// Exit status and standard error of a command in a repository.
fn failed(repository: &Repository, arguments: &[&str]) -> (Option<i32>, String) {
    let output = rootwright()
        .current_dir(repository.path())
        .args(arguments)
        .output()
        .unwrap();
    (output.status.code(), stderr(&output))
}

#[test]
fn bad_recipes_get_clear_errors() {
    let repository = Repository::new();
    repository.write("node.rhai", DEBIAN);
    repository.write("broken.rhai", "let x = ;\n");
    std::fs::write(repository.path().join("latin.rhai"), b"// caf\xe9\n").unwrap();
    repository.write("typo.rhai", "let a = 1;\nroot_of(instal);\n");
    for (name, said) in [
        (
            "nod.rhai",
            "  x cannot read `nod.rhai`: there is no such file\n  help: did you mean `node.rhai`?\n",
        ),
        (
            "distro",
            "  x `distro` is a folder, not a recipe\n  help: `rootwright list distro` shows the recipes in it\n",
        ),
        (
            "latin.rhai",
            "  x `latin.rhai` is not UTF-8 text: the bytes in line 1 are not characters\n  help: save it as UTF-8\n",
        ),
    ] {
        assert_eq!(
            failed(&repository, &["plan", name]),
            (Some(1), said.to_owned())
        );
    }
    let (code, said) = failed(&repository, &["plan", "broken.rhai"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("broken.rhai:1:9"), "{said}");
    let (code, said) = failed(
        &repository,
        &["plan", "typo.rhai", "--error-format", "short"],
    );
    assert_eq!(
        (code, said.starts_with("typo.rhai:2:")),
        (Some(1), true),
        "{said}"
    );
}

#[test]
fn options_are_checked_by_name_and_choice() {
    let repository = Repository::new();
    repository.write("node.rhai", DEBIAN);
    let (code, said) = failed(&repository, &["plan", "node.rhai", "-o", "relase=trixie"]);
    assert_eq!(
        (code, said.as_str()),
        (
            Some(1),
            "  x the recipe has no option `relase`\n  help: did you mean `release`?\n"
        )
    );
    let (code, said) = failed(&repository, &["plan", "node.rhai", "-o", "release=trixi"]);
    assert_eq!(code, Some(1));
    for part in [
        "`trixi` is no value of the option `release`",
        "node.rhai:1:15",
        "did you mean `-o release=trixie`?",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(
        failed(&repository, &["plan", "node.rhai", "-o", "release"]).0,
        Some(2)
    );
}

#[test]
fn errors_are_data_where_asked_for() {
    let repository = Repository::new();
    repository.write("node.rhai", "nothing(1);");
    let (_, said) = failed(
        &repository,
        &["plan", "node.rhai", "--error-format", "json"],
    );
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
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
    let repository = Repository::new();
    repository.write("node.rhai", "//! Runs on the host.\nlet size = option(\"size\", #{ default: 3 });\nlet root = bootstrap(#{ distro: \"tiny\" });\nroot.host_run([\"true\"]);\n");
    let mut show = rootwright();
    show.current_dir(repository.path())
        .args(["show", "node.rhai"]);
    let said = stdout(&run(&mut show));
    assert!(
        said.contains("node.rhai: Runs on the host") && said.contains("-o size="),
        "{said}"
    );
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
fn a_build_without_privileges_or_tools_says_so_before_anything_runs() {
    let repository = Repository::new();
    repository.write("node.rhai", DEBIAN);
    let mut allow = Command::new("chmod");
    run(allow.args(["-R", "a+rX"]).arg(repository.path()));
    let program = repository.path().join("rootwright");
    // By a program of its own: what this process has open for writing, a command that another
    // test starts may inherit, and a program that is open so does not run.
    run(Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_rootwright"))
        .arg(&program));
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["build", "node.rhai"])
        .current_dir(repository.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    for part in ["must run as root", "next: sudo "] {
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
    // With that, what this host lacks: one look says all.
    for command in ["build", "doctor"] {
        let mut build = Command::new("setpriv");
        build
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args([command, "node.rhai"])
            .current_dir(repository.path());
        let output = without_tools(&build, &["mmdebstrap"]).output().unwrap();
        let said = stderr(&output);
        for part in [
            "must run as root",
            "this host lacks",
            "`mmdebstrap` (step 1,",
            "next: apt-get install -y --no-install-recommends",
        ] {
            assert!(said.contains(part), "{command}: {part}: {said}");
        }
    }
    let build = repository.build("let root = bootstrap(#{ distro: \"debian\", release: \"bookworm\", keyring: \"/nowhere.gpg\", mirror: \"http://mirror.example.org/debian\" });\nroot.export(#{ format: \"tar\", name: \"x\" });");
    let mut build = without_tools(&build, &["mmdebstrap", "tar", "zstd"]);
    let said = stderr(&build.output().unwrap());
    for part in [
        "this host lacks",
        "`mmdebstrap` (step 1,",
        "`tar` (step 2,",
        "`zstd` (step 2,",
        "`/nowhere.gpg`",
        "next: apt-get install -y --no-install-recommends",
        "mmdebstrap",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!repository.out().exists());
}

/// The command on a host that lacks some programs.
fn without_tools(command: &Command, tools: &[&str]) -> Command {
    const HIDE: &str = r#"
while [ "$1" != -- ]; do
    for path in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
        if [ -f "$path/$1" ]; then mount --bind /dev/null "$path/$1"; fi
    done
    shift
done
shift
exec "$@"
"#;
    let mut hidden = Command::new("unshare");
    hidden.args(["--mount", "sh", "-euc", HIDE, "sh"]);
    hidden.args(tools).arg("--").arg(command.get_program());
    hidden.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        hidden.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => hidden.env(name, value),
            None => hidden.env_remove(name),
        };
    }
    hidden
}

#[test]
fn planning_needs_nothing() {
    let repository = Repository::new();
    repository.write("node.rhai", DEBIAN);
    let output = rootwright()
        .current_dir(repository.path())
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
    let repository = Repository::new();
    repository.write("good.rhai", DEBIAN);
    repository.write("lib/helper.rhai", "this is no recipe");
    let good = run(rootwright()
        .current_dir(repository.path())
        .args(["check", "good.rhai"]));
    assert_eq!(stderr(&good), "1 recipe checked, nothing wrong\n");
    repository.write("bad.rhai", "let kind = option(\"kind\", #{ default: \"a\", choices: [\"a\", \"b\"] });\nif kind == \"b\" { fail(\"b is broken\"); }\n");
    repository.write("worse.rhai", "one(1);\ntwo(2);\n");
    let (code, said) = failed(&repository, &["check", "bad.rhai", "worse.rhai"]);
    assert_eq!(code, Some(1));
    for part in [
        "b is broken",
        "with `-o kind=b`",
        "bad.rhai:2:",
        "`one`",
        "`two`",
        "2 recipes checked, 3 findings",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn check_finds_all_in_all_files_and_says_each_once() {
    let repository = Repository::new();
    repository.write("rootwright.toml", "name = \"site\"\n");
    repository.write("a.rhai", "import \"shared\" as shared;\none(1);\n");
    repository.write("b.rhai", "import \"shared\" as shared;\nlet x = ;\n");
    repository.write("c.rhai", "import \"shared\" as shared;\ntwo(2);\n");
    repository.write("lib/broken.rhai", "fn f( { }\n");
    repository.write(
        "lib/shared.rhai",
        "fn f() { three(3); }\nfn g() { four(4); }\n",
    );
    repository.write("lib/unused.rhai", "fn f() { five(5); }\n");
    repository.write(
        "distro/mine.rhai",
        "import \"unused\" as unused;\nfn bootstrap(root, spec) { six(6); }\n",
    );
    let check = || failed(&repository, &["check", "--error-format", "short"]);
    let (code, said) = check();
    assert_eq!(code, Some(1));
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
    assert_eq!(check().1, said, "the order is stable");
    // As data it is a line for each finding, and nothing else.
    let (code, data) = failed(&repository, &["check", "--error-format", "json"]);
    assert_eq!(code, Some(1));
    let found: Vec<serde_json::Value> = data
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
    let repository = Repository::new();
    repository.write("b.rhai", "//! The second.\n");
    repository.write(
        "a.rhai",
        &format!("//! The first.\n//!\n//! With more.\n{DEBIAN}"),
    );
    repository.write("lib/c.rhai", "//! A library.\n");
    let list = run(rootwright().current_dir(repository.path()).arg("list"));
    assert_eq!(stdout(&list), "a.rhai  The first.\nb.rhai  The second.\n");
    let show = stdout(&run(rootwright()
        .current_dir(repository.path())
        .args(["show", "a.rhai"])));
    for part in [
        "a.rhai: The first.",
        "With more.",
        "-o release=…",
        "default \"bookworm\"; one of \"bookworm\", \"trixie\"",
    ] {
        assert!(show.contains(part), "{part}: {show}");
    }
}

#[test]
fn the_site_says_the_mirror() {
    let repository = Repository::new();
    repository.write(
        "rootwright.toml",
        "name = \"site\"\n[distro.debian]\nmirror = \"http://site.example.org/debian\"\n",
    );
    let recipe = DEBIAN.replace(", mirror: \"http://mirror.example.org/debian\"", "");
    repository.write("deep/node.rhai", &recipe);
    let plan = stdout(&run(rootwright()
        .current_dir(repository.path())
        .args(["plan", "deep/node.rhai"])));
    assert!(
        plan.contains("mirror = http://site.example.org/debian")
            && plan.contains("the site's configuration"),
        "{plan}"
    );
    repository.write("rootwright.toml", "nmae = \"site\"\n");
    let (_, said) = failed(&repository, &["plan", "deep/node.rhai"]);
    assert!(
        said.contains("there is no setting `nmae`") && said.contains("did you mean `name`?"),
        "{said}"
    );
}
