//! docs/tutorial.md is what a new user sees: `tests/e2e/tutorial.sh` does it all, for real.
//!
//! `UPDATE=1 tests/run distro::tutorial` writes the page again. Needs root privileges, a
//! Debian mirror (the host's own), mmdebstrap, systemd-nspawn and git.

use std::path::Path;
use std::process::Command;

use crate::support::{rootwright, run, stderr, stdout};
use regex::Regex;

const RECIPE: &str = r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
"#;

/// The mirrors that the host itself has its packages from.
fn mirrors(folder: &Path) -> [String; 2] {
    std::fs::write(folder.join("mirrors.rhai"), RECIPE).unwrap();
    let plan =
        run(rootwright()
            .current_dir(folder)
            .args(["plan", "mirrors.rhai", "--format", "json"]));
    let plan: serde_json::Value = serde_json::from_str(&stdout(&plan)).unwrap();
    ["mirror", "security mirror"].map(|what| {
        let assumptions = plan["assumptions"].as_array().unwrap();
        let found = assumptions.iter().find(|assumed| assumed["what"] == what);
        found.unwrap()["value"].as_str().unwrap().to_owned()
    })
}

/// Takes out what differs between machines and days.
fn the_same_everywhere(text: &str, folder: &Path) -> String {
    let mut out = text.replace(&*folder.to_string_lossy(), "/home/you");
    for (pattern, with) in [
        // How long a step took.
        (r"(?m) +\d+\.\d s$", "  … s"),
        // Where in the stdlib, which changes more often than this page.
        (r"(stdlib:[a-z0-9/_.-]+):\d+:\d+", "$1:…"),
    ] {
        let pattern = Regex::new(pattern).unwrap();
        out = pattern.replace_all(&out, with).into_owned();
    }
    out.trim_end().to_owned() + "\n"
}

#[test]
#[ignore = "run with tests/run distro"]
fn the_tutorial_is_what_happens() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let mirrors = mirrors(folder.path());
    let program = Path::new(env!("CARGO_BIN_EXE_rootwright"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let home = folder.path().join("home");
    let output = Command::new("bash")
        .arg(base.join("tests/e2e/tutorial.sh"))
        .current_dir(folder.path())
        .env("PATH", path)
        .env("HOME", &home)
        .env("ROOTWRIGHT_STORE", home.join("store"))
        .env("MIRROR", &mirrors[0])
        .env("SECURITY_MIRROR", &mirrors[1])
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    let text = the_same_everywhere(&text, folder.path());
    assert!(
        !text.contains(&mirrors[0]) && !text.contains("/tmp/"),
        "{text}"
    );
    let page = base.join("docs/tutorial.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, &text).unwrap();
    }
    let wanted = std::fs::read_to_string(&page).unwrap();
    if wanted != text {
        let changed = similar::TextDiff::from_lines(&wanted, &text);
        panic!(
            "docs/tutorial.md is not what happens (UPDATE=1 writes it anew):\n{}",
            changed.unified_diff().context_radius(2)
        );
    }
}
