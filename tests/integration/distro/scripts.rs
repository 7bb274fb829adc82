//! The project's own recipes by a build, by a bundle of the plan and by the plan's script: the
//! same roots. Needs root privileges and the host's own package mirror.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{rootwright, run, stderr, stdout};
use crate::tiny::render::drift::listing;

/// What both made, without what differs from run to run: manifests name times, and a tar
/// is compared by what is in it.
fn made(out: &Path) -> BTreeMap<String, String> {
    let mut made = listing(out);
    for name in made.keys().cloned().collect::<Vec<_>>() {
        let path = out.join(&name);
        if name.ends_with("/root.tar.zst") {
            let folder = tempfile::tempdir().unwrap();
            let mut unpack = Command::new("tar");
            unpack.args([
                "--extract",
                "--numeric-owner",
                "--xattrs",
                "--xattrs-include=*",
            ]);
            run(unpack
                .arg("--file")
                .arg(&path)
                .arg("--directory")
                .arg(folder.path()));
            let members = listing(folder.path()).into_iter();
            made.extend(members.map(|(member, entry)| (format!("{name}/{member}"), entry)));
            made.remove(&name);
        } else if name.ends_with("/manifest.json") || name.ends_with("/root") {
            made.remove(&name);
        }
    }
    made
}

/// Options with which the recipes make the same with less to download and to compare.
const OPTIONS: &[(&str, &str)] = &[
    ("debian-nfs.rhai", "kernel=linux-image-cloud-amd64"),
    ("nfs-node.rhai", "kernel=linux-image-cloud-amd64"),
];

/// A command on a recipe, with its options.
fn command(words: &[&str], recipe: &Path) -> Command {
    let mut command = rootwright();
    command.args(words).arg(recipe);
    for (_, option) in OPTIONS.iter().filter(|(name, _)| recipe.ends_with(name)) {
        command.args(["-o", option]);
    }
    command
}

/// Applies the recipe's bundle where there is nothing else, with the store of its build: every
/// layer is there already. Gives what was made.
fn applied(recipe: &Path, folder: &Path) -> BTreeMap<String, String> {
    let bundle = folder.join("plan.bundle");
    let mut plan = command(&["plan", "--format", "bundle"], recipe);
    run(plan.arg("--output").arg(&bundle));
    let elsewhere = folder.join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let mut apply = rootwright();
    apply.current_dir(&elsewhere).arg("--store");
    let said = stderr(&run(apply
        .arg(folder.join("store"))
        .arg("apply")
        .arg(&bundle)));
    assert!(said.contains("cached") && !said.contains("runs:"), "{said}");
    made(&elsewhere.join("out"))
}

/// Those that have a test below, a test each: they run side by side.
const RECIPES: &[&str] = &["debian-minimal", "debian-nfs", "nfs-node"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")
}

#[test]
#[ignore = "run with tests/run distro"]
fn every_recipe_has_a_test() {
    let entries = std::fs::read_dir(folder()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let recipes = paths.filter(|path| path.extension().is_some_and(|ext| ext == "rhai"));
    let names = recipes.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, RECIPES);
}

#[test]
#[ignore = "run with tests/run distro"]
fn debian_minimal_each_way() {
    each_way("debian-minimal");
}

#[test]
#[ignore = "run with tests/run distro"]
fn debian_nfs_each_way() {
    each_way("debian-nfs");
}

#[test]
#[ignore = "run with tests/run distro"]
fn nfs_node_each_way() {
    each_way("nfs-node");
}

fn each_way(recipe: &str) {
    let recipe = folder().join(format!("{recipe}.rhai"));
    let folder = tempfile::tempdir().unwrap();
    let (built, out) = (folder.path().join("built"), folder.path().join("out"));
    let mut build = command(&["build"], &recipe);
    build.arg("--store").arg(folder.path().join("store"));
    run(build.arg("--out").arg(&built));
    let script = folder.path().join("plan.sh");
    let plan = run(&mut command(&["plan", "--format", "sh"], &recipe));
    std::fs::write(&script, stdout(&plan)).unwrap();
    run(Command::new("bash").arg(&script).arg(&out));
    let built = made(&built);
    assert!(built.len() > 1000, "{}", recipe.display());
    for other in [applied(&recipe, folder.path()), made(&out)] {
        for name in built.keys().chain(other.keys()) {
            let (built, other) = (built.get(name), other.get(name));
            assert!(built == other, "{}: {name}", recipe.display());
        }
    }
}
