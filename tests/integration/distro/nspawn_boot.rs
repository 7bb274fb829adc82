//! A root's own init, booted in a container for a script. Needs root privileges, the host's
//! own package mirror, mmdebstrap and systemd-nspawn. One root is made, and every case
//! stands on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::support::failure::Failure;
use crate::support::{
    listing, mounts_below, processes_with, rootwright, run, stderr, stdout, wait_for,
};

const ROOT: &str = r#"//! x
let root = bootstrap(#{ distro: "debian", release: "bookworm", variant: "apt", updates: false, security: false });
root.install(["systemd-sysv", "dbus"]);
"#;

/// A distro whose root is the tree that was exported before.
const COPIED: &str = r#"
fn bootstrap(root, spec) {
    fields("bootstrap", spec, #{});
    host_run(root, ["cp", "--archive", "--reflink=auto", "@FOLDER@/out/base/root/.", root.path]);
}
fn install(root, packages, opts) { }
fn boot_files(root) { #{ kernel: [], initramfs: [], packages: ["true"] } }
"#;

/// A recipe repository, and a store that all tests share.
struct Bench {
    folder: PathBuf,
}

impl Bench {
    fn get() -> &'static Bench {
        static BENCH: OnceLock<Bench> = OnceLock::new();
        BENCH.get_or_init(|| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nspawn-boot");
            if folder.exists() {
                std::fs::remove_dir_all(&folder).unwrap();
            }
            std::fs::create_dir_all(folder.join("distro")).unwrap();
            // Commands of the host run in `/`.
            let copied = COPIED.replace("@FOLDER@", &folder.display().to_string());
            std::fs::write(folder.join("distro/copied.rhai"), copied).unwrap();
            let bench = Bench { folder };
            let export = r#"root.export(#{ format: "dir", name: "base" });
"#;
            bench.success("base", &format!("{ROOT}{export}"));
            bench
        })
    }

    fn build(&self, name: &str, recipe: &str) -> Command {
        std::fs::write(self.folder.join(format!("{name}.rhai")), recipe).unwrap();
        let mut command = rootwright();
        command
            .current_dir(&self.folder)
            .args(["build", "--error-format=json", "--log-format=json"])
            .args(["--store", "store", "--out", "out"])
            .arg(format!("{name}.rhai"));
        command
    }

    fn failure(&self, name: &str, steps: &str) -> Failure {
        let recipe = format!("{ROOT}{steps}");
        let failure = Failure::of(&mut self.build(name, &recipe), name, &recipe);
        self.nothing_is_left();
        failure
    }

    fn success(&self, name: &str, recipe: &str) {
        run(&mut self.build(name, recipe));
        self.nothing_is_left();
    }

    /// A file that a recipe's last export has.
    fn exported(&self, name: &str, path: &str) -> String {
        let path = self.folder.join("out").join(name).join("root").join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[track_caller]
    fn nothing_is_left(&self) {
        assert_eq!(mounts_below(&self.folder), Vec::<String>::new());
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn the_script_runs_in_the_running_system() {
    let bench = Bench::get();
    let steps = r#"root.nspawn_run("useradd --create-home admin");
root.nspawn_boot(`
systemctl is-system-running >/srv/state
hostnamectl set-hostname by-bus
# What is enabled is what a preset, which a first boot would carry out, has not changed.
systemctl enable systemd-networkd.service
grep ^nameserver /etc/resolv.conf >/srv/dns
echo "$ONE" 100% '$HOME' >/srv/said
cat >>/srv/said
`, #{ env: #{ ONE: "a b%c $d" }, stdin: "in\n" });
root.nspawn_boot(["sh", "-c", "id -un >/tmp/me; pwd >>/tmp/me; ls /sys/class/net >>/tmp/me; cp /tmp/me \"$HOME\"; exit 3"],
    #{ user: "admin", cwd: "/var/tmp", network: false, allow_failure: "it is a test" });
root.write_file("/no", "1\n");
root.nspawn_boot("echo not wanted >/srv/state", #{ only_if: ["test", "-e", "/nowhere"] });
root.export(#{ format: "dir", name: "works" });
"#;
    bench.success("works", &format!("{ROOT}{steps}"));
    assert_eq!(bench.exported("works", "srv/state"), "running\n");
    assert_eq!(bench.exported("works", "etc/hostname"), "by-bus\n");
    assert_eq!(
        bench.exported("works", "srv/said"),
        "a b%c $d 100% $HOME\nin\n"
    );
    assert_eq!(
        bench.exported("works", "home/admin/me"),
        "admin\n/var/tmp\nlo\n"
    );
    let host = std::fs::read_to_string("/etc/resolv.conf").unwrap();
    let server = host.lines().find(|line| line.starts_with("nameserver"));
    assert!(bench.exported("works", "srv/dns").contains(server.unwrap()));
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_command_of_a_booted_root_sees_the_hosts_proxy() {
    let bench = Bench::get();
    let steps = r#"root.nspawn_boot("echo \"${no_proxy-none}\" >/srv/online");
root.nspawn_boot("echo \"${no_proxy-none}\" >/srv/offline", #{ network: false });
root.export(#{ format: "dir", name: "proxy" });
"#;
    let mut build = bench.build("proxy", &format!("{ROOT}{steps}"));
    run(build.env("no_proxy", "host.example.org"));
    assert_eq!(bench.exported("proxy", "srv/online"), "host.example.org\n");
    assert_eq!(bench.exported("proxy", "srv/offline"), "none\n");
}

/// What the root's own units and tmpfiles.d(5) make at every boot, and nothing of this one:
/// no unit, no id, no journal, no login record, no seed.
#[test]
#[ignore = "run with tests/run distro"]
fn a_boot_leaves_nothing_of_its_own() {
    let bench = Bench::get();
    let steps = r#"root.nspawn_boot("true");
root.export(#{ format: "dir", name: "booted" });
"#;
    bench.success("booted", &format!("{ROOT}{steps}"));
    let (before, after) = (
        listing(&bench.folder.join("out/base/root")),
        listing(&bench.folder.join("out/booted/root")),
    );
    assert!(before.len() > 3_000);
    let gone: Vec<&String> = before
        .keys()
        .filter(|path| !after.contains_key(*path))
        .collect();
    assert_eq!(gone, Vec::<&String>::new());
    let changed: Vec<&str> = after
        .iter()
        .filter(|(path, what)| before.get(*path) != Some(what))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(changed, ["var/lib/systemd/linger"]);
}

#[test]
#[ignore = "run with tests/run distro"]
fn services_are_stopped_before_the_layer_is_made() {
    let bench = Bench::get();
    let steps = r#"root.write_file("/etc/systemd/system/base.service", "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sh -c 'sleep 1; echo whole >/srv/base'\n[Install]\nWantedBy=multi-user.target\n");
root.nspawn_run("systemctl enable base.service");
root.nspawn_boot("systemctl is-active base.service && test ! -e /srv/base");
root.export(#{ format: "dir", name: "stopped" });
"#;
    bench.success("stopped", &format!("{ROOT}{steps}"));
    assert_eq!(bench.exported("stopped", "srv/base"), "whole\n");
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_script_that_fails() {
    let bench = Bench::get();
    let call = r#"root.nspawn_boot("echo nearly; systemctl start wrong || exit 3")"#;
    let unit = r#"root.write_file("/etc/systemd/system/wrong.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n");
"#;
    bench
        .failure("fails", &format!("{unit}{call};\n"))
        .says(
            "run::command",
            "step 4 failed: the script ended with exit status 3",
        )
        .underlines(call)
        .shows("nearly")
        .shows("failed: wrong.service");
    // The status of a script that was killed, and one that timeout(1) has, too.
    for (name, script, status) in [("killed", "kill -9 $$", 137), ("status", "exit 124", 124)] {
        let call = text!(r#"root.nspawn_boot("{script}")"#, script);
        let message = format!("step 3 failed: the script ended with exit status {status}");
        bench
            .failure(name, &format!("{call};\n"))
            .says("run::command", &message)
            .underlines(&call);
    }
}

const HANGING: &str = r#"root.write_file("/etc/systemd/system/moon.service", "[Unit]\nBefore=multi-user.target\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo \"<3>the moon is not in the sky\"; sleep 300'\n[Install]\nWantedBy=multi-user.target\n");
root.write_file("/etc/systemd/system/stubborn.service", "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sh -c 'echo \"<3>not yet\"; sleep 300'\n");
"#;

#[test]
#[ignore = "run with tests/run distro"]
fn a_time_out_says_what_hangs_and_what_the_journal_says() {
    let bench = Bench::get();
    let call = r#"root.nspawn_boot("true", #{ timeout: 6 })"#;
    let steps = text!(
        r#"{HANGING}root.nspawn_run("systemctl enable moon.service");
{call};
"#,
        HANGING,
        call
    );
    bench
        .failure("not-up", &steps)
        .says(
            "run::command",
            "step 6 failed: the root's system was not up after 6 s",
        )
        .underlines(call)
        .because("still being started: `moon.service`", "`timeout: 600`")
        .shows("journal: ")
        .shows("the moon is not in the sky");

    let call = r#"root.nspawn_boot("echo asleep; systemd-cat -p err echo something broke; sleep 300", #{ timeout: 6 })"#;
    bench
        .failure("asleep", &format!("{call};\n"))
        .says(
            "run::command",
            "step 3 failed: the script in the root's system had not ended after 6 s",
        )
        .underlines(call)
        .shows("something broke");

    let call = r#"root.nspawn_boot("systemctl start stubborn.service", #{ timeout: 6, allow_failure: "the script may" })"#;
    bench
        .failure("not-down", &format!("{HANGING}{call};\n"))
        .says(
            "run::command",
            "step 5 failed: the root's system had not shut down after 6 s",
        )
        .underlines(call)
        .because("still being stopped: `stubborn.service`", "mend or mask")
        .shows("not yet");
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_system_that_cannot_come_up() {
    let bench = Bench::get();
    let call = r#"root.nspawn_boot("true")"#;
    bench
        .failure(
            "no-init",
            &text!(
                r#"root.remove_path("/usr/lib/systemd/systemd");
{call};
"#,
                call
            ),
        )
        .says(
            "run::command",
            "step 4 failed: the root has no systemd that could boot it",
        )
        .underlines(call);
    let broken = r#"root.write_file("/etc/systemd/system/bad.service", "[Unit]\nDefaultDependencies=no\nBefore=local-fs.target\nOnFailure=emergency.target\nOnFailureJobMode=replace-irreversibly\n[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nRequiredBy=local-fs.target\n");
root.nspawn_run("systemctl enable bad.service");
"#;
    let failure = bench.failure("emergency", &format!("{broken}{call};\n"));
    failure
        .says(
            "run::command",
            "step 5 failed: the root's system did not come up",
        )
        .underlines(call)
        .because("failed: `bad.service`", "mend or mask what failed");
    let call = r#"root.nspawn_boot("systemctl reboot; sleep 60")"#;
    let failure = bench.failure("reboot", &format!("{call};\n"));
    let message = failure.report.message.as_str();
    assert!(
        message.contains("rebooted before the script had ended")
            || message.contains("exit status 143"),
        "{message}"
    );
}

/// Systems that boot at once do not end each other's processes; a secret shows nowhere.
#[test]
#[ignore = "run with tests/run distro"]
fn two_boot_at_once() {
    let bench = Bench::get();
    let recipe = |name: &str| {
        let script = "for i in 1 2 3; do systemctl restart systemd-logind.service; sleep 0.5; done; systemctl is-system-running; cat";
        text!(
            r#"{ROOT}root.write_file("/me", "{name}");
root.nspawn_boot("{script}", #{ stdin: secret("word") + "\n" });
"#,
            ROOT,
            name,
            script
        )
    };
    let mut builds = bench.build("one", &recipe("one"));
    std::fs::write(bench.folder.join("two.rhai"), recipe("two")).unwrap();
    builds
        .arg("two.rhai")
        .env("ROOTWRIGHT_SECRET_WORD", "hush-hush");
    let output = run(&mut builds);
    assert!(!format!("{}{}", stdout(&output), stderr(&output)).contains("hush-hush"));
    let grep = Command::new("grep")
        .args(["-r", "--fixed-strings", "hush-hush"])
        .arg(bench.folder.join("store/logs"))
        .output()
        .unwrap();
    assert_eq!(stdout(&grep), "");
    bench.nothing_is_left();
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_build_that_is_killed_takes_the_system_with_it() {
    let bench = Bench::get();
    let recipe = text!(
        r#"{ROOT}root.nspawn_boot("exec sleep 7531");
"#,
        ROOT
    );
    let mut build = bench
        .build("kill", &recipe)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the script to start", || {
        let sleeping = processes_with("sleep 7531");
        sleeping.iter().any(|line| line == "sleep 7531 ")
    });
    build.kill().unwrap();
    build.wait().unwrap();
    wait_for("processes to end", || {
        processes_with("sleep 7531").is_empty()
    });
    bench.nothing_is_left();
}

/// `plan --format sh` does the same by hand.
#[test]
#[ignore = "run with tests/run distro"]
fn the_script_boots_it_too() {
    let bench = Bench::get();
    let recipe = r#"//! x
let root = bootstrap(#{ distro: "copied" });
root.nspawn_run("useradd --create-home admin");
root.nspawn_boot("hostnamectl set-hostname by-hand; echo \"$ONE\" >me; cat >>me", #{ env: #{ ONE: "a b%c $d" }, stdin: "in\n", cwd: "/srv" });
root.nspawn_boot("echo FAILED; id -un >\"$HOME/me\"; exit 3", #{ user: "admin", network: false, allow_failure: "it is a test" });
root.export(#{ format: "dir", name: "by-hand" });
"#;
    let plan = |recipe: &str| {
        std::fs::write(bench.folder.join("by-hand.rhai"), recipe).unwrap();
        let mut plan = rootwright();
        plan.current_dir(&bench.folder).args([
            "plan",
            "by-hand.rhai",
            "--allow-host-run",
            "--format",
            "sh",
        ]);
        let script = bench.folder.join("plan.sh");
        std::fs::write(&script, stdout(&run(&mut plan))).unwrap();
        run(Command::new("shellcheck").arg(&script));
        let mut command = Command::new("bash");
        command.current_dir(&bench.folder).arg("plan.sh").arg("out");
        command
    };
    run(&mut plan(recipe));
    assert_eq!(bench.exported("by-hand", "etc/hostname"), "by-hand\n");
    assert_eq!(bench.exported("by-hand", "srv/me"), "a b%c $d\nin\n");
    assert_eq!(bench.exported("by-hand", "home/admin/me"), "admin\n");
    assert_eq!(
        bench.exported("by-hand", "etc/machine-id"),
        bench.exported("base", "etc/machine-id")
    );

    let late = r#"let root = bootstrap(#{ distro: "copied" });
root.nspawn_boot("systemd-cat -p err echo something broke; sleep 300", #{ timeout: 5, allow_failure: "it may fail, not hang" });
"#;
    let output = plan(late).output().unwrap();
    let text = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("something broke"), "{text}");
    assert!(
        text.contains("the root did not come up and go down"),
        "{text}"
    );
    bench.nothing_is_left();
}
