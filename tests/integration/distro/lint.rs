//! Lints of a root that somebody else has made. Needs a Debian mirror, the host's own.

use std::process::Command;

use rootwright::lint::{Finding, Severity};
use rootwright::plan::Transport;

use crate::support::run;
use crate::tiny::lint::look_via;

/// A root that somebody else has made: the list is worth reading.
#[test]
#[ignore = "run with tests/run distro"]
fn a_plain_bootstrap_gives_a_useful_list() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    run(Command::new("mmdebstrap")
        .args(["--mode=root", "--variant=apt", "--quiet"])
        .arg("--include=systemd-sysv,openssh-server,iputils-ping")
        .arg("bookworm")
        .arg(&root));
    let found = look_via(&root, &[Transport::Nfs]);
    let has = |lint: &str, message: &str| {
        let hit = |finding: &&Finding| finding.lint == lint && finding.message.contains(message);
        assert!(
            found.iter().any(|finding| hit(&finding)),
            "{lint}: {found:#?}"
        );
    };
    has("ssh-host-keys", "`/etc/ssh/ssh_host_rsa_key` is a host key");
    has("ssh-host-keys", "no unit makes host keys");
    has("file-capabilities", "`/usr/bin/ping`");
    has("journald", "nothing caps");
    has("timers", "`apt-daily.timer`");
    has("gpt-auto", "systemd-gpt-auto-generator");
    has("kernel-versions", "there is no kernel");
    // And it is a list, not a flood.
    let counted = found
        .iter()
        .filter(|finding| finding.severity != Severity::Note);
    assert!((8..40).contains(&counted.count()), "{found:#?}");
}
