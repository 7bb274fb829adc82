//! What a build says of a host that lacks privileges or tools, before anything runs.

use std::process::Command;

use crate::plan::cli::DEBIAN;
use crate::support::{Project, run, stderr, without_tools};

#[test]
#[ignore = "run with tests/run tiny"]
fn a_build_without_privileges_or_tools_says_so_before_anything_runs() {
    let project = Project::new();
    project.write("node.rhai", DEBIAN);
    let mut allow = Command::new("chmod");
    run(allow.args(["-R", "a+rX"]).arg(project.path()));
    let program = project.path().join("rootwright");
    // By a program of its own: what this process has open for writing, a command that another
    // test starts may inherit, and a program that is open so does not run.
    run(Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_rootwright"))
        .arg(&program));
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["build", "node.rhai"])
        .current_dir(project.path())
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
            .current_dir(project.path());
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
    project.recipe(
        r#"
let root = bootstrap(#{ distro: "debian", release: "bookworm", keyring: "/nowhere.gpg", mirror: "http://mirror.example.org/debian" });
root.export(#{ format: "tar", name: "x" });
"#,
    );
    let mut build = without_tools(&project.build(), &["mmdebstrap", "tar", "zstd"]);
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
    assert!(!project.out().exists());
}
