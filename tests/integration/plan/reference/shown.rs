//! `rootwright docs`, and the page that is made of it.

use std::path::Path;

use super::reference;
use crate::support::{rootwright, run, stderr, stdout};

fn docs(arguments: &[&str]) -> String {
    stdout(&run(rootwright().arg("docs").args(arguments)))
}

#[test]
fn docs_reference_md_is_what_the_source_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let now = rootwright::reference::markdown(&reference());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, now).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(&page).unwrap_or_default() == now,
        "docs/reference.md is behind; UPDATE=1 cargo test plan::reference writes it"
    );
    assert_eq!(docs(&["--format", "markdown"]), now);
}

#[test]
fn one_function_is_shown() {
    assert_eq!(
        docs(&["remove_path"]),
        r#"root.remove_path(path, [opts])

Removes files or trees of the root; `*`, `?` and `[…]` are wildcards.

A wildcard stays within its component of the path, and may match nothing.

Parameters
  root: a root
  path: a path
  opts: a map, default `#{}`
    missing_ok: a boolean, default `false`. Whether a path without wildcards may be absent.
    only_if: an array of strings or a script, default none. A command in the root: the step runs if
      it ends with 0.
    about: a string, default none. A word on it, for the preview.

Gives
  nothing

Errors
  script::relative_path: the path does not start with `/`.
  script::remove_root: the path is the root itself.
  files::missing: it is not there; said when it is built.

Example
  let root = bootstrap(#{ distro: "debian", release: "bookworm" });
  root.remove_path("/etc/motd", #{ missing_ok: true });
"#
    );
    assert_eq!(
        docs(&["diskless::gpt_auto", "--format", "markdown"]),
        r#"# diskless::gpt_auto

```text
diskless::gpt_auto(root)
```

Keeps systemd from mounting partitions that it finds on a node's disks.

- `root`: a root

Gives nothing.

```rhai
import "diskless" as diskless;
let root = bootstrap(#{ distro: "debian", release: "bookworm" });
diskless::gpt_auto(root);
```
"#
    );
    // The last part of a name will do, and a family or a module by its own.
    assert_eq!(docs(&["journald"]), docs(&["diskless::journald"]));
    assert_eq!(
        docs(&["values of the build"]),
        "Values of the build\n\n  capture  Runs a command inside of the root and gives its output to the script.\n  secret   Names a secret, whose value no plan, log, key or error ever holds.\n"
    );
    let module = docs(&["diskless"]);
    for part in [
        r#"The module diskless

`import "diskless" as diskless;`
"#,
        "  diskless::prepare ",
    ] {
        assert!(module.contains(part), "{part}: {module}");
    }
    let data: serde_json::Value =
        serde_json::from_str(&docs(&["write_file", "--format", "json"])).unwrap();
    assert_eq!(
        data["parameters"][3]["fields"][0]["type"],
        "permission bits"
    );
    assert_eq!(data["signature"], "root.write_file(path, content, [opts])");
    let whole: serde_json::Value = serde_json::from_str(&docs(&["--format", "json"])).unwrap();
    assert_eq!(whole["schema"], 1);
    let coloured = stdout(&run(
        rootwright().args(["docs", "quote", "--color", "always"])
    ));
    assert!(
        coloured.starts_with("\u{1b}[1mquote(words)\u{1b}[0m\n"),
        "{coloured}"
    );
}

#[test]
fn what_is_not_there_is_said() {
    let failed = |arguments: &[&str]| {
        let output = rootwright().arg("docs").args(arguments).output().unwrap();
        assert_eq!(stdout(&output), "");
        (output.status.code(), stderr(&output))
    };
    for (name, help) in [
        ("wriet_file", "did you mean `write_file`?"),
        ("diskles", "did you mean `diskless`?"),
        ("jurnald", "did you mean `diskless::journald`?"),
        ("frobnicate", "`rootwright docs` has them all"),
    ] {
        let said = format!("  x there is no function `{name}`\n  help: {help}\n");
        assert_eq!(failed(&[name]), (Some(1), said));
    }
    let (code, said) = failed(&["--format", "html"]);
    assert!(code == Some(2) && said.contains("--out <DIR>"), "{said}");
    let (code, said) = failed(&["--format", "html", "--out", "/dev/null/x"]);
    assert_eq!(code, Some(1));
    assert!(
        said.ends_with("  help: name a folder that can be made, or written: `--out DIR`\n"),
        "{said}"
    );
}
