//! A real Debian, built twice from nothing in two folders: every image is the same, byte for
//! byte, and where one is not, the files that differ are named. Needs root privileges, the
//! host's own package mirror, mmdebstrap, mksquashfs, mkfs.erofs and cpio.

use std::path::Path;
use std::process::Command;

use crate::support::{rootwright, run, stdout};

const FORMATS: &[(&str, &str)] = &[
    ("tar", "root.tar.zst"),
    ("squashfs", "root.squashfs"),
    ("erofs", "root.erofs"),
    ("cpio", "root.cpio.gz"),
    ("oci", "image"),
];

/// A service that makes keys when it is installed, a locale, and a boot.
fn recipe() -> String {
    let mut text = r#"//! x
import "diskless" as diskless;
let root = bootstrap(#{ distro: "debian", release: "bookworm", variant: "apt", updates: false, security: false });
root.install(["systemd-sysv", "dbus", "openssh-server", "locales"]);
root.write_file("/etc/locale.gen", "en_US.UTF-8 UTF-8\n");
root.nspawn_run(["locale-gen"], #{ network: false });
root.nspawn_boot("systemctl is-active ssh.service || systemctl is-active dbus.service", #{ network: false });
diskless::prepare(root, #{ initramfs: false });
"#
    .to_owned();
    for (format, _) in FORMATS {
        text.push_str(&text!(
            r#"root.export(#{ format: "{format}", name: "{format}" });
"#,
            format
        ));
    }
    text
}

fn build(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("recipe.rhai"), recipe()).unwrap();
    run(rootwright().current_dir(folder).args([
        "build",
        "recipe.rhai",
        "--store",
        "store",
        "--out",
        "out",
    ]));
}

/// Path, kind, mode, owner, size, time, target, and the digest of files.
fn listing(folder: &Path) -> Vec<String> {
    let script = r#"cd "$1"
find . -printf '%p %y %m %U:%G %T@ %l\n' | sort
find . -type f -print0 | sort -z | xargs -0 -r sha256sum"#;
    let output = run(Command::new("sh").args(["-euc", script, "sh"]).arg(folder));
    stdout(&output).lines().map(str::to_owned).collect()
}

fn unpacked(folder: &Path) -> Vec<String> {
    let to = folder.join("unpacked");
    std::fs::create_dir(&to).unwrap();
    run(Command::new("tar")
        .args([
            "--extract",
            "--zstd",
            "--numeric-owner",
            "--preserve-permissions",
        ])
        .arg("--file")
        .arg(folder.join("out/tar/root.tar.zst"))
        .arg("--directory")
        .arg(&to));
    listing(&to)
}

/// The lines that only one of the two has.
fn differences(a: &[String], b: &[String]) -> Vec<String> {
    let only = |these: &[String], those: &[String], mark: &str| -> Vec<String> {
        let those: std::collections::BTreeSet<&String> = those.iter().collect();
        let lines = these.iter().filter(|line| !those.contains(line));
        lines.map(|line| format!("{mark} {line}")).collect()
    };
    let mut lines = only(a, b, "<");
    lines.extend(only(b, a, ">"));
    lines
}

#[test]
#[ignore = "run with tests/run distro"]
fn two_builds_from_nothing_give_the_same_bytes() {
    let folder = tempfile::Builder::new()
        .prefix("rootwright-cold-")
        .tempdir_in("/var/tmp")
        .unwrap();
    let (one, two) = (
        folder.path().join("one"),
        folder.path().join("another/place"),
    );
    build(&one);
    build(&two);

    // First what a person wants to know.
    let (first, second) = (unpacked(&one), unpacked(&two));
    assert!(first.len() > 5_000, "{}", first.len());
    assert_eq!(differences(&first, &second), Vec::<String>::new());
    for (format, artifact) in FORMATS {
        let digests = |place: &Path| {
            let path = place.join("out").join(format).join(artifact);
            match path.is_dir() {
                true => {
                    let lines = listing(&path);
                    // Times of the layout's own files are none of the image.
                    lines
                        .into_iter()
                        .filter(|line| line.starts_with(|c: char| c.is_ascii_hexdigit()))
                        .collect()
                }
                false => vec![
                    stdout(&run(Command::new("sha256sum").arg("--tag").arg(&path)))
                        .rsplit(" = ")
                        .next()
                        .unwrap()
                        .to_owned(),
                ],
            }
        };
        let (a, b): (Vec<String>, Vec<String>) = (digests(&one), digests(&two));
        assert!(!a.is_empty());
        assert_eq!(differences(&a, &b), Vec::<String>::new(), "{format}");
    }

    // A clock cannot be turned back here: no day is left that could differ tomorrow.
    let shadow = std::fs::read_to_string(one.join("unpacked/etc/shadow")).unwrap();
    let dated: Vec<&str> = shadow
        .lines()
        .filter(|line| line.split(':').nth(2) != Some(""))
        .collect();
    assert_eq!(dated, Vec::<&str>::new());
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_file_that_differs_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, text: &str| {
        let at = folder.path().join(name);
        std::fs::create_dir_all(at.join("etc")).unwrap();
        std::fs::write(at.join("etc/same"), "same").unwrap();
        std::fs::write(at.join("etc/other"), text).unwrap();
        listing(&at)
    };
    let found = differences(&make("a", "a"), &make("b", "b"));
    let named = |line: &&String| line.ends_with("  ./etc/other");
    assert_eq!(found.iter().filter(named).count(), 2, "{found:?}");
    assert!(
        !found.iter().any(|line| line.ends_with("  ./etc/same")),
        "{found:?}"
    );
}
