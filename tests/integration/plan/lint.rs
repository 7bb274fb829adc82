//! The table of lints, and what the command line says of them; tiny/lint.rs breaks roots.

use std::path::{Path, PathBuf};

use rootwright::diagnose::Report;
use rootwright::lint::{Table, markdown};

use crate::support::{rootwright, stderr};

pub fn stdlib() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib")
}

pub fn table() -> Table {
    let mut files: Vec<(String, String)> = std::fs::read_dir(stdlib().join("lint"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = format!("lint/{}", path.file_name().unwrap().to_string_lossy());
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    Table::new(&files).unwrap()
}

#[test]
fn every_cure_is_a_function_of_the_stdlib_and_the_lists_agree() {
    let module = std::fs::read_to_string(stdlib().join("diskless.rhai")).unwrap();
    let services = std::fs::read_to_string(stdlib().join("lint/services.toml")).unwrap();
    for lint in table().lints {
        let function = format!("fn {}(root)", lint.cure);
        assert!(module.contains(&function), "{}: {function}", lint.name);
    }
    let words = |text: &str, from: &str| -> Vec<String> {
        let list = text.split_once(from).unwrap().1.split_once(']').unwrap().0;
        let quoted = list.split('"').skip(1).step_by(2);
        quoted.map(str::to_owned).collect()
    };
    let masked = words(&module, "const TIMERS = [");
    assert_eq!(masked, words(&services, "units = ["));
    assert!(masked.len() > 20);
}

#[test]
fn what_is_no_root_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nothing");
    let output = rootwright().arg("lint").arg(&missing).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).starts_with(&format!(
            "  x `{}` cannot be looked at\n",
            missing.display()
        )),
        "{}",
        stderr(&output)
    );
    assert!(
        stderr(&output).contains("help: name a directory that is a root, a recipe, or an export")
    );
}

#[test]
fn a_table_that_makes_no_sense_is_refused() {
    let refused = |text: &str| -> Report {
        let error = Table::new(&[("lint/x.toml".to_owned(), text.to_owned())]).unwrap_err();
        error.into()
    };
    let lint = r#"[[lint]]
name = "x"
severity = "error"
reason = "r"
cure = "c"
"#;
    let nothing = refused(&text!(
        r#"{lint}[[lint.check]]
message = "m"
"#,
        lint
    ));
    assert_eq!(
        nothing.message,
        "the lint `x` has a check that makes no sense"
    );
    assert!(
        nothing
            .cause
            .as_ref()
            .unwrap()
            .starts_with("it looks at nothing")
    );
    let unknown = refused(&text!(
        r#"{lint}[[lint.check]]
message = "m"
path = ["/x"]
"#,
        lint
    ));
    assert_eq!(
        unknown.message,
        "the stdlib's `lint/x.toml` is no table of lints"
    );
    assert!(
        unknown
            .cause
            .as_ref()
            .unwrap()
            .contains("unknown field `path`")
    );
    let check = r#"[[lint.check]]
message = "m"
paths = ["/x"]
"#;
    let twice = refused(&format!("{lint}{check}{lint}{check}"));
    assert_eq!(twice.message, "two lints are named `x`");
    assert_eq!(twice.help, ["give one of them another name"]);
}

#[test]
fn the_page_has_every_lint() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lint.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once("<!-- lints -->\n").unwrap();
    let (list, after) = rest.split_once("<!-- end of the lints -->\n").unwrap();
    let now = format!("\n{}", markdown(&table()));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let text = format!("{before}<!-- lints -->\n{now}<!-- end of the lints -->\n{after}");
        std::fs::write(&page, text).unwrap();
        return;
    }
    assert!(
        list == now,
        "docs/lint.md is behind; UPDATE_DOCS=1 cargo test plan::lint writes it"
    );
}

#[test]
fn what_is_allowed_wants_a_lint_and_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("x.rhai");
    let said = |line: &str| {
        let text = text!(
            r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
{line}
"#,
            line
        );
        std::fs::write(&recipe, text).unwrap();
        stderr(&rootwright().arg("plan").arg(&recipe).output().unwrap())
    };
    let misspelt = said(r#"root.allow_lint("fstabb", "no");"#);
    assert!(misspelt.contains("there is no lint `fstabb`"), "{misspelt}");
    assert!(
        misspelt.contains("help: did you mean `fstab`?"),
        "{misspelt}"
    );
    assert!(misspelt.contains("x.rhai:2:"), "{misspelt}");
    let silent = said(r#"root.allow_lint("fstab", " ");"#);
    assert!(
        silent.contains("`fstab` is allowed without a reason"),
        "{silent}"
    );
    assert!(silent.contains("x.rhai:2:"), "{silent}");
}
