//! Nodes of `recipes/nfs-node.rhai`, booted over NFS: with systemd, and without.

use std::path::Path;

use crate::distro::derivatives::Bench;
use crate::distro::derivatives::made::{DISTROS, made};
use crate::support::boots::{holds, verdict};
use crate::support::long;
use crate::support::verified::{Level, verified};
use crate::support::{mounts_below, rootwright, run};

/// Builds and boots the recipe as it is shipped; gives the root that was served.
fn boots(bench: &Bench, distro: &str, kernel: &str, goal: &str, commands: &[&str]) {
    let made = made();
    let mut distros = DISTROS.iter();
    let distro = distros.find(|known| known.name == distro).unwrap();
    let server = made.serve();
    let mirror = format!("{}/{}", server.uri(), distro.folder);
    let keyring = made.archive.path("archive.gpg");
    let mut boot = rootwright();
    boot.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["boot", "recipes/nfs-node.rhai", "--format", "json"]);
    for (name, value) in [
        ("distro", distro.name),
        ("release", distro.shown),
        ("mirror", &mirror),
        ("keyring", &keyring.display().to_string()),
        ("kernel", kernel),
    ] {
        boot.arg("-o").arg(format!("{name}={value}"));
    }
    for command in commands {
        boot.args(["--cmd", command]);
    }
    boot.arg("--store").arg(bench.path().join("store"));
    boot.arg("--out").arg(bench.path().join("out"));
    holds(&verdict(&run(&mut boot)), "nfs4", goal);
    assert_eq!(mounts_below(bench.path()), Vec::<String>::new());
}

/// It takes what Debian's node takes, which boot/debian boots in every run.
#[test]
#[ignore = "run with tests/run boot"]
fn a_node_of_ubuntu() {
    if !long() {
        return;
    }
    let commands = ["systemctl is-active NetworkManager"];
    // The distro's usual kernel.
    boots(&Bench::new(), "ubuntu", "", "multi-user.target", &commands);
    verified(
        "ubuntu",
        "noble",
        Level::BootedMade,
        "boot::derivatives::a_node_of_ubuntu",
    );
}

#[test]
#[ignore = "run with tests/run boot"]
fn a_node_without_systemd() {
    // By default `nodes` boots one with OpenRC.
    if !long() {
        return;
    }
    // What the recipe asks for is started, with keys of the node's own, and nothing has taken the
    // network away from the root.
    let commands = [
        "test ! -e /usr/bin/systemctl",
        "pgrep sshd && pgrep rpcbind && pgrep NetworkManager && pgrep dbus-daemon",
        "test -s /etc/ssh/ssh_host_ed25519_key",
        "ip -4 route show default | grep eth0",
    ];
    boots(
        &Bench::new(),
        "devuan",
        "linux-image-cloud-amd64",
        "runlevel 2",
        &commands,
    );
    verified(
        "devuan",
        "daedalus",
        Level::BootedMade,
        "boot::derivatives::a_node_without_systemd",
    );
}
