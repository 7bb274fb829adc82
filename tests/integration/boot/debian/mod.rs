//! A real Debian for diskless nodes: built, and booted over NFS, over HTTP and from the
//! firmware. Needs root privileges, a Debian mirror (the host's own), mmdebstrap,
//! systemd-nspawn, QEMU with iPXE, and nfs-ganesha. ROOTWRIGHT_LONG=1 boots trixie too.

mod boots;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rootwright::plan::{Op, Plan};

use crate::support::verified::{Level, verified};
use crate::support::{
    long, mounts_below, packages, root_is_locked, rootwright, run, stderr, stdout,
};

fn base() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Builds the recipe of the repository, with more options.
fn build_with(folder: &Path, release: &str, options: &[&str]) -> Command {
    let mut build = rootwright();
    build
        .current_dir(base())
        .args(["build", "recipes/debian-nfs.rhai"])
        // The cloud kernel is a fifth of the other's size; everything else is as it is shipped.
        .args(["-o", "kernel=linux-image-cloud-amd64", "-o"])
        .arg(format!("release={release}"));
    for option in options {
        build.args(["-o", option]);
    }
    build.arg("--store").arg(folder.join("store"));
    build.arg("--out").arg(folder.join("out"));
    build
}

/// Builds it, and gives the export's folder.
fn build(folder: &Path, release: &str) -> PathBuf {
    run(&mut build_with(folder, release, &[]));
    folder.join("out").join(format!("debian-{release}-nfs"))
}

/// The commands that the journal of the newest build holds are the plan's, one for one.
fn commands_are_the_plans(folder: &Path, release: &str) {
    let mut plan = rootwright();
    plan.current_dir(base())
        .args(["plan", "recipes/debian-nfs.rhai", "--format", "json", "-o"]);
    plan.arg(format!("release={release}"))
        .args(["-o", "kernel=linux-image-cloud-amd64"]);
    let plan: Plan = serde_json::from_str(&stdout(&run(&mut plan))).unwrap();
    let mut planned: Vec<(serde_json::Value, serde_json::Value)> = Vec::new();
    for action in plan.steps.iter().flat_map(|step| &step.actions) {
        let (built_in, command) = match &action.op {
            Op::Run(run) => {
                // Before it, what says which downloads of other builds it may use.
                for command in run.indexes() {
                    let built_in = run.place.built_in();
                    planned.push((built_in.into(), command.words().into()));
                }
                (run.place.built_in(), &run.command)
            }
            Op::Export(export) => ("nspawn_run", export.packages.as_ref().unwrap()),
            _ => continue,
        };
        planned.push((built_in.into(), command.words().into()));
    }
    let logs = folder.join("store/logs");
    let journal = std::fs::read_dir(&logs)
        .unwrap()
        .flatten()
        .map(|entry| entry.path().join("journal.jsonl"))
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .find(|journal| journal.contains(release))
        .expect("a journal of the build");
    let ran: Vec<(serde_json::Value, serde_json::Value)> = journal
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| (line["op"].clone(), line["argv"].clone()))
        .collect();
    assert_eq!(ran, planned);
}

fn looks_like_a_node(export: &Path, release: &str) {
    let root = export.join("root");
    let os = std::fs::read_to_string(root.join("usr/lib/os-release")).unwrap();
    assert!(os.contains(release), "{os}");
    for file in ["vmlinuz", "initramfs.img"] {
        assert!(
            std::fs::metadata(export.join(file)).unwrap().len() > 1 << 20,
            "{file}"
        );
    }
    let cmdline = std::fs::read_to_string(export.join("cmdline")).unwrap();
    assert!(
        cmdline.contains("root=nfs4:SERVER:PATH:") && cmdline.contains("rootwright.overlay="),
        "{cmdline}"
    );
    let names = packages(export);
    for name in ["openssh-server", "dracut"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    // Nothing of the build is left in the image.
    for path in [
        "usr/sbin/policy-rc.d",
        "etc/resolv.conf",
        "etc/ssh/ssh_host_ed25519_key",
        "etc/dpkg/dpkg.cfg.d/rootwright-build",
    ] {
        assert!(root.join(path).symlink_metadata().is_err(), "{path}");
    }
    assert_eq!(
        std::fs::read_to_string(root.join("etc/machine-id")).unwrap(),
        ""
    );
    root_is_locked(&root);
}

/// What recipes say without a shell, on the layers that the node's recipe has left.
fn the_everyday_modules_do_what_they_say(folder: &Path) {
    let node = std::fs::read_to_string(base().join("recipes/debian-nfs.rhai")).unwrap();
    let start = node.find("root.install([").unwrap();
    let end = start + node[start..].find("]);").unwrap() + 3;
    let install = node[start..end].replace("kernel,", r#""linux-image-cloud-amd64","#);
    let recipes = folder.join("everyday");
    std::fs::create_dir_all(recipes.join("tool-1.0/bin")).unwrap();
    std::fs::write(recipes.join("tool-1.0/bin/tool"), "tool\n").unwrap();
    run(std::process::Command::new("tar")
        .current_dir(&recipes)
        .args(["-czf", "tool.tar.gz", "tool-1.0"]));
    let recipe = text!(
        r#"import "users" as users;
import "services" as services;
import "package/dpkg" as dpkg;
import "archive" as archive;
let root = bootstrap(#{ distro: "debian", release: "bookworm" });
{install}
users::group(root, "cluster", #{ gid: 4000 });
users::add(root, "admin", #{ uid: 4001, groups: ["cluster", "adm"], shell: "/bin/bash", comment: "The admin", password: "$6$salt$hash", authorized_keys: ["key one"] });
users::add(root, "agent", #{ system: true, group: "cluster", home: "/var/lib/agent" });
users::join_groups(root, "agent", "adm");
users::password(root, "root", secret("root-hash"));
users::lock(root, "admin");
services::enable(root, "systemd-networkd");
services::disable(root, ["ssh"]);
services::mask(root, ["apt-daily.timer", "not-there-yet.service"]);
services::unmask(root, "apt-daily.timer");
services::boot_target(root, "multi-user");
dpkg::preseed(root, #{ package: "tzdata", question: "tzdata/Areas", type: "select", value: "Europe" });
dpkg::divert(root, "/etc/issue.net");
dpkg::alternative(root, "awk", "/usr/bin/mawk");
archive::unpack(root, "tool.tar.gz", "/opt/tool", #{ strip: 1 });
root.export(#{ format: "dir", name: "everyday" });
"#,
        install
    );
    std::fs::write(recipes.join("everyday.rhai"), recipe).unwrap();
    let mut build = rootwright();
    let output = run(build
        .current_dir(&recipes)
        .env("ROOTWRIGHT_SECRET_ROOT_HASH", "$6$root$hash")
        .args(["build", "everyday.rhai", "--store"])
        .arg(folder.join("store"))
        .arg("--out")
        .arg(folder.join("out")));
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(!said.contains("$6$root"), "{said}");
    let root = folder.join("out/everyday/root");
    let holds = |file: &str, start: &str| {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(
            text.lines().any(|line| line.starts_with(start)),
            "{file} has no {start}: {text}"
        );
    };
    holds(
        "etc/passwd",
        "admin:x:4001:4001:The admin:/home/admin:/bin/bash",
    );
    holds("etc/group", "cluster:x:4000:admin");
    holds("etc/shadow", "admin:!$6$salt$hash:");
    holds("etc/shadow", "root:$6$root$hash:");
    holds("home/admin/.ssh/authorized_keys", "key one");
    let group = std::fs::read_to_string(root.join("etc/group")).unwrap();
    let adm = group.lines().find(|line| line.starts_with("adm:")).unwrap();
    assert!(adm.ends_with(":admin,agent"), "{adm}");
    let agent = std::fs::read_to_string(root.join("etc/passwd")).unwrap();
    let agent = agent
        .lines()
        .find(|line| line.starts_with("agent:"))
        .unwrap();
    assert!(agent.ends_with(":4000::/var/lib/agent:/bin/sh"), "{agent}");
    let keys = std::fs::metadata(root.join("home/admin/.ssh/authorized_keys")).unwrap();
    assert_eq!(
        (keys.uid(), keys.gid(), keys.mode() & 0o7777),
        (4001, 4001, 0o600)
    );
    let units = root.join("etc/systemd/system");
    let link = |path: &str| std::fs::read_link(units.join(path)).ok();
    assert!(link("multi-user.target.wants/systemd-networkd.service").is_some());
    assert_eq!(link("multi-user.target.wants/ssh.service"), None);
    assert_eq!(link("not-there-yet.service"), Some("/dev/null".into()));
    assert_eq!(link("apt-daily.timer"), None);
    let target = link("default.target").unwrap();
    assert!(target.ends_with("multi-user.target"), "{target:?}");
    let answers = std::fs::read_to_string(root.join("var/cache/debconf/config.dat")).unwrap();
    assert!(answers.contains("Name: tzdata/Areas"));
    assert!(root.join("etc/issue.net.distrib").is_file() && !root.join("etc/issue.net").exists());
    assert_eq!(
        std::fs::read_link(root.join("etc/alternatives/awk")).unwrap(),
        Path::new("/usr/bin/mawk")
    );
    let tool = root.join("opt/tool/bin/tool");
    assert_eq!(std::fs::read_to_string(&tool).unwrap(), "tool\n");
    assert!(!root.join("var/tmp/rootwright-archive").exists());
}

const TEST: &str = "boot::debian::both_releases_build_as_by_hand_and_boot";

/// One after the other: two cores carry one guest.
#[test]
#[ignore = "run with tests/run boot"]
fn both_releases_build_as_by_hand_and_boot() {
    let folder = tempfile::Builder::new()
        .prefix("rootwright-e2e-")
        .tempdir_in("/var/tmp")
        .unwrap();
    let folder = folder.path();
    // What is booted comes last.
    let releases: &[&str] = match long() {
        true => &["trixie", "bookworm"],
        false => &["bookworm"],
    };
    for release in releases {
        let export = build(folder, release);
        looks_like_a_node(&export, release);
        commands_are_the_plans(folder, release);
        assert_eq!(mounts_below(folder), Vec::<String>::new());
        verified("debian", release, Level::RealMirror, TEST);
    }
    the_everyday_modules_do_what_they_say(folder);
    boots::all(folder);
    verified("debian", "bookworm", Level::Booted, TEST);
    assert_eq!(mounts_below(folder), Vec::<String>::new());
}
