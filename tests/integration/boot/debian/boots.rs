//! Nodes that boot what was built: over NFS, over HTTP, from the firmware; and nodes that do
//! not come up.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{base, build_with};
use crate::support::boots::{holds, verdict};
use crate::support::{long, processes_with, rootwright, run, stderr, stdout, without_tools};

/// Boots of what boot/debian has built in `folder`.
pub fn all(folder: &Path) {
    what_cannot_be_booted_is_refused(folder);
    boots_over_nfs_once(folder, "bookworm");
    boots_over_http(folder);
    boots_from_the_firmware(folder);
    a_failed_unit_fails_the_build(folder);
    a_node_that_panics_is_no_node(folder);
    a_node_that_takes_too_long_is_ended(folder);
    ctrl_c_ends_the_node_and_its_servers(folder);
    if long() {
        boots_over_nfs_once(folder, "trixie");
    }
}

fn boot(folder: &Path, export: &str) -> Command {
    let mut boot = rootwright();
    boot.arg("boot").arg(folder.join("out").join(export));
    boot.arg("--store").arg(folder.join("store"));
    boot
}

/// `expect_boot`, over NFS; a second build has nothing to do.
fn boots_over_nfs_once(folder: &Path, release: &str) {
    let build = || {
        let output = run(&mut build_with(folder, release, &["verify=true"]));
        stderr(&output)
    };
    let said = build();
    let step = format!("boot debian-{release}-nfs");
    let line = |said: &str| {
        let mut lines = said.lines();
        let line = lines.rfind(|line| line.contains(&step) && !line.contains("runs:"));
        line.unwrap_or_else(|| panic!("{said}")).to_owned()
    };
    assert!(!line(&said).contains("cached"), "{said}");
    let said = build();
    assert!(line(&said).contains("cached"), "{said}");
}

/// A squashfs of the same root, built and booted by one command.
fn boots_over_http(folder: &Path) {
    let mut boot = rootwright();
    boot.current_dir(base())
        .args(["boot", "recipes/debian-nfs.rhai", "--format", "json"]);
    boot.args([
        "-o",
        "format=squashfs",
        "-o",
        "kernel=linux-image-cloud-amd64",
    ]);
    boot.args([
        "--cmd",
        "systemctl is-active ssh",
        "--cmd",
        "grep ' / overlay ' /proc/mounts",
    ]);
    boot.arg("--store").arg(folder.join("store"));
    boot.arg("--out").arg(folder.join("out"));
    let verdict = verdict(&run(&mut boot));
    holds(&verdict, "squashfs", "multi-user.target");
    assert_eq!(verdict["transport"], "http");
    let image = folder.join("out/debian-bookworm-http/root.squashfs");
    let size = std::fs::metadata(image).unwrap().len();
    // All of it went over the wire, and the node's kernel has seen it come.
    assert_eq!(verdict["http"].as_u64(), Some(size));
    assert!(verdict["wire"][0].as_u64() > Some(size), "{verdict}");
}

/// iPXE, the export's own boot script, and then as above.
fn boots_from_the_firmware(folder: &Path) {
    let output = run(boot(folder, "debian-bookworm-http").args(["--via", "pxe"]));
    let said = stdout(&output);
    assert!(
        said.contains(" over http, from the firmware on, Linux "),
        "{said}"
    );
    for line in ["reached multi-user.target", "/ is an overlay over squashfs"] {
        assert!(said.contains(&format!("  ok    {line}")), "{said}");
    }
    assert!(!said.contains("FAIL"), "{said}");
    assert!(stderr(&output).contains("firmware has an address"));
}

/// A branch of the same root, as erofs, with a unit that fails: what holds and what does not.
fn a_failed_unit_fails_the_build(folder: &Path) {
    let shipped = std::fs::read_to_string(base().join("recipes/debian-nfs.rhai")).unwrap();
    let recipe = folder.join("broken.rhai");
    let text = text!(
        r#"{shipped}
let broken = root.fork("broken");
broken.write_file("/etc/systemd/system/broken.service", "[Service]\nType=oneshot\nExecStart=/bin/ls /nowhere\n");
broken.symlink("/etc/systemd/system/multi-user.target.wants/broken.service", "../broken.service");
let image = broken.export(#{ format: "erofs", name: "broken" });
image.expect_boot(#{ via: "http", commands: ["test -e /etc/fstab", "echo said; exit 3"] });
"#,
        shipped
    );
    std::fs::write(&recipe, &text).unwrap();
    let at = text.lines().count();
    let mut build = rootwright();
    build
        .arg("build")
        .arg(&recipe)
        .args(["-o", "kernel=linux-image-cloud-amd64"]);
    build.arg("--store").arg(folder.join("store"));
    build.arg("--out").arg(folder.join("out"));
    let output = build.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "a node boots from the export `broken`, but not all is well",
        &format!("broken.rhai:{at}:"),
        "image.expect_boot(",
        "no unit has failed: broken.service",
        "`echo said; exit 3`: exit status 3",
        "broken.service: /bin/ls: cannot access '/nowhere': No such file or directory",
        "expect_boot.log",
        "mend the recipe; or look around in the node",
        "rootwright boot ",
        "--interactive",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    for held in [
        "/ is an overlay over erofs",
        "a write to /",
        "test -e /etc/fstab",
    ] {
        assert!(!said.contains(&format!("{held}: ")), "{held}: {said}");
    }
}

/// The real kernel, and an initramfs whose first program ends.
fn a_node_that_panics_is_no_node(folder: &Path) {
    let bad = folder.join("out/panics");
    run(Command::new("cp")
        .arg("-a")
        .arg(folder.join("out/debian-bookworm-http"))
        .arg(&bad));
    let script = r#"mkdir -p "$1/bin" && cp "$(command -v busybox)" "$1/bin" && cd "$1" && printf '#!/bin/busybox sh\necho no root today\nsleep 1\n' >init && chmod +x init && find . | cpio --quiet -o -H newc | gzip -1 >"$2""#;
    run(Command::new("sh")
        .args(["-euc", script, "sh"])
        .arg(folder.join("tiny"))
        .arg(bad.join("initramfs.img")));
    let output = boot(folder, "panics")
        .args(["--timeout", "120"])
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "the node that boots from `debian-bookworm-http` did not come up",
        "its console said after ",
        "no root today",
        "Kernel panic - not syncing: Attempted to kill init!",
        "console.log",
        "cause: the first program of the initramfs, or of the root, has ended",
        "look around in the node, with its console on your terminal",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

/// It is on its way when its time is over.
fn a_node_that_takes_too_long_is_ended(folder: &Path) {
    let began = std::time::Instant::now();
    let output = boot(folder, "debian-bookworm-nfs")
        .args(["--timeout", "3"])
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "did not come up",
        "ended after 3 s without an answer",
        "an emulated processor is slow: give it longer with `--timeout SECONDS`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(60));
}

/// Ctrl-C ends node and servers, and nothing of them stays.
fn ctrl_c_ends_the_node_and_its_servers(folder: &Path) {
    let mut boot = boot(folder, "debian-bookworm-nfs");
    boot.stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = boot.spawn().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while !said.contains(" MiB, ") {
        said += &lines.next().unwrap().unwrap();
    }
    run(Command::new("kill").args(["-INT", &child.id().to_string()]));
    for line in lines {
        said += &line.unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(
        said.contains("interrupted: the node and its servers are stopped"),
        "{said}"
    );
    let place = folder.join("out/debian-bookworm-nfs").display().to_string();
    assert_eq!(processes_with(&place), Vec::<String>::new());
}

fn what_cannot_be_booted_is_refused(folder: &Path) {
    let refused = |words: &[&str], parts: &[&str]| {
        let output = boot(folder, "debian-bookworm-nfs")
            .args(words)
            .output()
            .unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for part in parts {
            assert!(said.contains(part), "{part}: {said}");
        }
    };
    refused(
        &["--via", "http"],
        &[
            "cannot be booted over `http`",
            "its nodes get their root over `nfs`",
            "`--via nfs`, or `--via pxe`",
        ],
    );
    refused(
        &["--via", "pxe"],
        &[
            "has no `boot.ipxe`",
            "export the root in the format `nfs`, `squashfs`, `erofs` or `cpio`",
        ],
    );
    let boot = boot(folder, "debian-bookworm-nfs");
    let mut boot = without_tools(&boot, &["ganesha.nfsd"]);
    let output = boot.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "this host lacks one thing that is needed",
        "`ganesha.nfsd` (its root over NFS): package nfs-ganesha-vfs",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
