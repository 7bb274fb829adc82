//! `recipes/nfs-node.rhai` of distros whose mirrors the tests do not reach: built with the
//! distros' own package managers, and booted over NFS. The packages have the distros' names
//! and are laid out and signed as theirs are; the files in them are Debian's
//! (nodes/make-repository), but for Alpine's kernel, init, libc, busybox and apk, which are its
//! own (nodes/make-alpine). Needs what boot/debian needs, and the package managers.
//!
//! Fedora and Alpine Linux are built and booted, with ROOTWRIGHT_LONG=1 all.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::boots::{holds, verdict};
use crate::support::verified::{Level, verified};
use crate::support::{
    long, mounts_below, packages, root_is_locked, rootwright, run, stderr, stdout,
};

const TEST: &str = "boot::nodes::nodes_of_made_repositories_build_and_boot";

struct Node {
    distro: &'static str,
    release: &'static str,
    /// The script that makes the repository, and the key that it signs with.
    made: (&'static str, &'static str),
    /// The kernel's package where it is not the distro's usual one.
    kernel: Option<&'static str>,
    /// Packages that the recipe asks for by roles, and that the list of packages names.
    packages: &'static [&'static str],
    /// What the distro's own hooks make where they are not muted, and what is there of the
    /// build for a while.
    absent: &'static [&'static str],
    initramfs: &'static str,
    /// Where a boot ends.
    goal: &'static str,
    /// Runs in the node: services are up, and the package manager knows what is installed.
    asks: &'static [&'static str],
    /// Whether every run builds and boots it, or those that may take longer.
    always: bool,
}

const DEBIANS: (&str, &str) = ("make-repository", "right.asc");
const SYSTEMD: &str = "systemctl is-active sshd NetworkManager";

const NODES: &[Node] = &[
    Node {
        distro: "alpine",
        release: "3.23",
        made: ("make-alpine", "right.rsa.pub"),
        kernel: Some("linux-virt"),
        packages: &["alpine-baselayout", "openrc", "dracut", "linux-virt"],
        absent: &[
            "etc/systemd/*",
            "etc/init.d/ssh-host-keys",
            "usr/sbin/mkinitfs",
        ],
        initramfs: "boot/initramfs-*-virt.img",
        goal: "runlevel default",
        asks: &[
            "rc-service sshd status && rc-service networkmanager status",
            "apk info --installed openssh-server",
        ],
        always: true,
    },
    Node {
        distro: "fedora",
        release: "43",
        made: DEBIANS,
        kernel: None,
        packages: &["filesystem", "systemd", "dracut", "kernel-core"],
        absent: &["etc/kernel/install.d/*"],
        initramfs: "boot/initramfs-*-amd64.img",
        goal: "multi-user.target",
        asks: &[
            SYSTEMD,
            "rpm --query --whatprovides openssh && dnf --version",
        ],
        always: true,
    },
    Node {
        distro: "arch",
        release: "rolling",
        made: DEBIANS,
        kernel: None,
        packages: &["filesystem", "systemd", "dracut", "linux"],
        absent: &[
            "boot/initramfs-linux.img",
            "boot/vmlinuz-linux",
            "etc/pacman.d/hooks/*",
            "usr/share/libalpm/hooks/*mkinitcpio*",
        ],
        initramfs: "boot/initramfs-*-amd64.img",
        goal: "multi-user.target",
        asks: &[SYSTEMD, "pacman --query openssh"],
        always: false,
    },
    Node {
        distro: "rocky",
        release: "9",
        made: DEBIANS,
        kernel: None,
        packages: &["filesystem", "systemd", "dracut", "kernel-core"],
        absent: &["etc/kernel/install.d/*"],
        initramfs: "boot/initramfs-*-amd64.img",
        goal: "multi-user.target",
        asks: &[SYSTEMD, "rpm --query openssh-server && dnf --version"],
        always: false,
    },
    Node {
        distro: "opensuse",
        release: "16.0",
        made: DEBIANS,
        kernel: None,
        packages: &["filesystem", "systemd", "dracut", "kernel-default"],
        absent: &[".buildenv"],
        initramfs: "boot/initrd-*-amd64",
        goal: "multi-user.target",
        asks: &[SYSTEMD, "rpm --query openssh && zypper --version"],
        always: false,
    },
];

fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn build(folder: &Path, recipe: &str, options: &[String]) -> String {
    let mut build = rootwright();
    build.current_dir(source()).args(["build", recipe]);
    for option in options {
        build.args(["-o", option]);
    }
    build.arg("--store").arg(folder.join("store"));
    build.arg("--out").arg(folder.join("out"));
    stderr(&run(&mut build))
}

/// Paths below the root that a pattern of the shell matches.
fn matching(root: &Path, pattern: &str) -> Vec<String> {
    let script = r#"cd "$1" && ls -d $2 2>/dev/null || :"#;
    let mut list = Command::new("sh");
    list.args(["-euc", script, "sh"]).arg(root).arg(pattern);
    stdout(&run(&mut list)).lines().map(str::to_owned).collect()
}

fn built(folder: &Path, node: &Node) -> PathBuf {
    let bench = folder.join(node.distro);
    std::fs::create_dir(&bench).unwrap();
    let (script, key) = node.made;
    run(Command::new(source().join("tests/nodes").join(script))
        .arg(folder.join("out/payload/root"))
        .arg(&bench)
        .arg(node.distro));
    let mut options = vec![
        format!("distro={}", node.distro),
        format!("release={}", node.release),
        format!("mirror=file://{}/mirror", bench.display()),
        format!("keyring={}/{key}", bench.display()),
    ];
    options.extend(node.kernel.map(|kernel| format!("kernel={kernel}")));
    let said = build(folder, "recipes/nfs-node.rhai", &options);
    // The repositories were looked at beforehand, also those that are empty.
    assert!(!said.contains("not checked"), "{said}");
    let export = folder
        .join("out")
        .join(format!("{}-{}-nfs", node.distro, node.release));
    // The packages were seen inside, at the place that they have on this host.
    let inside = |root: PathBuf| {
        let place = root.join(bench.strip_prefix("/").unwrap());
        let there = place.ancestors().find(|path| path.exists()).unwrap();
        there.strip_prefix(root).unwrap().to_owned()
    };
    assert_eq!(
        inside(export.join("root")),
        inside(folder.join("out/payload/root"))
    );
    // Installed is what the root has; the packages are the largest thing here.
    std::fs::remove_dir_all(&bench).unwrap();
    export
}

fn looks_like_a_node(export: &Path, node: &Node) {
    let root = export.join("root");
    for file in ["vmlinuz", "initramfs.img"] {
        let size = std::fs::metadata(export.join(file)).unwrap().len();
        assert!(size > 1 << 20, "{file}");
    }
    let names = packages(export);
    for name in node.packages {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    // One initramfs, the recipe's and no hook's, and nothing of the build.
    assert_eq!(matching(&root, "boot/init*").len(), 1, "{}", node.distro);
    assert_eq!(matching(&root, node.initramfs).len(), 1, "{}", node.distro);
    let usual = [
        ".rootwright",
        "etc/resolv.conf",
        "etc/hostname.*",
        "etc/ssh/ssh_host_*",
        "root/.rpmdb",
    ];
    for pattern in usual.iter().chain(node.absent) {
        assert_eq!(
            matching(&root, pattern),
            Vec::<String>::new(),
            "{}",
            node.distro
        );
    }
    assert_eq!(
        std::fs::read_to_string(root.join("etc/machine-id")).unwrap(),
        ""
    );
    root_is_locked(&root);
}

/// A node comes up, with everything that a boot looks at, and serves logins.
fn boots(folder: &Path, export: &Path, node: &Node) {
    let mut boot = rootwright();
    boot.arg("boot").arg(export).args(["--format", "json"]);
    boot.arg("--store").arg(folder.join("store"));
    for command in node.asks {
        boot.args(["--cmd", command]);
    }
    boot.args(["--cmd", "ls /etc/ssh/ssh_host_ed25519_key"]);
    holds(&verdict(&run(&mut boot)), "nfs4", node.goal);
}

/// One after the other: two cores carry one guest.
#[test]
#[ignore = "run with tests/run boot"]
fn nodes_of_made_repositories_build_and_boot() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nodes");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    build(&folder, "tests/nodes/payload.rhai", &[]);
    for node in NODES {
        if !node.always && !long() {
            continue;
        }
        let export = built(&folder, node);
        looks_like_a_node(&export, node);
        verified(node.distro, node.release, Level::MadeProject, TEST);
        boots(&folder, &export, node);
        verified(node.distro, node.release, Level::BootedMade, TEST);
    }
    assert_eq!(mounts_below(&folder), Vec::<String>::new());
    std::fs::remove_dir_all(&folder).unwrap();
}
