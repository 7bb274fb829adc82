//! Another user of the host, who makes the store, changes it, or stands in its way.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::Path;

use crate::support::Project;

const NOBODY: Option<u32> = Some(65534);

fn mode(path: &Path, bits: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(bits)).unwrap();
}

/// A build that is refused before it writes anything, with the fix.
fn is_refused(prepare: impl Fn(&Path), message: &str, help: &str) {
    let project = Project::new();
    project.tiny("");
    let beside = project.beside().join("shared");
    std::fs::create_dir(&beside).unwrap();
    prepare(&beside);
    let store = beside.join("store");
    let build = project.build().args(["--store", store.to_str().unwrap()]);
    build.failure().stderr_contains([message, help]);
    assert!(!store.join("layers/x").exists());
    let layers = std::fs::read_dir(store.join("layers")).map_or(0, Iterator::count);
    assert_eq!(layers, 0, "{message}");
}

#[test]
#[ignore = "run with tests/run attacks"]
fn a_store_of_somebody_else_is_not_used() {
    let owner = "the store can be replaced by another user";
    let help = "keep the layers elsewhere with `--store DIR`";
    is_refused(
        |beside| {
            let store = beside.join("store");
            std::fs::create_dir(&store).unwrap();
            chown(&store, NOBODY, NOBODY).unwrap();
        },
        owner,
        help,
    );
    // The folder that it stands in.
    is_refused(|beside| chown(beside, NOBODY, NOBODY).unwrap(), owner, help);
    // A link in a folder where everybody may make one.
    is_refused(
        |beside| {
            let real = beside.join("real");
            std::fs::create_dir(&real).unwrap();
            symlink(&real, beside.join("store")).unwrap();
            lchown(beside.join("store"), NOBODY, NOBODY).unwrap();
            mode(beside, 0o1777);
        },
        owner,
        help,
    );
    // A part of it.
    is_refused(
        |beside| {
            let layers = beside.join("store/layers");
            std::fs::create_dir_all(&layers).unwrap();
            chown(&layers, NOBODY, NOBODY).unwrap();
        },
        owner,
        help,
    );
}

#[test]
#[ignore = "run with tests/run attacks"]
fn a_store_that_others_can_write_to_is_not_used() {
    let message = "others can write to the store";
    is_refused(
        |beside| {
            let store = beside.join("store");
            std::fs::create_dir(&store).unwrap();
            mode(&store, 0o1777);
        },
        message,
        "next: chmod go-w ",
    );
    is_refused(|beside| mode(beside, 0o777), message, "next: chmod go-w ");
}

#[test]
#[ignore = "run with tests/run attacks"]
fn a_store_becomes_private() {
    let project = Project::new();
    project.tiny("");
    let store = project.store();
    std::fs::create_dir_all(&store).unwrap();
    mode(&store, 0o755);
    project.build().success();
    assert_eq!(std::fs::metadata(&store).unwrap().mode() & 0o7777, 0o700);
}

/// Whether nobody can do this.
fn nobody(script: &str, argument: &Path) -> bool {
    let words = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "sh",
        "-c",
        script,
        "sh",
    ];
    let mut command = std::process::Command::new("setpriv");
    command.args(words).arg(argument);
    command.output().unwrap().status.success()
}

/// A tree has set-uid programs, device nodes and keys. What servers read beside it stays open.
#[test]
#[ignore = "run with tests/run attacks"]
fn the_tree_of_an_export_is_closed() {
    let project = Project::new();
    project.tiny(
        r#"root.host_run(script(`
    rm "$1/bin/id"
    install -m 4755 "$(command -v id)" "$1/bin/id"
    mknod -m 0666 "$1/dev/everyone" c 1 3
`, #{ arguments: [root.path] }));
root.write_file("/etc/open", "x\n");
root.export(#{ format: "dir", name: "x" });
root.export(#{ format: "nfs", name: "v" });
root.export(#{ format: "squashfs", name: "i" });"#,
    );
    // Nothing that is confined makes device nodes.
    project.build().arg("--unconfined").success();
    let out = project.out();
    for bundle in ["x", "v/1", "v/current"] {
        let bundle = out.join(bundle);
        // Where the tree was in older versions, and where it is.
        for root in ["root", "tree/root"] {
            let root = bundle.join(root);
            assert!(root.join("bin/id").metadata().unwrap().mode() & 0o4000 != 0);
            assert_eq!(root.metadata().unwrap().mode() & 0o777, 0o755);
            for attack in [
                r#""$1/bin/id" -u"#,
                r#"cat "$1/etc/open""#,
                r#": <>"$1/dev/everyone""#,
                r#"ls "$1""#,
                r#"cd "$1""#,
            ] {
                assert!(!nobody(attack, &root), "{attack} in {}", root.display());
            }
        }
        assert!(
            nobody(r#"cat "$1/manifest.json""#, &bundle),
            "{}",
            bundle.display()
        );
        assert!(nobody(r#"test -d "$1/tree" && ! ls "$1/tree""#, &bundle));
    }
    assert!(nobody(r#"cat "$1/root.squashfs""#, &out.join("i")));
    // An open one is not taken as it is: it is written again.
    mode(&out.join("x/tree"), 0o755);
    assert!(nobody(r#""$1/bin/id" -u"#, &out.join("x/root")));
    project.build().arg("--unconfined").success();
    assert!(!nobody(r#""$1/bin/id" -u"#, &out.join("x/root")));
}

/// While a command has a secret in its environment and in its input, and after.
#[test]
#[ignore = "run with tests/run attacks"]
fn secrets_of_a_running_build_are_closed() {
    let project = Project::new();
    project.tiny(
        r#"for place in ["nspawn_run", "host_run"] {
    Fn(place).call(root, ["sh", "-c", "cat >/dev/null; echo $TOKEN >&2; sleep 3"], #{ env: #{ TOKEN: secret("token") }, stdin: secret("token") });
}
root.write_file("/etc/token", secret("token"), #{ mode: 0o644 });
root.export(#{ format: "dir", name: "x" });"#,
    );
    let attacks = [
        r#"cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -a 'hunter[4]711'"#,
        r#"ls "$1/store/layers""#,
        r#"cat "$1"/store/logs/*/*"#,
        r#"ls "$1"/store/tmp"#,
        r#"cat "$1/out/x/root/etc/token""#,
    ];
    let build = project.build();
    let mut build = build.env("ROOTWRIGHT_SECRET_TOKEN", "hunter4711");
    let mut child = build.spawn().unwrap();
    let mut tries = 0;
    while child.try_wait().unwrap().is_none() {
        for attack in attacks {
            assert!(!nobody(attack, project.path()), "{attack}");
        }
        tries += 1;
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(child.wait().unwrap().success() && tries > 10, "{tries}");
    for attack in attacks {
        assert!(!nobody(attack, project.path()), "{attack}");
    }
    assert_eq!(project.read("out/x/root/etc/token"), "hunter4711");
}

/// Somebody else's folder, link or file is where an export goes.
#[test]
#[ignore = "run with tests/run attacks"]
fn what_is_in_the_way_of_an_export_is_not_followed() {
    for kind in ["dir", "tar", "nfs", "squashfs"] {
        let project = Project::new();
        let kept = project.beside().join("kept");
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("file"), "kept\n").unwrap();
        std::fs::create_dir(project.out()).unwrap();
        symlink(&kept, project.out().join("x")).unwrap();
        project.tiny(text!(
            r#"root.export(#{ format: "{kind}", name: "x" });"#,
            kind
        ));
        let said = project.build().output().err();
        let names: Vec<_> = std::fs::read_dir(&kept).unwrap().collect();
        assert_eq!(names.len(), 1, "{kind}: {said}");
        assert_eq!(project.read("../kept/file"), "kept\n");
    }
}
