//! `rootwright diff` of what was built: trees, exports, and roots of the store.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use crate::support::{Project, diff, rootwright, run};
use serde_json::Value;

/// Two trees that differ in every way that is looked at.
fn trees(project: &Project) {
    for side in ["a", "b"] {
        project.write(&format!("{side}/etc/motd"), &format!("same\n{side}\n"));
        project.write(&format!("{side}/etc/same"), "same");
        project.write(&format!("{side}/etc/shadow"), "root");
        project.write(&format!("{side}/usr/bin/tool"), "x");
        let target = if side == "a" { "tool" } else { "../tool" };
        symlink(target, project.path().join(side).join("usr/bin/link")).unwrap();
    }
    let b = project.path().join("b");
    std::fs::set_permissions(b.join("etc/shadow"), PermissionsExt::from_mode(0o600)).unwrap();
    chown(b.join("etc/shadow"), Some(1), Some(2)).unwrap();
    project.write("b/usr/share/large", &"x".repeat(3 << 20));
    project.write("b/usr/share/doc/small", "12345");
    project.write("b/usr/bin/tool", &"y".repeat(2048));
    project.write("a/var/old", &"z".repeat(1500));
    project.write("a/kind", "1");
    std::fs::create_dir(b.join("kind")).unwrap();
    xattr::set(b.join("etc/same"), "user.note", b"1").unwrap();
    let mut fifo = Command::new("mkfifo");
    run(fifo.args(["--mode=644"]).arg(b.join("pipe")));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn two_trees_are_compared_the_largest_growth_first() {
    let project = Project::new();
    trees(&project);
    let same = diff(&project, &["a", "a"]);
    assert_eq!(
        same,
        (
            Some(0),
            String::new(),
            "the roots are the same\n".to_owned()
        )
    );
    let (code, out, err) = diff(&project, &["a", "b", "--lines"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert_eq!(
        out,
        "\
--- a
+++ b

files: 5 added, 2 removed, 6 changed
size: 1.4 KiB → 3.0 MiB (+3.0 MiB)
     +3.0 MiB  + /usr/share/ (and 3 paths in it)
     +1.9 KiB  ~ /usr/bin/tool
      @@ -1 +1 @@
      -x
      \\ No newline at end of file
      +YYYY
      \\ No newline at end of file
               ~ /etc/motd (content)
      @@ -1,2 +1,2 @@
       same
      -a
      +b
               ~ /etc/same (attribute user.note)
               ~ /etc/shadow (mode 0644 → 0600, owner 0:0 → 1:2)
               + /pipe
               ~ /usr/bin/link (target tool → ../tool)
         -1 B  ~ /kind/ (kind file → directory, mode 0644 → 0755)
     -1.4 KiB  - /var/ (and 1 path in it)
"
        .replace("YYYY", &"y".repeat(2048))
    );
    let (_, out, _) = diff(&project, &["a", "b", "--format", "json"]);
    let data: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&data["compared"], &data["same"]),
        (&"roots".into(), &false.into())
    );
    let first = &data["files"][0];
    assert_eq!(
        (&first["path"], &first["growth"], &first["change"]),
        (
            &"/usr/share/large".into(),
            &(3 << 20).into(),
            &"added".into()
        )
    );
    let of = |path: &str| {
        let files = data["files"].as_array().unwrap().iter();
        files
            .clone()
            .find(|file| file["path"] == path)
            .unwrap()
            .clone()
    };
    assert_eq!(
        of("/etc/shadow")["differs"],
        serde_json::json!(["mode", "owner"])
    );
    assert_eq!(of("/etc/shadow")["to"]["uid"], 1);
    assert_eq!(of("/etc/same")["to"]["attributes"]["user.note"], "31");
    assert_eq!(of("/kind")["from"]["kind"], "file");
    assert!(data.get("packages").is_none());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn exports_have_packages_and_versions() {
    let project = Project::new();
    // The module lists packages of its own: a file of the root, so that they differ.
    let distro = std::fs::read_to_string(project.path().join("distro/tiny.rhai")).unwrap();
    let listed = distro.replace(
        r#"packages: ["echo", "busybox\t1.35\tall"]"#,
        r#"packages: ["cat", "/var/packages"]"#,
    );
    assert_ne!(distro, listed);
    project.write("distro/tiny.rhai", &listed);
    let recipe = |packages: &str, format: &str| {
        text!(
            r#"let root = bootstrap(#{ distro: "tiny" });
root.write_file("/var/packages", "{packages}");
root.export(#{ format: "{format}", name: "node" });
"#,
            packages,
            format
        )
    };
    let one = "curl\\t1.0\\tamd64\\nnano\\t7\\tamd64\\nlibc\\t2\\tall\\n";
    let two = "curl\\t1.1\\tamd64\\nlibc\\t2\\tall\\nvim\\t9\\tamd64\\n";
    project.recipe(recipe(one, "nfs")).build().success();
    let first = diff(&project, &["out/node"]);
    assert_eq!(
        first,
        (
            Some(2),
            String::new(),
            "  x `out/node` has no version before the current one\n  help: name what it is to be compared with\n".to_owned()
        )
    );
    project.recipe(recipe(two, "nfs")).build().success();
    let text = "\
--- out/node/1
+++ out/node/2

packages: 1 added, 1 removed, 1 changed
  ~ curl (amd64) 1.0 → 1.1
  - nano (amd64) 7
  + vim (amd64) 9

files: 1 changed
";
    let (code, out, err) = diff(&project, &["out/node"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert!(out.starts_with(text), "{out}");
    assert!(
        out.ends_with(" (-1 B)\n         -1 B  ~ /var/packages\n"),
        "{out}"
    );
    // What is packed is unpacked, and compared with a tree.
    project
        .recipe(recipe(two, "tar"))
        .build_to("packed")
        .success();
    let (code, out, err) = diff(&project, &["out/node/current", "packed/node"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert_eq!(
        out,
        "--- out/node/current\n+++ packed/node\nformat: nfs → tar\n"
    );
    // The roots of builds themselves.
    let other = recipe(one, "tar");
    project.write("other.rhai", &other);
    let (code, _, err) = diff(&project, &["other.rhai", "recipe.rhai", "--built"]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("the root of `other.rhai` is not in the store"),
        "{err}"
    );
    let mut build = rootwright();
    build.current_dir(project.path());
    build.args([
        "build",
        "other.rhai",
        "--allow-host-run",
        "--store",
        "store",
        "--out",
        "third",
    ]);
    run(&mut build);
    let (code, out, err) = diff(
        &project,
        &["other.rhai", "recipe.rhai", "--built", "--lines"],
    );
    assert_eq!((code, err.as_str()), (Some(1), ""));
    assert!(
        out.contains("~ /var/packages\n") && out.contains("+vim\t9\tamd64\n"),
        "{out}"
    );
    let (code, out, err) = diff(&project, &["out/node/2", "recipe.rhai", "--built"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    // systemd-nspawn makes /lib in a root without one, for the command that lists packages.
    let mut lines: Vec<&str> = out.lines().collect();
    lines.retain(|line| !line.starts_with("size: "));
    let lib = "               - /lib";
    assert_eq!(
        lines,
        [
            "--- out/node/2",
            "+++ recipe.rhai",
            "",
            "files: 1 removed",
            lib
        ]
    );
}
