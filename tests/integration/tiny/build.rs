//! Builds, with the real tools, of roots that hold one static program. Needs root
//! privileges, systemd-nspawn and busybox; no network.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{
    Project, mounts_below, processes_with, read, run, stderr, stdout, tiny, wait_for,
};

#[test]
#[ignore = "run with tests/run tiny"]
fn a_build_makes_what_the_recipe_says() {
    let project = Project::new();
    project.write("files/tree/run.sh", "#!/bin/sh\n");
    std::fs::set_permissions(
        project.path().join("files/tree/run.sh"),
        PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    std::os::unix::fs::symlink("/etc/passwd", project.path().join("files/tree/link")).unwrap();
    let recipe = tiny(
        r#"
root.write_file("/etc/motd", "hello\n", #{ mode: 0o640, owner: "web", group: "web" });
root.append_file("/etc/motd", "again\n");
root.edit_file("/etc/motd", #{ pattern: "^(a)gain$", replacement: "${1}-gain" });
root.make_dir("/srv/data", #{ mode: 0o750 });
root.symlink("/srv/link", "/etc/motd");
root.copy_in("files/tree", "/opt/tree");
root.nspawn_run(["sh", "-c", "id -u >/srv/uid; pwd >>/srv/uid; echo $WORD >>/srv/uid"], #{ user: "web", cwd: "/tmp", env: #{ WORD: "it's" }, allow_failure: "the user may not write there" });
root.nspawn_run("id -u >/srv/uid\npwd >>/srv/uid\necho \"$WORD\" >>/srv/uid\ncat >>/srv/uid", #{ cwd: "/etc", env: #{ WORD: "it's" }, stdin: "from stdin\n" });
root.nspawn_run(["touch", "/srv/never"], #{ only_if: ["false"] });
root.nspawn_run(["touch", "/srv/ever"], #{ only_if: ["true"] });
root.write_file("/srv/a.log", ""); root.write_file("/srv/b.log", ""); root.write_file("/srv/c.txt", "");
root.remove_path("/srv/*.log");
root.move_path("/srv/c.txt", "/srv/d.txt");
root.set_mode("/srv", 0o700);
root.set_owner("/srv/d.txt", 33, #{ group: "34" });
root.export(#{ format: "dir", name: "one" });
root.export(#{ format: "tar", name: "two", compress: "none", exclude: ["srv/*"] });
"#,
    );
    project.recipe(&recipe).build().success();
    let root = project.out().join("one/root");
    assert_eq!(read(root.join("etc/motd")), "hello\na-gain\n");
    let motd = std::fs::metadata(root.join("etc/motd")).unwrap();
    assert_eq!(
        (motd.mode() & 0o7777, motd.uid(), motd.gid()),
        (0o640, 33, 34)
    );
    assert_eq!(
        std::fs::metadata(root.join("srv/data")).unwrap().mode() & 0o7777,
        0o750
    );
    assert_eq!(
        std::fs::read_link(root.join("srv/link")).unwrap(),
        Path::new("/etc/motd")
    );
    assert_eq!(
        std::fs::read_link(root.join("opt/tree/link")).unwrap(),
        Path::new("/etc/passwd")
    );
    assert_eq!(
        std::fs::metadata(root.join("opt/tree/run.sh"))
            .unwrap()
            .mode()
            & 0o777,
        0o755
    );
    assert_eq!(read(root.join("srv/uid")), "0\n/etc\nit's\nfrom stdin\n");
    assert!(!root.join("srv/never").exists() && root.join("srv/ever").exists());
    assert!(!root.join("srv/a.log").exists() && root.join("srv/d.txt").exists());
    assert_eq!(std::fs::metadata(root.join("srv/d.txt")).unwrap().uid(), 33);
    let tar = std::process::Command::new("tar")
        .arg("-tf")
        .arg(project.out().join("two/root.tar"))
        .output()
        .unwrap();
    let names = stdout(&tar);
    assert!(
        names.contains("./etc/motd\n") && !names.contains("./srv/d.txt"),
        "{names}"
    );
    let manifest: serde_json::Value =
        serde_json::from_str(&read(project.out().join("two/manifest.json"))).unwrap();
    assert_eq!(manifest["made_by"], "rootwright");
    assert_eq!(manifest["recipe"]["path"], "recipe.rhai");
    assert_eq!(mounts_below(project.path()), Vec::<String>::new());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_library_takes_part_in_a_build() {
    let project = Project::new();
    project
        .library(
            "motd",
            &[(
                "base.rhai",
                r#"fn hello(root) { root.write_file("/etc/motd", "hello\n"); }"#,
            )],
        )
        .recipe(
            r#"
import "@motd/base" as motd;
let root = bootstrap(#{ distro: "tiny" });
motd::hello(root);
root.export(#{ format: "dir", name: "x" });
"#,
        )
        .build()
        .success();
    assert_eq!(project.read("out/x/root/etc/motd"), "hello\n");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn nothing_leads_out_of_the_root() {
    let project = Project::new();
    let outside = project.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("kept"), "kept").unwrap();
    let at = outside.display();
    project.tiny(&text!(
        r#"
root.symlink("/abs", "{at}");
root.symlink("/rel", "../../../../../../..{at}");
root.write_file("/abs/a", "inside");
root.write_file("/rel/b", "inside");
root.write_file("/../../..{at}/c", "inside");
root.write_file("/../../etc/passwd", "root:x:0:0::/:/bin/sh\n");
root.remove_path("/abs/kept", #{ missing_ok: true });
root.remove_path("/rel/*");
root.export(#{ format: "dir", name: "x" });
"#,
        at
    ));
    let passwd = read("/etc/passwd");
    project.build().success();
    assert_eq!(read("/etc/passwd"), passwd);
    let names: Vec<_> = std::fs::read_dir(&outside)
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(names, ["kept"]);
    let root = project.out().join("x/root");
    assert_eq!(read(root.join("etc/passwd")), "root:x:0:0::/:/bin/sh\n");
    assert!(root.join(outside.strip_prefix("/").unwrap()).is_dir());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn names_resolve_whatever_resolv_conf_is_and_it_stays_as_it_is() {
    let host = read("/etc/resolv.conf");
    let first = host
        .lines()
        .find(|line| line.starts_with("nameserver"))
        .unwrap_or("")
        .to_owned();
    for (name, make, kept) in [
        ("a file", "echo own >etc/resolv.conf", "file:own"),
        ("missing", "true", "missing"),
        (
            "a dangling absolute link",
            "ln -s /run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
            "link:/run/systemd/resolve/stub-resolv.conf",
        ),
        (
            "a dangling relative link",
            "ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
            "link:../run/systemd/resolve/stub-resolv.conf",
        ),
        (
            "a link to a file of the host",
            "ln -s /etc/hostname etc/resolv.conf",
            "link:/etc/hostname",
        ),
        (
            "a folder",
            "mkdir etc/resolv.conf; echo x >etc/resolv.conf/x",
            "dir:x",
        ),
    ] {
        let project = Project::new();
        project
            .tiny(&text!(
                r#"root.host_run(["sh", "-euc", "cd $0; {make}", root.path]);
root.nspawn_run(["sh", "-euc", "cat /etc/resolv.conf >/var/seen || true"]);
root.export(#{ format: "dir", name: "x" });"#,
                make
            ))
            .build()
            .success();
        let root = project.out().join("x/root");
        assert!(read(root.join("var/seen")).contains(&first), "{name}");
        let file = root.join("etc/resolv.conf");
        let found = match std::fs::symlink_metadata(&file) {
            Err(_) => "missing".to_owned(),
            Ok(metadata) if metadata.is_symlink() => {
                format!("link:{}", std::fs::read_link(&file).unwrap().display())
            }
            Ok(metadata) if metadata.is_dir() => format!("dir:{}", read(file.join("x")).trim()),
            Ok(_) => format!("file:{}", read(&file).trim()),
        };
        assert_eq!(found, kept, "{name}");
    }
    assert_eq!(read("/etc/resolv.conf"), host);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_failed_command_is_reported_with_line_output_and_layer() {
    let project = Project::new();
    project.tiny(
        r#"
root.nspawn_run("echo first\necho E: it broke\nexit 7");
"#,
    );
    let output = project.build().failure();
    let said = stderr(&output);
    for part in [
        "step 2 failed: the script ended with exit status 7",
        "recipe.rhai:3",
        "root.nspawn_run(",
        "E: it broke",
        "exit status 7",
        "store/logs/",
        "store/failed/",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    // The command that is printed opens a shell in the failed step's layer, as it is.
    let shell = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("next: rootwright shell "));
    let shell = shell.unwrap_or_else(|| panic!("{said}"));
    let looked = run(crate::support::rootwright()
        .current_dir(project.path())
        .arg("shell")
        .args(shell.split(' '))
        .args(["--", "ls", "/etc/passwd"]));
    assert!(
        stdout(&looked).contains("/etc/passwd"),
        "{}",
        stderr(&looked)
    );
    // What explains it is shown in the order in which it was printed.
    assert!(
        said.contains("it said:\n    first\n    E: it broke\n"),
        "{said}"
    );
    // The next build, after the cure, takes what was built.
    let cured = project.edit("exit 7", "exit 0").build().success();
    assert!(stderr(&cured).contains("cached"), "{}", stderr(&cured));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_the_root_lacks_and_what_a_signal_ended_is_said() {
    let project = Project::new();
    let failed = |call: &str, parts: &[&str]| {
        project.tiny(format!("{call}\n"));
        let output = project.build().failure();
        let said = stderr(&output);
        for part in parts {
            assert!(said.contains(part), "{call}: {part} is not in:\n{said}");
        }
    };
    failed(
        r#"root.nspawn_run(["no-such-program", "x"]);"#,
        &[
            "`no-such-program` ended with exit status 1",
            "cause: the root has no program `no-such-program`",
            "help: install the package",
        ],
    );
    failed(
        r#"root.nspawn_run("kill -9 $$");"#,
        &[
            "ended with exit status 255",
            "it printed nothing; the log: ",
            "cause: a signal may have ended the command: systemd-nspawn reports that as 255",
            "`dmesg`",
        ],
    );
    failed(
        r#"root.host_run(["sh", "-c", "kill -9 $$"]);"#,
        &[
            "`sh` ended with signal 9 (SIGKILL)",
            "command (on the host), signal 9 (SIGKILL):",
        ],
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn output_decides_where_the_exit_status_lies() {
    let project = Project::new();
    let recipe = tiny(r#"root.nspawn_run(["echo", "tool: FAILED: x"], #{ fail_on: ["FAILED"] });"#);
    let output = project.recipe(&recipe).build().failure();
    assert!(
        stderr(&output).contains("its output says that it failed"),
        "{}",
        stderr(&output)
    );
    let ignored = recipe.replace(
        r#"fail_on: ["FAILED"]"#,
        r#"fail_on: ["FAILED"], ignore: ["tool: FAILED"]"#,
    );
    project.recipe(&ignored).build().success();
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_unchanged_build_takes_its_layers() {
    let project = Project::new();
    project
        .tiny(
            r#"root.nspawn_run(["touch", "/a"]);
root.export(#{ format: "dir", name: "x" });"#,
        )
        .build()
        .success();
    let again = stderr(&project.build().success());
    assert_eq!(again.matches("cached").count(), 3, "{again}");
    let changed = stderr(&project.edit(r#""/a""#, r#""/b""#).build().success());
    assert_eq!(changed.matches("cached").count(), 1, "{changed}");
    assert!(!project.out().join("x/root/a").exists() && project.out().join("x/root/b").exists());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn secrets_show_nowhere() {
    let project = Project::new();
    let value = "tr0ub4dor-and-3";
    project.tiny(
        r#"root.write_file("/etc/key", "key=" + secret("db-key") + "\n", #{ mode: 0o600 });
root.nspawn_run(["sh", "-c", "echo $KEY; cat"], #{ env: #{ KEY: secret("db-key") }, stdin: secret("db-key") });
root.export(#{ format: "dir", name: "x" });"#,
    );
    let without = project.build().output();
    assert!(
        stderr(&without).contains("`--secret db-key=FILE`"),
        "{}",
        stderr(&without)
    );
    let output = project
        .build()
        .env("ROOTWRIGHT_SECRET_DB_KEY", value)
        .arg("-v")
        .success();
    assert!(
        stderr(&output).contains("<secret db-key>") && !stderr(&output).contains(value),
        "{}",
        stderr(&output)
    );
    assert_eq!(
        read(project.out().join("x/root/etc/key")),
        format!("key={value}\n")
    );
    let found = std::process::Command::new("grep")
        .args(["-rl", value, "."])
        .current_dir(project.store().join("logs"))
        .output()
        .unwrap();
    assert_eq!(stdout(&found), "");
    let mut plan = crate::support::rootwright();
    plan.current_dir(project.path()).args([
        "plan",
        "recipe.rhai",
        "--allow-host-run",
        "--format",
        "json",
    ]);
    assert!(!stdout(&run(plan.env("ROOTWRIGHT_SECRET_DB_KEY", value))).contains(value));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn capture_runs_in_builds_and_is_remembered_in_previews() {
    let project = Project::new();
    let recipe = tiny(
        r#"let v = root.capture(["sh", "-c", "echo real"], #{ preview: "stand-in" });
root.write_file("/v", v);
root.export(#{ format: "dir", name: "x" });"#,
    );
    project.write("recipe.rhai", &recipe);
    let plan = || {
        let mut plan = crate::support::rootwright();
        plan.current_dir(project.path()).args([
            "plan",
            "recipe.rhai",
            "--allow-host-run",
            "--store",
            "store",
        ]);
        stdout(&run(&mut plan))
    };
    assert!(
        plan().contains("= stand-in  the recipe's stand-in for a preview"),
        "{}",
        plan()
    );
    project.recipe(&recipe).build().success();
    assert_eq!(read(project.out().join("x/root/v")), "real");
    assert!(
        plan().contains("= real  remembered from the last build"),
        "{}",
        plan()
    );
}

/// More than an overlay is given at once: the lowest are merged, twice over.
#[test]
#[ignore = "run with tests/run tiny"]
fn three_hundred_layers() {
    let project = Project::new();
    project.tiny(
        r#"for i in 0..300 { root.host_run(["sh", "-c", "echo " + i + " >$0/n; mkdir $0/d" + i + "; rm -rf $0/d" + (i - 1), root.path]); }
root.nspawn_run(["sh", "-c", "cat /n >/m"]);
root.export(#{ format: "dir", name: "x" });"#,
    ).build().success();
    let root = project.out().join("x/root");
    assert_eq!(read(root.join("m")), "299\n");
    let folders: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('d') && name != "dev")
        .collect();
    assert_eq!(folders, ["d299"]);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_was_not_made_by_rootwright_is_never_replaced() {
    let project = Project::new();
    project.tiny(r#"root.export(#{ format: "dir", name: "x" });"#);
    project.write("out/x/mine", "mine");
    let output = project.build().failure();
    assert!(
        stderr(&output).contains("was not made by rootwright"),
        "{}",
        stderr(&output)
    );
    assert_eq!(read(project.out().join("x/mine")), "mine");
    std::fs::remove_dir_all(project.out()).unwrap();
    project.build().success();
    let before = std::fs::metadata(project.out().join("x")).unwrap().ino();
    // An unchanged one is not written again, a changed one takes its place.
    let place = || std::fs::metadata(project.out().join("x")).unwrap().ino();
    project.build().success();
    assert_eq!(place(), before);
    project
        .edit(r#""x""#, r#""x", exclude: ["var"]"#)
        .build()
        .success();
    assert_ne!(place(), before);
    let names: Vec<_> = std::fs::read_dir(project.out())
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(names, ["x"]);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_full_disk_loses_nothing() {
    let project = Project::new();
    let small = project.path().join("small");
    std::fs::create_dir(&small).unwrap();
    run(std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
        .arg(&small));
    let recipe = tiny(r#"root.export(#{ format: "dir", name: "x" });"#);
    let good = project
        .recipe(&recipe)
        .build_to("small")
        .output()
        .status
        .success();
    let larger = recipe.replace("root.export", r#"root.nspawn_run(["sh", "-c", "cat /bin/busybox /bin/busybox /bin/busybox /bin/busybox /bin/busybox >/large"]);
root.export"#);
    let output = project.recipe(&larger).build_to("small").output();
    let kept = small.join("x/root/bin/busybox").exists() && !small.join("x/root/large").exists();
    let names: Vec<_> = std::fs::read_dir(&small)
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    run(std::process::Command::new("umount").arg(&small));
    assert!(good && kept);
    assert_eq!(names, ["x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("the disk is full"),
        "{}",
        stderr(&output)
    );
}

/// A build that is in the middle of a command of its own.
fn long_build(project: &Project, word: &str) -> std::process::Child {
    let recipe = tiny(&text!(
        r#"root.nspawn_run(["sh", "-c", "echo {word}; sleep 1000"]);
root.export(#{ format: "dir", name: "x" });"#,
        word
    ));
    let child = project
        .recipe(&recipe)
        .build()
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the command to run", || {
        processes_with(word)
            .iter()
            .any(|line| line.starts_with("systemd-nspawn"))
    });
    child
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_killed_build_leaves_nothing_and_the_next_one_works() {
    for which in ["outer", "inner"] {
        let project = Project::new();
        let word = format!("word-{}-{which}", std::process::id());
        let mut child = long_build(&project, &word);
        let pid = match which {
            "outer" => child.id(),
            _ => {
                let children = read(format!("/proc/{0}/task/{0}/children", child.id()));
                children.split_whitespace().next().unwrap().parse().unwrap()
            }
        };
        run(std::process::Command::new("kill").args(["-9", &pid.to_string()]));
        child.wait().unwrap();
        wait_for("processes to end", || processes_with(&word).is_empty());
        assert_eq!(mounts_below(project.path()), Vec::<String>::new());
        assert!(!project.out().join("x").exists());
        project
            .tiny(r#"root.export(#{ format: "dir", name: "x" });"#)
            .build()
            .success();
        assert!(project.out().join("x/root/bin/busybox").exists());
        let left: Vec<_> = std::fs::read_dir(project.store().join("tmp"))
            .unwrap()
            .flatten()
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_interrupted_build_says_so_and_ends_with_130() {
    let project = Project::new();
    let word = format!("word-{}-int", std::process::id());
    let child = long_build(&project, &word);
    run(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(
        stderr(&output).contains("interrupted"),
        "{}",
        stderr(&output)
    );
    assert!(processes_with(&word).is_empty());
    assert_eq!(mounts_below(project.path()), Vec::<String>::new());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn progress_for_machines_is_json() {
    let project = Project::new();
    let output = project
        .tiny(r#"root.nspawn_run(["echo", "hello"]);"#)
        .build()
        .args(["--log-format", "json"])
        .success();
    let events: Vec<serde_json::Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "step_started",
            "step_finished",
            "step_started",
            "output",
            "step_finished",
            "done"
        ]
    );
    assert_eq!(events[3]["line"], "hello");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_command_cannot_change_the_hosts_resolver() {
    let host = read("/etc/resolv.conf");
    let project = Project::new();
    project
        .tiny(r#"root.nspawn_run(["sh", "-c", "echo changed >>/etc/resolv.conf"]);"#)
        .build()
        .success();
    assert_eq!(read("/etc/resolv.conf"), host);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_command_may_replace_resolv_conf_and_nothing_of_the_host_stays() {
    let host = read("/etc/resolv.conf");
    for (name, before, command, kept) in [
        (
            "a link in its place, as a resolver's package makes it",
            "echo own >etc/resolv.conf",
            "ln -sf ../run/stub /etc/resolv.conf",
            "link:../run/stub",
        ),
        (
            "another file, renamed over it",
            "ln -s /nowhere etc/resolv.conf",
            "echo new >/etc/new; mv /etc/new /etc/resolv.conf",
            "file:new",
        ),
        (
            "removed",
            "mkdir etc/resolv.conf",
            "rm /etc/resolv.conf",
            "missing",
        ),
        (
            "moved aside: the image's own is what is moved",
            "echo own >etc/resolv.conf",
            "mv /etc/resolv.conf /etc/resolv.conf.bak; ln -s x /etc/resolv.conf; cat /etc/resolv.conf.bak >/dev/null",
            "link:x",
        ),
        (
            "written to: not kept",
            "echo own >etc/resolv.conf",
            "echo changed >>/etc/resolv.conf",
            "file:own",
        ),
    ] {
        let project = Project::new();
        // The file stands in a layer of its own, below the command's.
        project
            .tiny(&text!(
                r#"root.host_run(["sh", "-euc", "cd $0; ln -s busybox bin/mv; {before}", root.path]);
root.nspawn_run(["sh", "-euc", "{command}"]);
root.export(#{ format: "dir", name: "x" });"#,
                before,
                command
            ))
            .build()
            .success();
        let etc = project.out().join("x/root/etc");
        let file = etc.join("resolv.conf");
        let found = match std::fs::symlink_metadata(&file) {
            Err(_) => "missing".to_owned(),
            Ok(metadata) if metadata.is_symlink() => {
                format!("link:{}", std::fs::read_link(&file).unwrap().display())
            }
            Ok(_) => format!("file:{}", read(&file).trim()),
        };
        assert_eq!(found, kept, "{name}");
        if etc.join("resolv.conf.bak").exists() {
            assert_eq!(read(etc.join("resolv.conf.bak")), "own\n", "{name}");
        }
        for entry in std::fs::read_dir(&etc).unwrap() {
            let path = entry.unwrap().path();
            let hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
            assert!(!hidden, "{name}: {}", path.display());
            if path.is_file() {
                assert_ne!(read(&path), host, "{name}: {}", path.display());
            }
        }
    }
    assert_eq!(read("/etc/resolv.conf"), host);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_process_in_the_background_does_not_hold_its_step() {
    let word = format!("86{}", std::process::id());
    let project = Project::new();
    project.tiny(&text!(
        r#"
root.host_run(["sh", "-c", "sleep {word} & setsid sleep {word}1 & echo started"]);
root.host_run(["sh", "-c", "sleep {word}2 >/dev/null 2>&1 &"]);
root.host_run(["sh", "-c", "exec >&- 2>&-; sleep 1; touch $0/late", root.path]);
root.nspawn_run(["sh", "-c", "sleep {word}3 & echo started"]);
root.export(#{ format: "dir", name: "x" });"#,
        word
    ));
    let start = Instant::now();
    project.build().success();
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(processes_with(&format!("sleep {word}")).is_empty());
    assert!(project.out().join("x/root/late").exists());
    let log = |step: &str| {
        let logs = project.store().join("logs");
        let build = std::fs::read_dir(logs).unwrap().next().unwrap().unwrap();
        read(build.path().join(step))
    };
    let first = log("02-host_run.log");
    assert!(first.contains("started\n# exit status 0\n"), "{first}");
    for left in ["", "1"] {
        let line =
            format!("# it left a process in the background, which was ended: sleep {word}{left}\n");
        assert!(first.contains(&line), "{first}");
    }
    assert!(log("03-host_run.log").contains(&format!("ended: sleep {word}2\n")));
    assert!(!log("04-host_run.log").contains("background"));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_captured_value_has_no_error_output_and_the_root_keeps_its_mode() {
    let project = Project::new();
    project
        .tiny(
            r#"root.set_mode("/", 0o711);
root.write_file("/a", "");
let v = root.capture(["sh", "-c", "echo noise >&2; echo real"], #{ preview: "" });
root.write_file("/v", v);
root.export(#{ format: "dir", name: "x" });"#,
        )
        .build()
        .success();
    let root = project.out().join("x/root");
    assert_eq!(read(root.join("v")), "real");
    assert_eq!(std::fs::metadata(root).unwrap().mode() & 0o7777, 0o711);
}
