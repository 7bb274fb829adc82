//! How commands are started and ended, and what they see of the host.

use std::time::{Duration, Instant};

use crate::support::{Project, processes_with, read};

/// The log of a step of the only build.
fn log(project: &Project, step: &str) -> String {
    let logs = project.store().join("logs");
    let build = std::fs::read_dir(logs).unwrap().next().unwrap().unwrap();
    read(build.path().join(step))
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_a_host_command_leaves_running_is_killed_before_the_next_step() {
    let word = format!("87{}", std::process::id());
    let project = Project::new();
    project.tiny(text!(
        r#"
root.host_run(["sh", "-c", "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep {word}; touch $0/late' $0 >/dev/null 2>&1 &)", root.path]);
root.export(#{ format: "dir", name: "x" });
"#,
        word
    ));
    let start = Instant::now();
    project.build().success();
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(processes_with(&format!("sleep {word}")).is_empty());
    assert!(!project.out().join("x/root/late").exists());
    let log = log(&project, "02-host_run.log");
    assert!(log.contains("left a process in the background"), "{log}");
}

/// A process substitution ends a moment after its shell.
#[test]
#[ignore = "run with tests/run tiny"]
fn output_that_comes_a_moment_late_is_not_lost() {
    let project = Project::new();
    project
        .tiny(r#"root.host_run(["sh", "-c", "(sleep 0.03; echo late) & echo first"]);"#)
        .build()
        .success();
    let log = log(&project, "02-host_run.log");
    assert!(log.contains("first\nlate\n# exit status 0"), "{log}");
    assert!(!log.contains("background"), "{log}");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_host_command_is_an_ordinary_process_in_a_namespace_with_its_own_proc() {
    let project = Project::new();
    project
        .tiny(
            r#"
root.host_run(["sh", "-euc", `
    test $$ -ne 1
    test -d /proc/$$
    read -r pid rest </proc/self/stat
    kill -0 $pid 2>/dev/null || true
    test $(ls -d /proc/[0-9]* | wc -l) -lt 10
    mountpoint -q /proc
`]);
root.host_run(["sh", "-c", "mkdir $0/a; mount -t tmpfs none $0/a", root.path]);
"#,
        )
        .build()
        .success();
    // A signal without a handler ends the command: it isn't PID 1.
    project
        .tiny(r#"root.host_run(["sh", "-c", "kill $$; sleep 60"]);"#)
        .build()
        .failure()
        .stderr_contains(["signal 15 (SIGTERM)"]);
    project
        .tiny(r#"root.host_run(["sh", "-c", "exit 137"]);"#)
        .build()
        .failure()
        .stderr_contains(["exit status 137"]);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn commands_with_the_network_see_the_hosts_proxy() {
    let project = Project::new();
    let mut build = project
        .tiny(
            r#"
root.nspawn_run("env | grep -i _proxy | sort >/online");
root.nspawn_run("env | grep -i _proxy | sort >/own", #{ env: #{ http_proxy: "http://own.example.org" } });
root.nspawn_run("env | grep -i _proxy | sort >/offline || true", #{ network: false });
root.host_run(["sh", "-c", "env | grep -i _proxy | sort >$0/host", root.path]);
root.export(#{ format: "dir", name: "x" });
"#,
        )
        .build();
    for name in ["https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
        build.env_remove(name);
    }
    build
        .env("http_proxy", "http://proxy.example.org:3128")
        .env("no_proxy", "localhost")
        .success();
    let seen = |name: &str| project.read(&format!("out/x/root/{name}"));
    let both = "http_proxy=http://proxy.example.org:3128\nno_proxy=localhost\n";
    assert_eq!(seen("online"), both);
    assert_eq!(seen("host"), both);
    let own = "http_proxy=http://own.example.org\nno_proxy=localhost\n";
    assert_eq!(seen("own"), own);
    assert_eq!(seen("offline"), "");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_program_that_ends_with_255_and_says_why_was_not_ended_by_a_signal() {
    let said = Project::new()
        .tiny(
            r#"
root.nspawn_run("echo 'setfiles: /etc/x: line 1 is bad'; exit 255");
root.nspawn_run("echo Saving key /x/y failed: No such file or directory >&2; exit 255");
"#,
        )
        .build()
        .failure()
        .stderr_contains(["ended with exit status 255", "line 1 is bad"])
        .err();
    assert!(!said.contains("signal"), "{said}");
}

/// What runs is found where the preflight looks, whatever the caller's PATH is.
#[test]
#[ignore = "run with tests/run tiny"]
fn the_callers_path_changes_nothing() {
    let project = Project::new();
    let bin = project.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink("/bin/true", bin.join("only-here")).unwrap();
    project
        .tiny(r#"root.host_run(["only-here"]);"#)
        .build()
        .env("PATH", &bin)
        .failure()
        .stderr_contains(["this host lacks", "`only-here`"]);
    project
        .tiny(r#"root.host_run(["true"]);"#)
        .build()
        .env("PATH", "/nowhere")
        .success();
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_failed_step_keeps_its_own_resolv_conf() {
    let project = Project::new();
    project
        .tiny(
            r#"
root.write_file("/etc/resolv.conf", "own\n");
root.nspawn_run("touch /x; exit 1");
"#,
        )
        .build()
        .failure();
    let files = walkdir::WalkDir::new(project.store().join("failed"));
    let names: Vec<_> = files
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .collect();
    assert!(names.iter().any(|path| path.ends_with("fs/x")), "{names:?}");
    let dns: Vec<_> = names
        .iter()
        .filter(|path| path.to_string_lossy().contains("resolv.conf"))
        .filter(|path| read(path) != "own\n")
        .collect();
    assert!(dns.is_empty(), "{dns:?}");
}
