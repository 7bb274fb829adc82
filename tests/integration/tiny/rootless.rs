//! Builds of an ordinary user with subordinate IDs.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::support::project::Run;
use crate::support::user::{FIRST, ID, User};
use crate::support::{Project, read};

/// What systemd-nspawn asks in a root for its users.
const GETENT: &str = r##"root.write_file("/bin/getent", "#!/bin/sh\ncase $1 in passwd) exec /bin/busybox grep \"^$2:\" /etc/passwd ;; initgroups) echo \"$2 34 77\" ;; esac\n", #{ mode: 0o755 });
"##;

/// Everything that layers can hold, changed in further layers.
const TREE: &str = r#"root.make_dir("/srv/a", #{ mode: 0o2750, owner: "web" });
root.write_file("/srv/a/old", "x");
root.nspawn_run("mkdir -p /srv/b/c && echo 1 >/srv/b/c/one && ln /srv/b/c/one /srv/b/two && /bin/busybox chown 33:44 /srv/b && /bin/busybox chmod 755 /srv/b/c/one && /bin/busybox cp /bin/busybox /srv/b/c/set && /bin/busybox chmod 4755 /srv/b/c/set");
root.nspawn_run("/bin/busybox mv /srv/b /srv/d && echo 2 >>/srv/d/three && rm -r /srv/a && mkdir /srv/a && echo 1 >>/srv/d/two");
root.nspawn_run("/bin/busybox chgrp 12 /srv/d/three && rm /srv/d/c/one && touch /tmp/x /run/x");
root.host_run(["sh", "-c", "mkfifo $0/srv/fifo && setfattr -n user.color -v blue $0/srv/d/two && setcap cap_net_raw+ep $0/srv/d/three", root.path]);
root.write_file("/srv/user", "y", #{ owner: "web", mode: 0o600 });
root.nspawn_run("id", #{ user: "web", cwd: "/usr" });
"#;

const EXPORTS: &str = r#"root.export(#{ format: "tar", compress: "none", name: "tar" });
root.export(#{ format: "squashfs", name: "squashfs" });
root.export(#{ format: "dir", name: "tree" });
"#;

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The user's build, to `own/out` with the store `own/store`.
fn by_user(project: &Project, user: &User) -> Run {
    let own = project.path().join("own");
    std::fs::create_dir(&own).unwrap();
    user.own(&own);
    let store = own.join("store");
    let build = project.build_to("own/out");
    user.runs(build.args(["--store", store.to_str().unwrap()]))
}

#[test]
#[ignore = "run with tests/run tiny"]
fn root_and_an_ordinary_user_build_the_same() {
    let (project, user) = (Project::new(), User::new());
    project.tiny(format!("{GETENT}{TREE}{EXPORTS}"));
    let keys = |project: &Project, store: &str| {
        let layers = std::fs::read_dir(project.path().join(store).join("layers")).unwrap();
        let mut keys: Vec<_> = layers.map(|layer| layer.unwrap().file_name()).collect();
        keys.sort();
        keys
    };
    let build = |out: &str, store: &str| {
        let build = project.build_to(out).args(["--store", store]);
        build.env("SOURCE_DATE_EPOCH", "1700000000")
    };
    build("root", "store-root").success();
    build("free", "store-free").arg("--unconfined").success();
    let own = project.path().join("own");
    std::fs::create_dir(&own).unwrap();
    user.own(&own);
    let store = own.join("store");
    let by_user = || user.runs(build("own/out", store.to_str().unwrap()));
    by_user().success();
    let out = own.join("out");
    for name in ["tar/root.tar", "squashfs/root.squashfs"] {
        let of_user = bytes(&out.join(name));
        assert!(
            of_user == bytes(&project.path().join("root").join(name)),
            "{name}"
        );
        assert!(
            of_user == bytes(&project.path().join("free").join(name)),
            "{name}"
        );
    }
    assert_eq!(keys(&project, "store-root"), keys(&project, "own/store"));
    // What is not the tree is the user's, the tree is of the subordinate IDs.
    let owner = |name: &str| out.join(name).symlink_metadata().unwrap().uid();
    for name in [
        ".",
        "tar",
        "tar/root.tar",
        "tree",
        "tree/manifest.json",
        "tree/tree",
    ] {
        assert_eq!(owner(name), ID, "{name}");
    }
    assert_eq!(owner("tree/tree/root"), FIRST);
    assert_eq!(owner("tree/tree/root/srv/d"), FIRST + 33);
    assert_eq!(
        out.join("tree/tree").metadata().unwrap().mode() & 0o7777,
        0o700
    );
    let again = by_user().success().err();
    assert_eq!(again.matches("cached").count(), 13, "{again}");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_container_of_ones_own_is_like_one_of_systemd_nspawn() {
    let (project, user) = (Project::new(), User::new());
    project.tiny(
        r#"root.host_run(["sh", "-c", "echo web:x:34: >$0/etc/group; echo more:x:77:web >>$0/etc/group", root.path]);
root.nspawn_run("{ id; pwd; env | grep -vE '^(container_uuid|container_host_.*|NOTIFY_SOCKET|TERM|SHLVL|_)=' | sort; } >/etc/root", #{ env: #{ A: "b c" } });
root.nspawn_run("{ id; pwd; env | grep -vE '^(container_uuid|container_host_.*|NOTIFY_SOCKET|TERM|SHLVL|_)=' | sort; } >/tmp/web; cat /tmp/web", #{ user: "web", cwd: "/usr" });
root.nspawn_run("grep -E 'Cap(Bnd|Eff)' /proc/self/status; cat; ls /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx /dev/fd /dev/stdin /dev/shm /dev/pts; ls /tmp; /bin/busybox hostname; /bin/busybox ip -o link | /bin/busybox grep -v -c UNUSED; /bin/busybox ip link show lo | grep -c LOOPBACK,UP; exec >/etc/more; id", #{ stdin: "in" }) ;
"#,
    );
    let said = |text: String| -> Vec<String> {
        let lines = text.lines().map(str::trim);
        let start = lines.skip_while(|line| !line.starts_with("uid="));
        start
            .filter(|line| {
                !line.contains("step") && !line.ends_with(" s") && !line.contains("/project/")
            })
            .map(str::to_owned)
            .collect()
    };
    let recipe = project.read("recipe.rhai");
    let (bootstrap, steps) = recipe.split_once('\n').unwrap();
    project.recipe(format!("{bootstrap}\n{GETENT}{steps}") + "root.nspawn_run(\"cat /etc/root /etc/more\");\nroot.export(#{ format: \"tar\", compress: \"none\", name: \"x\" });\n");
    let root = project.build().arg("--verbose").success();
    let rootless = by_user(&project, &user).arg("-v").success();
    let (root, rootless) = (said(root.err()), said(rootless.err()));
    assert!(
        root.iter()
            .any(|line| line.contains("groups=34(web),77(more)")),
        "{root:#?}"
    );
    assert!(root.iter().any(|line| line == "A=b c"), "{root:#?}");
    for (own, other) in rootless.iter().zip(&root) {
        assert_eq!(own, other, "{rootless:#?}{root:#?}");
    }
    assert_eq!(rootless.len(), root.len());
    assert!(
        bytes(&project.path().join("own/out/x/root.tar"))
            == bytes(&project.out().join("x/root.tar"))
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_runs_is_not_the_user() {
    let (project, user) = (Project::new(), User::new());
    let secret = user.home().join("secret");
    std::fs::write(&secret, "mine").unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::set_permissions(user.home(), PermissionsExt::from_mode(0o700)).unwrap();
    user.own(&user.home());
    let shared = project.beside().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("file"), "open").unwrap();
    std::fs::write(shared.join("closed"), "closed").unwrap();
    std::fs::set_permissions(shared.join("closed"), PermissionsExt::from_mode(0o600)).unwrap();
    user.own(&shared);
    let (secret, shared) = (secret.display(), shared.display());
    project.tiny(text!(
        r#"root.host_run(script(`
    head -n 1 /proc/self/uid_map >$1/etc/map
    cat {secret} && exit 1
    ls {shared} && exit 2
    touch /usr/x /etc/x /var/lib/x && exit 3
    mount -t tmpfs tmpfs /etc && umount /usr && exit 4
    ls -d /proc/[0-9]* | wc -l >$1/etc/processes
    grep -E 'NoNewPrivs|Seccomp:' /proc/self/status >$1/etc/limits
    true
`, #{ interpreter: ["sh", "-uc"], arguments: [root.path] }));
root.host_run(script("cat {shared}/file >$1/etc/read; cat {shared}/closed; echo x >{shared}/file; true", #{ interpreter: ["sh", "-uc"], arguments: [root.path] }), #{ binds: [#{ host: "{shared}", read_only: true }] });
root.nspawn_run(`cat /proc/self/uid_map >/etc/inside; cat /mnt/closed || true; echo x >/mnt/file || true; /bin/busybox mount -t tmpfs tmpfs /usr && exit 5; /bin/busybox mknod /etc/null c 1 3 && exit 6; echo x >/sys/kernel/x && exit 7; echo 1 >/proc/sys/kernel/panic && exit 8; cat /mnt/file >/etc/bound`, #{ binds: [#{ host: "{shared}", path: "/mnt", read_only: true }] });
root.export(#{ format: "dir", name: "x" });
"#,
        secret,
        shared
    ));
    by_user(&project, &user).success();
    let root = project.path().join("own/out/x/tree/root/etc");
    let words = |name: &str| -> Vec<String> {
        read(root.join(name))
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    // The IDs of the namespace of the build, which are the user's subordinate ones.
    assert_eq!(words("map"), ["0", "0", "65536"]);
    assert_eq!(words("inside"), ["0", "0", "65536"]);
    assert_eq!(words("limits"), ["NoNewPrivs:", "1", "Seccomp:", "2"]);
    assert!(words("processes")[0].parse::<u32>().unwrap() < 10);
    assert_eq!(words("read"), ["open"]);
    assert_eq!(words("bound"), ["open"]);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn links_of_an_image_lead_nowhere_outside() {
    let (project, user) = (Project::new(), User::new());
    let outside = project.beside().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::set_permissions(&outside, PermissionsExt::from_mode(0o777)).unwrap();
    let at = outside.display();
    // Whatever the container mounts something on, or makes.
    for (name, target) in [
        ("proc", format!("{at}/proc")),
        ("sys", "/etc".to_owned()),
        ("dev", format!("../..{at}")),
        ("run", format!("{at}")),
        ("tmp", "/".to_owned()),
        ("var", format!("{at}/var")),
        ("root", format!("{at}/root")),
    ] {
        project.tiny(text!(
            r#"root.host_run(["sh", "-c", "rm -rf $0/{name} && ln -s {target} $0/{name}", root.path]);
root.nspawn_run("echo x >/{name}/made 2>/dev/null; true");
"#,
            name,
            target
        ));
        let own = project.path().join("own");
        let _ = std::fs::create_dir(&own);
        user.own(&own);
        let store = user.home().join(format!("store-{name}"));
        let build = project
            .build_to("own/out")
            .args(["--store", store.to_str().unwrap()]);
        // It may refuse to start in such a root.
        let ended = user.runs(build).output();
        assert!(matches!(ended.status(), Some(0 | 1)), "{}", ended.err());
        assert!(!ended.err().contains("panicked"), "{}", ended.err());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "{name}");
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_needs_root_of_the_host_is_said_at_its_line() {
    let (project, user) = (Project::new(), User::new());
    project.tiny("root.nspawn_run(\"true\");\nroot.nspawn_boot(\"true\");\n");
    let store = user.home().join("store");
    let store = store.to_str().unwrap();
    let build = |out: &str| project.build_to(out).args(["--store", store]);
    let said = user.runs(build("/nowhere/out")).failure();
    assert!(said.err().contains("recipe.rhai:3:1"), "{}", said.err());
    let said = said.stderr_contains([
        "an ordinary user's build has no `nspawn_boot`",
        "only root of this host may start",
        "help: build this recipe as root, or take the call out",
    ]);
    assert!(!said.err().contains("step 1"), "{}", said.err());
    let unconfined = user.runs(build("out").arg("--unconfined"));
    unconfined
        .failure()
        .stderr_contains(["`--unconfined` needs root of this host", "next: sudo "]);
    let boot = user.runs(project.command(&["boot", "recipe.rhai"]));
    boot.failure()
        .stderr_contains(["needs root of this host", "next: sudo "]);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_host_without_subordinate_ids_is_told_how_to_give_them() {
    let (project, user) = (Project::new(), User::new());
    project.tiny("");
    let store = user.home().join("store");
    let args = ["--store", store.to_str().unwrap()];
    for text in ["", "builder:7000000:65535\n", "other:7000000:65536\n"] {
        user.ids(text);
        for command in ["build", "doctor"] {
            let run = project
                .command(&[command, "recipe.rhai", "--allow-host-run"])
                .args(args);
            user.runs(run).failure().stderr_contains([
                "must run as root, or as a user who has subordinate IDs",
                "the user has fewer than 65536 subordinate user IDs in a row",
                "next: usermod --add-subuids 100000-165535 --add-subgids 100000-165535",
                "next: sudo ",
            ]);
        }
    }
    user.ids(&format!("builder:{FIRST}:65536\n"));
    let run = project
        .command(&["doctor", "recipe.rhai", "--allow-host-run"])
        .args(args);
    user.runs(run).success();
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_users_store_and_exports_can_be_tidied_up() {
    let (project, user) = (Project::new(), User::new());
    project.tiny("root.nspawn_run(\"echo 1 >/etc/x\");\nroot.export(#{ format: \"nfs\", name: \"x\" });\nroot.export(#{ format: \"dir\", name: \"y\" });\n");
    user.own(project.path());
    let own = |arguments: &[&str]| user.runs(project.plain(arguments));
    // The store is the user's own, where nobody names one.
    own(&["build", "recipe.rhai", "--allow-host-run"]).success();
    assert!(user.home().join(".cache/rootwright/layers").is_dir());
    own(&["cache", "ls"]).success().stdout_contains(["layers"]);
    own(&["cache", "verify"]).success();
    let shell = own(&[
        "shell",
        "recipe.rhai",
        "--allow-host-run",
        "--",
        "cat",
        "/etc/x",
    ]);
    shell.success().stdout("1\n");
    own(&["export", "rm", "x"]).success();
    own(&["export", "rm", "y"]).success();
    assert_eq!(std::fs::read_dir(project.out()).unwrap().count(), 0);
    own(&["export", "rm", "y"])
        .failure()
        .stderr_contains(["cannot find `out/y`"]);
    own(&["cache", "gc", "--keep", "0", "--max-age", "0s"]).success();
    let layers = user.home().join(".cache/rootwright/layers");
    assert_eq!(std::fs::read_dir(layers).unwrap().count(), 0);
}
