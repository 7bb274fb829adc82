//! What builds run is root in a user namespace, and sees what it is granted.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::support::mount::Mount;
use crate::support::{Project, listing};

/// Prints who it is: the first line of the map is that of the namespace's root.
const WHO: &str = "id -u; head -n 1 /proc/self/uid_map";

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
#[ignore = "run with tests/run tiny"]
fn root_in_a_root_is_nobody_outside_and_files_keep_their_owners() {
    let project = Project::new();
    project
        .tiny(text!(
            r#"root.write_file("/etc/before", "x", #{ mode: 0o640 });
root.nspawn_run(`{ {WHO}; } >/etc/nspawn; echo y >>/etc/before; grep Cap /proc/self/status >/etc/capabilities`);
root.host_run(script("{ {WHO}; } >$1/etc/host; grep -E 'Cap|Seccomp|NoNew' /proc/self/status >$1/etc/limits", #{ arguments: [root.path] }));
root.set_owner("/etc/host", "web");
root.export(#{ format: "dir", name: "x" });
"#,
            WHO
        ))
        .build()
        .success();
    let root = project.out().join("x/root");
    let said = |name: &str| std::fs::read_to_string(root.join("etc").join(name)).unwrap();
    assert_eq!(words(&said("nspawn")), ["0", "0", "524288", "65536"]);
    assert_eq!(words(&said("host")), ["0", "0", "524288", "65536"]);
    assert_eq!(said("before"), "xy\n");
    let owner = |name: &str| {
        let metadata = root.join("etc").join(name).metadata().unwrap();
        (metadata.uid(), metadata.mode() & 0o7777)
    };
    assert_eq!(owner("nspawn"), (0, 0o644));
    assert_eq!(owner("before"), (0, 0o640));
    assert_ne!(owner("host").0, 0);
    // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SYS_CHROOT, SETFCAP; a tool of
    // the host has SYS_ADMIN, too.
    for (name, bounding) in [
        ("capabilities", "00000000800400fb"),
        ("limits", "00000000802400fb"),
    ] {
        let said = said(name);
        assert!(said.contains(&format!("CapBnd:\t{bounding}")), "{said}");
        assert!(said.contains(&format!("CapEff:\t{bounding}")), "{said}");
    }
    let limits = said("limits");
    assert!(
        limits.contains("NoNewPrivs:\t1") && limits.contains("Seccomp:\t2"),
        "{limits}"
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_command_of_the_host_sees_what_the_plan_grants() {
    let project = Project::new();
    let outside = project.beside().join("outside");
    for (name, mode) in [("read", 0o700), ("written", 0o700), ("secret", 0o700)] {
        let folder = outside.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("file"), name).unwrap();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
    }
    let at = outside.display();
    project
        .tiny(text!(
            r#"root.host_run(script(`
    cat {at}/read/file >$1/etc/read
    echo x >{at}/read/new && exit 1
    echo changed >{at}/written/file
    touch {at}/written/new
    [ -e {at}/secret ] && exit 2
    touch /usr/x /etc/x /var/lib/x && exit 3
    touch /tmp/x /run/x /root/x /var/tmp/x
    ls / /home /tmp /dev >$1/etc/seen
    ls -d /proc/[0-9]* | wc -l >$1/etc/processes
`, #{ interpreter: ["sh", "-uc"], arguments: [root.path] }), #{ binds: [#{ host: "{at}/read", read_only: true }, #{ host: "{at}/written" }] });
root.export(#{ format: "dir", name: "x" });
"#,
            at
        ))
        .build()
        .success();
    let said = |name: &str| {
        let path = project.out().join("x/root/etc").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    assert_eq!(said("read"), "read");
    let written = outside.join("written");
    assert_eq!(
        std::fs::read_to_string(written.join("file")).unwrap(),
        "changed\n"
    );
    assert_eq!(written.join("new").metadata().unwrap().uid(), 0);
    assert!(!outside.join("read/new").exists());
    let seen = said("seen");
    for hidden in ["srv", "boot", "vda", "sda", "kmsg", "mem"] {
        assert!(!words(&seen).contains(&hidden), "{hidden}: {seen}");
    }
    let processes: usize = said("processes").trim().parse().unwrap();
    assert!(processes < 10, "{processes} processes");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn held_and_unconfined_builds_make_the_same_tree() {
    let project = Project::new();
    let held = project
        .tiny(
            r#"root.make_dir("/srv/a", #{ mode: 0o2750, owner: "web" });
root.nspawn_run("mkdir -p /srv/b/c && echo 1 >/srv/b/c/one && ln /srv/b/c/one /srv/b/two && chown 33:44 /srv/b && chmod 4755 /srv/b/c/one");
root.nspawn_run("mv /srv/b /srv/d && echo 2 >>/srv/d/three && rm -r /srv/a && mkdir /srv/a");
root.host_run(["sh", "-c", "mkfifo $0/srv/fifo && setfattr -n user.color -v blue $0/srv/d/c/one && setcap cap_net_raw+ep $0/srv/d/three", root.path]);
root.export(#{ format: "tar", compress: "none", name: "x" });
root.export(#{ format: "dir", name: "tree" });
"#,
        )
        .build();
    let held = held.success();
    assert!(!held.err().contains("unconfined"), "{}", held.err());
    let again = project
        .build_to("free")
        .args(["--store", "free-store", "--unconfined"]);
    again
        .success()
        .stderr_contains(["warning: unconfined: whatever this recipe"]);
    let free = project.path().join("free");
    let (one, other) = (
        listing(&project.out().join("tree/root")),
        listing(&free.join("tree/root")),
    );
    for name in one.keys().chain(other.keys()) {
        assert_eq!(one.get(name), other.get(name), "{name}");
    }
    let times = |out: &std::path::Path| {
        duct::cmd!("tar", "--numeric-owner", "-tvf", out.join("x/root.tar"))
            .read()
            .unwrap()
    };
    let strip = |text: String| -> Vec<String> {
        // Without sizes' neighbors, the dates.
        let lines = text.lines().map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            [&words[..3], &words[5..]].concat().join(" ")
        });
        lines.collect()
    };
    assert_eq!(strip(times(&project.out())), strip(times(&free)));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_store_that_cannot_map_owners_is_refused_with_the_cure() {
    let project = Project::new();
    project.tiny("");
    let disk = Mount::new(project.beside().join("disk"), "ramfs", "mode=0700");
    let store = disk.path().join("store");
    let build = project.build().args(["--store", store.to_str().unwrap()]);
    build.failure().stderr_contains([
        "cannot map the owners of the root's files",
        "cause: the kernel or the file system of the store has no mounts with mapped owners",
        "use Linux 5.19 or later, and a store on ext4, xfs, btrfs or tmpfs (`--store DIR`)",
        "`--unconfined` lets everything that the recipe runs be root on this host",
    ]);
    assert_eq!(std::fs::read_dir(store.join("layers")).unwrap().count(), 0);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_device_node_of_an_unconfined_build_is_named() {
    let project = Project::new();
    let steps = r#"root.host_run(["mknod", root.path + "/etc/node", "c", "1", "3"]);
"#;
    project.tiny(steps).build().arg("--unconfined").success();
    let export = r#"root.export(#{ format: "dir", name: "x" });
"#;
    project.tiny(format!("{steps}{export}"));
    project.build().failure().stderr_contains([
        "recipe.rhai:3:1",
        "cannot create special file",
        "the root has a device node, which only root of this host may make",
        "leave it out with `exclude`, or build with `--unconfined`",
    ]);
    assert!(!project.out().join("x").exists());
    let without = export.replace("name: \"x\"", "name: \"x\", exclude: [\"etc/node\"]");
    project.tiny(format!("{steps}{without}")).build().success();
}
