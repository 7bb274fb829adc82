//! How commands are started and ended, and what they see of the host. Root privileges.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::{Duration, Instant};

use common::{Repository, processes_with, run, stderr};

const TINY: &str = "let root = bootstrap(#{ distro: \"tiny\" });\n";
const EXPORT: &str = "root.export(#{ format: \"dir\", name: \"x\" });\n";

/// The log of a step of the only build.
fn log(repository: &Repository, step: &str) -> String {
    let logs = repository.store().join("logs");
    let build = std::fs::read_dir(logs).unwrap().next().unwrap().unwrap();
    std::fs::read_to_string(build.path().join(step)).unwrap()
}

fn read(repository: &Repository, path: &str) -> String {
    std::fs::read_to_string(repository.out().join("x/root").join(path)).unwrap()
}

#[test]
fn what_a_host_command_leaves_running_is_killed_before_the_next_step() {
    let word = format!("87{}", std::process::id());
    let recipe = format!(
        r#"{TINY}
root.host_run(["sh", "-c", "trap '' TERM; (setsid sh -c 'trap \"\" TERM; sleep {word}; touch $ROOT/late' >/dev/null 2>&1 &)"]);
{EXPORT}"#
    );
    let repository = Repository::new();
    let start = Instant::now();
    run(&mut repository.build(&recipe));
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(processes_with(&format!("sleep {word}")).is_empty());
    assert!(!repository.out().join("x/root/late").exists());
    let log = log(&repository, "02-host_run.log");
    assert!(log.contains("left a process in the background"), "{log}");
}

/// A process substitution ends a moment after its shell.
#[test]
fn output_that_comes_a_moment_late_is_not_lost() {
    let repository = Repository::new();
    let recipe = format!(
        "{TINY}root.host_run([\"sh\", \"-c\", \"(sleep 0.03; echo late) & echo first\"]);\n"
    );
    run(&mut repository.build(&recipe));
    let log = log(&repository, "02-host_run.log");
    assert!(log.contains("first\nlate\n# exit status 0"), "{log}");
    assert!(!log.contains("background"), "{log}");
}

#[test]
fn a_host_command_is_an_ordinary_process_in_a_namespace_with_its_own_proc() {
    let repository = Repository::new();
    let script = "test $$ -ne 1; test -d /proc/$$; read -r pid rest </proc/self/stat; \
                  kill -0 $pid 2>/dev/null || true; \
                  test $(ls -d /proc/[0-9]* | wc -l) -lt 10; mountpoint -q /proc";
    let recipe = format!(
        "{TINY}root.host_run([\"sh\", \"-euc\", {script:?}]);\n\
         root.host_run([\"sh\", \"-c\", \"mkdir $ROOT/a; mount -t tmpfs none $ROOT/a\"]);\n"
    );
    run(&mut repository.build(&recipe));
    // A signal without a handler ends the command: it isn't PID 1.
    let recipe = format!("{TINY}root.host_run([\"sh\", \"-c\", \"kill $$; sleep 60\"]);\n");
    let said = stderr(&repository.build(&recipe).output().unwrap());
    assert!(said.contains("signal 15 (SIGTERM)"), "{said}");
    let recipe = format!("{TINY}root.host_run([\"sh\", \"-c\", \"exit 137\"]);\n");
    let said = stderr(&repository.build(&recipe).output().unwrap());
    assert!(said.contains("exit status 137"), "{said}");
}

#[test]
fn commands_with_the_network_see_the_hosts_proxy() {
    let repository = Repository::new();
    let see = "env | grep -i _proxy | sort >";
    let recipe = format!(
        r#"{TINY}
root.nspawn_run("{see}/online");
root.nspawn_run("{see}/own", #{{ env: #{{ http_proxy: "http://own.example.org" }} }});
root.nspawn_run("{see}/offline || true", #{{ network: false }});
root.host_run(["sh", "-c", "{see}$ROOT/host"]);
{EXPORT}"#
    );
    let mut build = repository.build(&recipe);
    for name in ["https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
        build.env_remove(name);
    }
    run(build
        .env("http_proxy", "http://proxy.example.org:3128")
        .env("no_proxy", "localhost"));
    let both = "http_proxy=http://proxy.example.org:3128\nno_proxy=localhost\n";
    assert_eq!(read(&repository, "online"), both);
    assert_eq!(read(&repository, "host"), both);
    let own = "http_proxy=http://own.example.org\nno_proxy=localhost\n";
    assert_eq!(read(&repository, "own"), own);
    assert_eq!(read(&repository, "offline"), "");
}

#[test]
fn a_program_that_ends_with_255_and_says_why_was_not_ended_by_a_signal() {
    let repository = Repository::new();
    let recipe = format!(
        "{TINY}root.nspawn_run(\"echo 'setfiles: /etc/x: line 1 is bad'; exit 255\");\n\
         root.nspawn_run(\"echo Saving key /x/y failed: No such file or directory >&2; exit 255\");\n"
    );
    let said = stderr(&repository.build(&recipe).output().unwrap());
    assert!(said.contains("ended with exit status 255"), "{said}");
    assert!(said.contains("line 1 is bad"), "{said}");
    assert!(!said.contains("signal"), "{said}");
}

/// What runs is found where the preflight looks, whatever the caller's PATH is.
#[test]
fn the_callers_path_changes_nothing() {
    let repository = Repository::new();
    let bin = repository.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink("/bin/true", bin.join("only-here")).unwrap();
    let recipe = format!("{TINY}root.host_run([\"only-here\"]);\n");
    let output = repository.build(&recipe).env("PATH", &bin).output();
    let said = stderr(&output.unwrap());
    assert!(said.contains("this host lacks"), "{said}");
    assert!(said.contains("`only-here`"), "{said}");
    let recipe = format!("{TINY}root.host_run([\"true\"]);\n");
    run(repository.build(&recipe).env("PATH", "/nowhere"));
}

#[test]
fn a_failed_step_keeps_its_own_resolv_conf() {
    let repository = Repository::new();
    let recipe = format!(
        "{TINY}root.write_file(\"/etc/resolv.conf\", \"own\\n\");\nroot.nspawn_run(\"touch /x; exit 1\");\n"
    );
    let output = repository.build(&recipe).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let files = walkdir::WalkDir::new(repository.store().join("failed"));
    let names: Vec<_> = files
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .collect();
    assert!(names.iter().any(|path| path.ends_with("fs/x")), "{names:?}");
    let dns: Vec<_> = names
        .iter()
        .filter(|path| path.to_string_lossy().contains("resolv.conf"))
        .filter(|path| std::fs::read_to_string(path).unwrap() != "own\n")
        .collect();
    assert!(dns.is_empty(), "{dns:?}");
}
