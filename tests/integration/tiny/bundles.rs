//! Bundles: a plan with its files, applied where neither the recipe nor its repository is.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Project, read, rootwright, run, stderr};

/// What a bundle has to carry: a file, a tree with a link, a download, and a secret by name.
const STEPS: &str = r#"
root.copy_in("files/motd", "/etc/motd", #{ mode: 0o640 });
root.copy_in("files/tree", "/opt/tree");
root.copy_in(fetch("file://DOWNLOAD", #{ sha256: "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447" }), "/opt/download");
root.write_file("/etc/door", secret("door") + "\n", #{ mode: 0o600 });
root.nspawn_run(script("echo \"$1 $(cat /etc/motd)\" >/etc/said", #{ arguments: ["hello"] }));
root.export(#{ format: "tar", name: "x", compress: "none" });
"#;

fn project() -> Project {
    let project = Project::new();
    project
        .file("files/motd", "welcome\n")
        .file("files/tree/a", "1\n");
    symlink("a", project.path().join("files/tree/l")).unwrap();
    let download = project.beside().join("download");
    std::fs::write(&download, "hello world\n").unwrap();
    project.tiny(STEPS.replace("DOWNLOAD", download.to_str().unwrap()));
    project
}

/// Writes the bundle of `recipe.rhai`.
fn bundle(project: &Project) -> PathBuf {
    let path = project.beside().join("x.bundle");
    let output = ["--format", "bundle", "--output", path.to_str().unwrap()];
    project.plan().args(output).success();
    path
}

/// `apply` in a folder that has nothing but the bundle.
fn apply(bundle: &Path, folder: &Path) -> Command {
    let mut command = rootwright();
    command
        .current_dir(folder)
        .env("ROOTWRIGHT_SECRET_DOOR", "open")
        .args(["--store", "store", "apply", "--allow-host-run"])
        .arg(bundle);
    command
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_bundle_makes_what_the_recipe_makes() {
    let project = project();
    project
        .build()
        .env("ROOTWRIGHT_SECRET_DOOR", "open")
        .success();
    let built = std::fs::read(project.out().join("x/root.tar")).unwrap();
    let bundle = bundle(&project);
    // The same plan is the same bytes.
    let first = std::fs::read(&bundle).unwrap();
    self::bundle(&project);
    assert!(first == std::fs::read(&bundle).unwrap());
    // With the same store every layer has the same key.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut again = rootwright();
    again
        .current_dir(elsewhere.path())
        .env("ROOTWRIGHT_SECRET_DOOR", "open")
        .arg("--store")
        .arg(project.store())
        .args(["apply", "--allow-host-run"])
        .arg(&bundle);
    let said = stderr(&run(&mut again));
    assert_eq!(said.matches("cached").count(), 6, "{said}");
    assert!(!said.contains("runs:"), "{said}");
    // With a store of its own, and without the repository: what it reads is in the bundle.
    let moved = project.beside().join("moved");
    std::fs::rename(project.path(), &moved).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    run(&mut apply(&bundle, fresh.path()));
    let applied = std::fs::read(fresh.path().join("out/x/root.tar")).unwrap();
    assert!(built == applied);
    std::fs::rename(&moved, project.path()).unwrap();
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_bundle_asks_for_secrets_and_permissions() {
    let project = project();
    let bundle = bundle(&project);
    let folder = tempfile::tempdir().unwrap();
    let mut command = apply(&bundle, folder.path());
    let said = stderr(
        &command
            .env_remove("ROOTWRIGHT_SECRET_DOOR")
            .output()
            .unwrap(),
    );
    for part in [
        "the secret `door` has no value",
        "recipe.rhai:",
        "--secret door=FILE",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let mut command = rootwright();
    command
        .current_dir(folder.path())
        .args(["--store", "store", "apply"])
        .arg(&bundle);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    for part in [
        "the recipe wants to run a command of the host",
        "distro/tiny.rhai:",
        "--allow-host-run",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// Unpacks a bundle, changes it, and packs it again.
fn changed(bundle: &Path, change: impl FnOnce(&Path)) -> PathBuf {
    let folder = bundle.with_extension("unpacked");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    run(Command::new("tar")
        .arg("-xf")
        .arg(bundle)
        .arg("-C")
        .arg(&folder));
    change(&folder);
    let changed = bundle.with_extension("changed");
    let pack = r#"cd "$1"; tar -cf "$2" plan.json scripts.json files/*"#;
    run(Command::new("sh")
        .args(["-euc", pack, "sh"])
        .args([&folder, &changed]));
    changed
}

/// The file of the bundle that holds this text.
fn file_with(folder: &Path, text: &str) -> PathBuf {
    let mut files = std::fs::read_dir(folder.join("files")).unwrap().flatten();
    let found = files.find(|file| file.path().is_file() && read(file.path()) == text);
    found.unwrap().path()
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_changed_bundle_is_refused() {
    let project = project();
    let bundle = bundle(&project);
    let folder = tempfile::tempdir().unwrap();
    let refused = |bundle: &Path| {
        let output = apply(bundle, folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(!folder.path().join("out").exists());
        stderr(&output)
    };
    let said = refused(&changed(&bundle, |folder| {
        std::fs::write(file_with(folder, "welcome\n"), "evil\n").unwrap();
    }));
    assert!(
        said.contains("`files/motd` of the bundle has another digest"),
        "{said}"
    );
    assert!(
        said.contains("help: the bundle is damaged or was changed"),
        "{said}"
    );
    let said = refused(&changed(&bundle, |folder| {
        std::fs::remove_file(file_with(folder, "welcome\n")).unwrap();
    }));
    assert!(said.contains("lacks the file `files/motd`"), "{said}");
    let said = refused(&changed(&bundle, |folder| {
        std::fs::write(folder.join("files/extra"), "x").unwrap();
    }));
    assert!(
        said.contains("is not a bundle: it has the entry `files/extra`"),
        "{said}"
    );
    let said = refused(&changed(&bundle, |folder| {
        let plan = read(folder.join("plan.json"));
        let newer = plan.replacen("\"schema\":3", "\"schema\":99", 1);
        std::fs::write(folder.join("plan.json"), newer).unwrap();
    }));
    assert!(said.contains("has the plan's version 99"), "{said}");
    let text = folder.path().join("text");
    std::fs::write(&text, "not a tar").unwrap();
    assert!(refused(&text).contains("is not a bundle"));
}

/// Links, absolute names and devices in a bundle reach nothing outside it.
#[test]
#[ignore = "run with tests/run tiny"]
fn a_hostile_bundle_writes_nothing_outside() {
    let project = project();
    let bundle = bundle(&project);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    std::fs::create_dir(&target).unwrap();
    let digest = "a".repeat(64);
    let link = changed(&bundle, |folder| {
        symlink(&target, folder.join("files").join(&digest)).unwrap();
    });
    // A link, then a file below it; a device; a name with `..`; an absolute name.
    let below = format!("files/{digest}/evil");
    let evil = folder.path().join("evil");
    std::fs::write(&evil, "x").unwrap();
    let append = |archive: &Path, from: &Path, name: &str| {
        run(Command::new("tar")
            .args(["-P", "--append", "-f"])
            .arg(archive)
            .arg(format!("--transform=s,.*,{name},"))
            .arg(from));
    };
    for (from, name) in [
        (evil.as_path(), below.as_str()),
        (Path::new("/dev/null"), &format!("files/{}", "b".repeat(64))),
        (evil.as_path(), "files/../../evil"),
        (evil.as_path(), &format!("{}/absolute", target.display())),
    ] {
        let hostile = bundle.with_extension("hostile");
        std::fs::copy(&link, &hostile).unwrap();
        append(&hostile, from, name);
        let output = apply(&hostile, folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {}", stderr(&output));
        assert_eq!(std::fs::read_dir(&target).unwrap().count(), 0, "{name}");
    }
}
