//! Keys by their fingerprints, and distros that a recipe repository brings: bootstraps with
//! the real mmdebstrap from archives that the tests make and sign themselves. Root privileges,
//! gpg, apt-utils and busybox-static; no network.

use std::process::Command;

use crate::support::archive::Archive;
use crate::support::{mounts_below, run, stderr, stdout};

/// A derivative, as docs/distros.md has it: the table of another distro, with its own
/// archive, releases and keys.
const MADE: &str = r#"
import "package/apt" as apt;
import "distro/debian" as debian;

fn facts() {
    let facts = debian::facts();
    let release = facts.releases.bookworm;
    release.components = ["main"];
    release.suites = [];
    release.keys = ["FINGERPRINT"];
    facts += #{
        name: "made", title: "Made",
        releases: #{ bookworm: release }, newest: "bookworm", aliases: #{ "1": "bookworm" }, moving: #{ stable: "bookworm" },
        keyring: "/usr/share/keyrings/made.gpg", keyring_files: ["/usr/share/keyrings/there-is-no-made.gpg"],
        keyring_package: "made-keyring", keyring_packages: #{ debian: "made-keyring" }, mirror_of_keys: ["URI"],
        mirror: "URI", security_apart: false,
        roles: #{ init: ["tiny-root"], "nfs-client": [] },
    };
    facts
}
fn bootstrap(root, spec) { apt::bootstrap(root, spec, facts()); }
fn releases() { apt::listed(facts()) }
fn roles(root) { apt::roles(root, facts()) }
fn kernels(root) { apt::kernels(root, facts()) }
fn repositories(root) { apt::repositories(root) }
"#;

/// An archive with a root of one program, and a package with the archive's key; the distro
/// `made` takes them.
pub fn archive() -> Archive {
    let archive = Archive::new();
    let busybox = run(Command::new("sh").args(["-c", "command -v busybox"]));
    let root = archive.path("packages/tiny-root");
    std::fs::create_dir_all(root.join("bin")).unwrap();
    std::fs::copy(stdout(&busybox).trim(), root.join("bin/busybox")).unwrap();
    std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
    for folder in ["etc", "dev", "proc", "sys", "run", "tmp", "usr", "var"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::write(root.join("etc/os-release"), "ID=made\n").unwrap();
    let keys = archive.path("packages/made-keyring/usr/share/keyrings");
    std::fs::create_dir_all(&keys).unwrap();
    std::fs::copy(archive.path("archive.gpg"), keys.join("made.gpg")).unwrap();
    archive.packages(&["tiny-root", "made-keyring"]);
    archive.sign("archive");
    distro(&archive, &archive.fingerprint("archive"));
    archive
}

fn distro(archive: &Archive, fingerprint: &str) {
    let text = MADE
        .replace("FINGERPRINT", fingerprint)
        .replace("URI", &archive.uri());
    archive.project.write("distro/made.rhai", &text);
}

/// Only unpacked: the little root has no dpkg that could install.
const EXTRACT: &str = r#"variant: "extract", include: ["tiny-root"]"#;

fn recipe(archive: &Archive, spec: &str) {
    let text = text!(
        r#"let root = bootstrap(#{ distro: "made", release: "bookworm", arch: "amd64", {EXTRACT}{spec} });
root.nspawn_run(["/bin/sh", "-c", "echo it runs"], #{ network: false });
"#,
        EXTRACT,
        spec
    );
    archive.project.write("recipe.rhai", &text);
}

#[track_caller]
fn refused(archive: &Archive, command: &str, words: &[&str]) {
    let output = archive.command(&[command, "recipe.rhai"]).output();
    // Long messages are wrapped.
    let said = stderr(&output).replace("\n  | ", " ");
    assert_eq!(output.status.code(), Some(1), "{}{said}", stdout(&output));
    for word in words {
        assert!(said.contains(word), "no `{word}` in\n{said}");
    }
    // Nothing has run.
    assert!(!said.contains("1. bootstrap"), "{said}");
    assert_eq!(mounts_below(archive.project.path()), Vec::<String>::new());
}

/// The keyring is on no host: its package comes from the archive, and is taken because the
/// fingerprint is the one of the table. The script does the same.
#[test]
#[ignore = "run with tests/run distro"]
fn a_keyring_that_the_host_lacks_is_fetched_and_checked() {
    let archive = archive();
    recipe(&archive, "");
    archive.command(&["build", "recipe.rhai"]).success();
    let kept: Vec<_> = std::fs::read_dir(archive.path("store/keyrings"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(kept.len(), 1);
    let kept = kept[0].path();
    let name = kept.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("made-bookworm-"), "{name}");
    let listed = run(archive
        .gpg()
        .args(["--with-colons", "--show-keys"])
        .arg(&kept));
    assert!(stdout(&listed).contains(&archive.fingerprint("archive")));

    let script = stdout(
        &archive
            .command(&["plan", "--format", "sh", "recipe.rhai"])
            .success(),
    );
    archive.project.write("plan.sh", &script);
    run(Command::new("bash")
        .current_dir(archive.project.path())
        .args(["plan.sh", "by-script"]));
    assert!(archive.path("by-script/made/bin/busybox").is_file());
}

/// What comes has another key than the table says: it is not taken, whoever hands it over.
#[test]
#[ignore = "run with tests/run distro"]
fn a_fetched_keyring_with_another_fingerprint_is_refused() {
    let archive = archive();
    archive.key("other");
    let other = archive.fingerprint("other");
    distro(&archive, &other);
    recipe(&archive, "");
    let found = format!(
        "found instead: {} (archive)",
        archive.fingerprint("archive")
    );
    let words = [
        &*format!("the key {other}, of the packages of made bookworm, was not found"),
        "`/usr/share/keyrings/there-is-no-made.gpg` is not there",
        "`made.gpg`, fetched has one key",
        &*found,
        "recipe.rhai:1:",
        "compare the fingerprints with those that the archive's makers publish",
    ];
    refused(&archive, "doctor", &words);
    refused(&archive, "build", &words);
    let script = stdout(
        &archive
            .command(&["plan", "--format", "sh", "recipe.rhai"])
            .success(),
    );
    archive.project.write("plan.sh", &script);
    let output = Command::new("bash")
        .current_dir(archive.project.path())
        .args(["plan.sh", "by-script"])
        .output()
        .unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("not all keys of the packages of made bookworm were found"),
        "{said}"
    );
}

/// The recipe's own file and fingerprints: keys beside the one that is meant are not taken.
#[test]
#[ignore = "run with tests/run distro"]
fn a_recipe_pins_its_own_keys() {
    let archive = archive();
    archive.key("other");
    let (right, other) = (archive.fingerprint("archive"), archive.fingerprint("other"));
    let both = [
        std::fs::read(archive.path("archive.gpg")).unwrap(),
        std::fs::read(archive.path("other.gpg")).unwrap(),
    ];
    std::fs::create_dir(archive.path("keys")).unwrap();
    std::fs::write(archive.path("keys/both.gpg"), both.concat()).unwrap();
    let pinned = |key: &str| {
        text!(
            r#", keyring: "keys/both.gpg", fingerprints: ["{key}"]"#,
            key
        )
    };
    recipe(&archive, &pinned(&right));
    archive.command(&["build", "recipe.rhai"]).success();

    // The archive is signed with a key that the file has, and the recipe does not mean.
    recipe(&archive, &pinned(&other));
    refused(
        &archive,
        "build",
        &[
            "a key that the keyring lacks has signed bookworm",
            "has no key ",
            "recipe.rhai:1:",
        ],
    );

    // The file has no such key at all.
    let nobody = "0123456789ABCDEF0123456789ABCDEF01234567";
    recipe(&archive, &pinned(nobody));
    refused(
        &archive,
        "doctor",
        &[
            &format!("the key {nobody}, of the packages of made bookworm, was not found"),
            "keys/both.gpg` has 2 keys",
            &format!("found instead: {right} (archive)"),
            "fingerprints: [\"0123456789ABCDEF",
            "here",
        ],
    );

    // A short number can be forged.
    recipe(&archive, &pinned("01234567"));
    refused(
        &archive,
        "plan",
        &[
            "`01234567` is no fingerprint of a key",
            "a fingerprint has 40 hexadecimal digits",
            "recipe.rhai:1:",
        ],
    );
    recipe(&archive, r#", keyring: "keys/none.gpg""#);
    refused(
        &archive,
        "plan",
        &[
            "the keyring `keys/none.gpg` cannot be read: there is no such file in the recipe's repository",
            "the path is taken from the recipe's folder; one that starts with `/` is the host's",
        ],
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn unsigned_packages_ask_for_a_reason_and_show_in_the_plan() {
    let archive = archive();
    std::fs::remove_file(archive.path("archive/dists/bookworm/InRelease")).unwrap();
    recipe(&archive, "");
    refused(
        &archive,
        "build",
        &["no signature is on bookworm of file://"],
    );
    recipe(&archive, r#", allow_unsigned: " ""#);
    refused(
        &archive,
        "plan",
        &[
            "`allow_unsigned` does not say why",
            "say why this may be installed unchecked",
        ],
    );
    recipe(&archive, r#", allow_unsigned: "made on this machine""#);
    let mut plan = archive.command(&["plan", "--color", "always", "recipe.rhai"]);
    let text = stdout(&run(plan.env_remove("NO_COLOR")));
    let line =
        "\u{1b}[1;31minstall the packages of made bookworm unsigned: made on this machine\u{1b}[0m";
    assert!(text.contains(line), "{text}");
    let json = archive
        .command(&["plan", "--format", "json", "recipe.rhai"])
        .success();
    let plan: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let mut capabilities = plan["capabilities"].as_array().unwrap().iter();
    let unsigned = capabilities.find(|one| one["kind"] == "unsigned").unwrap();
    assert_eq!(unsigned["why"], "made on this machine");
    assert!(plan["keyrings"].is_null());
    archive.command(&["build", "recipe.rhai"]).success();
}

/// Roles, releases and mistakes of a distro that is not of the stdlib.
#[test]
#[ignore = "run with tests/run distro"]
fn a_distro_of_the_repository_works_like_a_built_in_one() {
    let archive = archive();
    let ask = |script: &str| {
        let text = text!(
            r#"let root = bootstrap(#{ distro: "made", release: "1", arch: "amd64" });
{script}
"#,
            script
        );
        archive.project.write("recipe.rhai", &text);
        archive.command(&["plan", "recipe.rhai"]).output()
    };
    let output = ask(
        r#"log(`${role(root, "init")} ${role(root, "nfs-client")} ${root.kernels()[0].package} ${root.repositories()[0].suites}`);"#,
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let said = format!("{}{}", stdout(&output), stderr(&output));
    assert!(
        said.contains(r#"["tiny-root"] [] linux-image-amd64 ["bookworm"]"#),
        "{said}"
    );
    let output = ask(r#"role(root, "kernal");"#);
    let said = stderr(&output);
    for part in [
        "the distro `made` has no role `kernal`",
        "recipe.rhai:2:12",
        "did you mean `kernel`?",
        "it has ca-certificates, dbus, dracut",
    ] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
    let output = ask("root.clean();");
    let said = stderr(&output);
    for part in [
        "distro/made.rhai` has no function `clean` with 1 parameter",
        "docs/distros.md says what a distro module brings",
    ] {
        assert!(said.contains(part), "no `{part}` in\n{said}");
    }
}
