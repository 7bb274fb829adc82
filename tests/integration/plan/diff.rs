//! `rootwright diff` of plans: of options, recipes and revisions.

use std::process::Command;

use crate::support::{Project, diff, git, rootwright, stderr, stdout};
use serde_json::Value;

const BEFORE: &str = r#"
let size = option("size", #{ default: "1G" });
let root = bootstrap(#{ distro: "tiny", release: "one" });
root.install(["curl", "nano"]);
root.write_file("/etc/motd", "one\ntwo\nthree\n");
root.nspawn_run(["useradd", "admin"]);
root.copy_in("files/issue", "/etc/issue");
root.nspawn_run(`
echo first
echo second
`);
root.export(#{ format: "tar", name: "node" });
"#;

const AFTER: &str = r#"
let size = option("size", #{ default: "1G" });
let root = bootstrap(#{ distro: "tiny", release: "one" });
root.install(["curl", "vim"]);
root.write_file("/etc/motd", "one\n2\nthree\n" + secret("key"), #{ mode: 0o600 });
root.make_dir("/srv/data");
root.copy_in("files/issue", "/etc/issue");
root.nspawn_run(`
echo first
echo 2
`);
root.export(#{ format: "ext4", name: "node", size: size });
"#;

#[test]
fn a_recipe_is_compared_with_itself_at_a_revision() {
    let project = Project::new();
    project.write("recipes/node.rhai", BEFORE);
    project.write("recipes/files/issue", "hello\n");
    // What is left out of archives is part of the revision all the same.
    project.write(".gitattributes", "distro export-ignore\n");
    project.write("rootwright.toml", r#"name = "site""#);
    git(project.path(), &["init", "--quiet"]);
    git(project.path(), &["add", "."]);
    git(project.path(), &["commit", "--quiet", "--message", "one"]);
    let same = diff(&project, &["recipes/node.rhai", "--rev", "main"]);
    assert_eq!(
        same,
        (
            Some(0),
            String::new(),
            "the plans are the same\n".to_owned()
        )
    );
    project.write("recipes/node.rhai", AFTER);
    // A mark of a working tree that is not to be touched.
    project.write("recipes/untracked", "");
    let (code, out, err) = diff(&project, &["recipes/node.rhai", "--rev", "main"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert_eq!(
        out,
        "\
--- recipes/node.rhai at main
+++ recipes/node.rhai
beyond its roots: + use the secret key

root tiny
  ~ 2  install curl, vim
      (the operations of `install` changed)
      - write /var/installed/nano (2 bytes)
      + write /var/installed/vim (2 bytes)
  ~ 3  write /etc/motd
      (/etc/motd changed)
      ~ write /etc/motd (with a secret, mode 0600)
          content:
            @@ -1,3 +1,4 @@
             one
            -two
            +2
             three
            +<secret key>
            \\ No newline at end of file
          + mode: 0600
  - 4  run useradd admin
  + 4  make directory /srv/data
  ~ 6  run echo first
      (the script of `nspawn_run` changed)
      ~ root# /bin/sh -euc 'echo first …
          command.script.text:
            @@ -1,2 +1,2 @@
             echo first
            -echo second
            +echo 2
  ~ 7  export node (ext4)
      (the operations of `export` changed)
      ~ export node/root.ext4 (ext4)
          - format.compression: zstd
          format.kind: tar → ext4
          + format.size: 1073741824

steps: 1 added, 1 removed, 4 changed, 2 the same
"
    );
    let status = Command::new("git")
        .current_dir(project.path())
        .args(["status", "--porcelain"])
        .output()
        .unwrap();
    assert_eq!(
        stdout(&status),
        " M recipes/node.rhai\n?? recipes/untracked\n"
    );
    // As data, the other way round, from another folder.
    let output = rootwright()
        .current_dir(project.path().join("recipes"))
        .args([
            "diff",
            "node.rhai",
            "--to-rev",
            "HEAD",
            "--format",
            "json",
            "--store",
            "s",
            "--allow-host-run",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let data: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(data["schema"], 1);
    assert_eq!(
        (&data["compared"], &data["same"]),
        (&"plans".into(), &false.into())
    );
    assert_eq!(
        (&data["from"], &data["to"]),
        (&"node.rhai".into(), &"node.rhai at HEAD".into())
    );
    assert_eq!(data["inputs"], serde_json::json!([]));
    let steps = data["roots"][0]["steps"].as_array().unwrap();
    let motd = &steps[1];
    assert_eq!(
        (&motd["from"]["number"], &motd["change"]),
        (&3.into(), &"changed".into())
    );
    assert_eq!(motd["actions"][0]["fields"][0]["name"], "content");
    assert_eq!(data["same_steps"], 2);
}

#[test]
fn options_and_recipes_are_compared() {
    let project = Project::new();
    let recipe = r#"let to = option("to", #{ default: "a" });
let root = bootstrap(#{ distro: "tiny" });
root.write_file("/etc/to", to);
"#;
    project.write("node.rhai", recipe);
    let branch = r#"let side = root.fork("side");
side.make_dir("/side");
"#;
    let moved = recipe.replace(
        "root.write_file",
        r#"root.make_dir("/first");
root.write_file"#,
    );
    project.write("more.rhai", &format!("{moved}{branch}"));
    let (code, out, _) = diff(&project, &["node.rhai", "-O", "to=b"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        out,
        "\
--- node.rhai
+++ node.rhai -o to=b
option to: a → b

root tiny
  ~ 2  write /etc/to
      (/etc/to changed)
      ~ write /etc/to (1 byte)
          content: a → b

steps: 1 changed, 1 the same
"
    );
    // What is checked, and what is not, is part of what differs.
    project.write(
        "lib/trust.rhai",
        r#"fn trust(root, why) { unsigned(root, "the packages", why); }"#,
    );
    let trust = |why: &str| {
        text!(
            r#"import "trust" as trust;
{recipe}trust::trust(root, "{why}");
"#,
            recipe,
            why
        )
    };
    project.write("rootwright.toml", r#"name = "site""#);
    project.write("one.rhai", &trust("one"));
    project.write("two.rhai", &trust("two"));
    let (code, out, err) = diff(&project, &["one.rhai", "two.rhai"]);
    assert_eq!(
        (code, out.as_str()),
        (
            Some(1),
            "--- one.rhai\n+++ two.rhai\nbeyond its roots: - install the packages unsigned: one\nbeyond its roots: + install the packages unsigned: two\n"
        ),
        "{err}"
    );
    let (_, out, _) = diff(
        &project,
        &[
            "node.rhai",
            "more.rhai",
            "-o",
            "to=c",
            "--from-option",
            "to=d",
        ],
    );
    assert_eq!(
        out,
        "\
--- node.rhai -o to=c -o to=d
+++ more.rhai -o to=c
option to: d → c

root tiny
  + 2  make directory /first
  ~ 2 → 3  write /etc/to
      (/etc/to changed)
      ~ write /etc/to (1 byte)
          content: d → c

root side (new)
  + 4  make directory /side

steps: 2 added, 1 changed, 1 the same
"
    );
}

#[test]
fn what_cannot_be_compared_ends_with_2() {
    let project = Project::new();
    project.write("node.rhai", r#"let root = bootstrap(#{ distro: "tiny" });"#);
    project.write("tree/file", "");
    let failed = |arguments: &[&str]| {
        let (code, out, err) = diff(&project, arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {err}");
        err
    };
    assert_eq!(
        failed(&["node.rhai"]),
        "  x there is nothing to compare `node.rhai` with\n  help: name another recipe, a revision (`--rev main`), or an option of one side (`-O name=value`)\n"
    );
    assert_eq!(
        failed(&["node.rhai", "tree"]),
        "  x a recipe and a tree cannot be compared\n  help: `--built` takes the root that the recipe's last build has left\n"
    );
    assert_eq!(
        failed(&["tree"]),
        "  x there is nothing to compare `tree` with\n  help: name what it is to be compared with\n"
    );
    assert_eq!(
        failed(&["tree", "tree/file"]),
        "  x `tree/file` is no recipe, no directory and no export\n"
    );
    assert!(failed(&["tree", "absent"]).contains("absent"));
    let said = failed(&["node.rhai", "--rev", "main"]);
    assert!(
        said.starts_with("  x `node.rhai` is in no git repository\n"),
        "{said}"
    );
    git(project.path(), &["init", "--quiet"]);
    git(project.path(), &["add", "tree"]);
    git(project.path(), &["commit", "--quiet", "--message", "one"]);
    assert_eq!(
        failed(&["node.rhai", "--rev", "mian"]),
        "  x git knows no revision `mian`\n  help: did you mean `main`?\n"
    );
    assert_eq!(
        failed(&["node.rhai", "--rev=--output=x"]),
        "  x git knows no revision `--output=x`\n  help: a branch, a tag or a commit: `git log` shows them\n"
    );
    assert_eq!(
        failed(&["node.rhai", "--rev", "main"]),
        "  x there is no `node.rhai` at `main`\n  help: `git ls-tree -r --name-only main` shows what is there\n"
    );
    // What is wrong at the revision is shown where it was.
    project.write("node.rhai", "let a = 1;\nnothing(a);\n");
    git(project.path(), &["add", "node.rhai", "distro"]);
    git(project.path(), &["commit", "--quiet", "--message", "two"]);
    project.write("node.rhai", r#"let root = bootstrap(#{ distro: "tiny" });"#);
    let said = failed(&["node.rhai", "--rev", "main"]);
    for part in [
        "there is no function `nothing`",
        "[node.rhai at main:2:1]",
        "nothing(a);",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
