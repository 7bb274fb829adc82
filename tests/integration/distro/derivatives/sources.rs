//! Where packages come from: mirrors that fail, dated mirrors, a proxy. Releases of Ubuntu stand
//! for all of apt: one writes sources in each of the two formats.

use std::process::Command;

use super::made::{DISTROS, Distro, LAST, Made, made};
use super::{Bench, root, sources};
use crate::support::long;
use crate::support::serve::dead_uri;
use crate::support::{run, stdout};

/// One is enough where there is not much time.
fn releases(shown: &'static str) -> &'static [&'static str] {
    match (long(), shown) {
        (true, _) => &["noble", "jammy"],
        (false, "noble") => &["noble"],
        (false, _) => &["jammy"],
    }
}

fn ubuntu() -> &'static Distro {
    let mut distros = DISTROS.iter();
    distros.find(|distro| distro.name == "ubuntu").unwrap()
}

/// A root with these fields, in which its own apt gets lists and a package once more.
fn recipe(made: &Made, release: &str, fields: &str) -> String {
    let root = root(made, ubuntu(), release, fields);
    text!(
        r#"{root}root.install(["{LAST}"], #{ update: true });
root.upgrade();
"#,
        root,
        LAST
    )
}

/// The second is asked where the first fails, in the build and in the image.
#[test]
#[ignore = "run with tests/run distro"]
fn a_mirror_that_fails_is_passed_over() {
    let (bench, made) = (Bench::new(), made());
    let server = made.serve();
    let dead = format!("{}/ubuntu", dead_uri());
    let good = format!("{}/ubuntu", server.uri());
    for release in releases("jammy") {
        let recipe = recipe(
            &made,
            release,
            &text!(r#"mirror: ["{dead}", "{good}"]"#, dead, good),
        );
        let root = bench.build(release, &recipe);
        assert!(root.join("usr/bin").join(LAST).exists());
        let list = std::fs::read_to_string(root.join("etc/apt/mirrors/ubuntu.list")).unwrap();
        assert_eq!(list, format!("{dead}\tpriority:1\n{good}\tpriority:2\n"));
        let sources = sources(&root, ubuntu());
        let named = "mirror+file:/etc/apt/mirrors/ubuntu.list";
        assert!(sources.contains(named), "{sources}");
        assert!(!sources.contains("127.0.0."), "{sources}");
    }
}

/// From a mirror that has the archive at every date, and whose lists have expired since.
#[test]
#[ignore = "run with tests/run distro"]
fn a_snapshot_is_built_from_its_date() {
    const DATE: &str = "20260801T000000Z";
    let (bench, made) = (Bench::new(), made());
    made.dated(ubuntu(), DATE);
    let server = made.serve();
    let dated = format!("{}/ubuntu/{DATE}", server.uri());
    for release in releases("noble") {
        let fields = format!(
            "snapshot: \"{DATE}\", snapshot_mirror: \"{}/\"",
            server.uri()
        );
        let recipe = recipe(&made, release, &fields);
        let plan = stdout(&run(&mut bench.command("plan", release, &recipe)));
        assert!(plan.contains(&dated), "{plan}");
        let root = bench.build(release, &recipe);
        assert!(root.join("usr/bin").join(LAST).exists());
        let sources = sources(&root, ubuntu());
        assert!(
            sources.contains(&format!("{dated}\n"))
                || sources.contains(&format!("{dated} {release} ")),
            "{sources}"
        );
    }
    let asked = server.log();
    let today = |path: &&String| !path.starts_with(&format!("ubuntu/{DATE}/"));
    assert!(!asked.is_empty());
    assert_eq!(asked.iter().find(today), None);
}

/// Nobody resolves the mirror's name: whatever came, came through the proxy. Nothing of that
/// stays in the image.
#[test]
#[ignore = "run with tests/run distro"]
fn a_proxy_is_for_the_build_alone() {
    let (bench, made) = (Bench::new(), made());
    let proxy = made.serve();
    let mirror = "http://mirror.example.org/ubuntu";
    for release in releases("jammy") {
        let fields = format!("mirror: \"{mirror}\", proxy: \"{}\"", proxy.uri());
        let root = bench.build(release, &recipe(&made, release, &fields));
        assert!(root.join("usr/bin").join(LAST).exists());
        let sources = sources(&root, ubuntu());
        assert!(sources.contains(mirror), "{sources}");
        let address = proxy.uri().trim_start_matches("http://").to_owned();
        let mut grep = Command::new("grep");
        grep.args(["--recursive", "--files-with-matches", "--fixed-strings"]);
        let found = grep.arg(address).arg(&root).output().unwrap();
        assert_eq!(
            (found.status.code(), stdout(&found)),
            (Some(1), String::new())
        );
    }
    // Whether the archives have changed was asked through it, too.
    for state in std::fs::read_dir(bench.path().join("store/states")).unwrap() {
        let state = std::fs::read_to_string(state.unwrap().path()).unwrap();
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        for archive in state["archives"].as_array().unwrap() {
            assert!(archive["look"]["digest"].is_string(), "{state}");
        }
    }
    let asked = proxy.log();
    let around = |path: &&String| !path.starts_with(&format!("{mirror}/"));
    assert!(!asked.is_empty());
    assert_eq!(asked.iter().find(around), None);
}
