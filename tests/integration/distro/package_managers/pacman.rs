//! Arch Linux's module with the real pacman and pacstrap.

use std::process::Command;

use super::bench::arch;
use super::distro::Distro;
use crate::support::{read, run};

const KEY: &str = r#"keyring: "right.asc""#;

const ARCH: Distro = Distro {
    name: "arch",
    release: "rolling",
    bench: arch,
    // There is one release, and `make-arch` makes its mirror.
    layout: |_| Vec::new(),
    key: KEY,
    older: "",
    newer: ("newer/os/x86_64", r#"key: "right.asc", before: true"#),
    first: ("filesystem", "1-1"),
};

fn root(variant: &str, folder: &str, more: &str) -> String {
    ARCH.root_of(
        variant,
        folder,
        &text!(r#"repositories: ["core"], {more}"#, more),
    )
}

#[test]
#[ignore = "run with tests/run distro"]
fn every_release() {
    ARCH.every_release("distro::package_managers::pacman::every_release");
}

/// With the root's own pacman in a container, and what the image is left with.
#[test]
#[ignore = "run with tests/run distro"]
fn packages_are_installed_upgraded_and_removed() {
    let export = ARCH.lives("lived", "standard");
    for left in [
        "etc/pacman.d/hooks/90-mkinitcpio-install.hook",
        "var/cache/pacman/pkg/hello-1-1-any.pkg.tar.zst",
    ] {
        assert!(export.join(left).symlink_metadata().is_err(), "{left}");
    }
    // The keyring can check, and nobody can certify with it.
    assert!(export.join("etc/pacman.d/gnupg/trustdb.gpg").exists());
    for secret in ["private-keys-v1.d", "secring.gpg", "openpgp-revocs.d"] {
        let path = export.join("etc/pacman.d/gnupg").join(secret);
        assert!(!path.exists(), "{secret}");
    }
    let configuration = read(export.join("etc/pacman.conf"));
    assert!(
        configuration.contains("SigLevel = Required DatabaseOptional\n"),
        "{configuration}"
    );
}

/// Lists of packages hold times; the keyring has a certificate that is new each time.
#[test]
#[ignore = "run with tests/run distro"]
fn the_script_makes_the_same_root() {
    ARCH.is_the_same_by_script(&["etc/pacman.d/gnupg/", "var/lib/pacman/local/"]);
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_package_that_needs_what_is_not_there() {
    let bench = arch();
    bench
        .failure(
            "needy",
            &(root("minimal", "mirror", KEY) + r#"root.install(["needy"]);"#),
        )
        .explains(
            "step 2 failed",
            "`needy` needs `nowhere-to-be-found`",
            "add the repository that has it",
        )
        .underlines(r#"root.install(["needy"])"#);
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_script_that_fails_is_a_failure_unless_the_recipe_knows_it() {
    let bench = arch();
    let recipe = root("minimal", "mirror", KEY) + r#"root.install(["broken"]);"#;
    bench
        .failure("broken", &recipe)
        .explains(
            "step 2 failed",
            "the install script of `broken` failed",
            "scripts_may_fail",
        )
        .underlines(r#"root.install(["broken"])"#);
    let known = recipe.replace(
        r#"["broken"]"#,
        r#"["broken"], #{ scripts_may_fail: true }"#,
    );
    bench.build(
        "known",
        &(known + r#"root.export(#{ format: "dir", name: "known" });"#),
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn packages_that_nobody_or_somebody_else_signed_are_refused() {
    let bench = arch();
    bench
        .failure("bare", &root("minimal", "bare", KEY))
        .explains("step 1 failed", "has no signature", "sign it");
    bench
        .failure("wrong", &root("minimal", "wrong", KEY))
        .explains(
            "step 1 failed",
            "which pacman's keyring lacks",
            "its key as `keyring`",
        );
    let allowed = root("minimal", "bare", r#"allow_unsigned: "made by this test""#);
    let plan = bench.plan("allowed", &allowed, "text");
    assert!(plan.contains("made by this test"), "{plan}");
    let export = bench.build(
        "allowed",
        &(allowed + r#"root.export(#{ format: "dir", name: "allowed" });"#),
    );
    assert!(read(export.join("etc/pacman.conf")).contains("SigLevel = Never\n"));
}

#[test]
#[ignore = "run with tests/run distro"]
fn packages_of_a_folder() {
    let bench = arch();
    let of = |variant: &str| root(variant, "mirror", KEY);
    ARCH.builds_from_a_folder();
    ARCH.misses_what_is_nowhere("a package or a group `helo`", "correct the name");
    ARCH.refuses_an_empty_folder("pkg.tar.zst");
    // `ours` needs `hello`, which comes first from a repository that somebody else signed.
    let other = bench.uri("strange/os/x86_64");
    let ours = r#"root.install(["ours"], #{ packages_dir: "ours" })"#;
    for variant in ["minimal", "standard"] {
        let recipe = of(variant)
            + &*text!(
                r#"root.add_repository(#{ name: "strange", uri: "{other}", key: "right.asc", before: true });
{ours};"#,
                other,
                ours
            );
        bench
            .failure("folder-other", &recipe)
            .explains(
                "step 3 failed",
                "which pacman's keyring lacks",
                "its key as `keyring`",
            )
            .underlines(ours);
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn keys_of_other_repositories_come_from_the_network() {
    ARCH.takes_keys_from_the_network();
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_mirror_that_is_down() {
    ARCH.goes_on_with_the_next_mirror("etc/pacman.d/mirrorlist");
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_mirror_that_only_a_proxy_reaches() {
    ARCH.goes_through_a_proxy();
}

/// A mirror that keeps days: `{date}` in its address is the day's folder.
#[test]
#[ignore = "run with tests/run distro"]
fn a_day_that_stays() {
    let bench = arch();
    let days = bench.folder.join("days/2026/11");
    std::fs::create_dir_all(&days).unwrap();
    run(Command::new("cp")
        .arg("-al")
        .args([bench.folder.join("mirror"), days.join("01")]));
    let mirror = bench.uri("mirror");
    let recipe = ARCH.root_of(
        "minimal",
        "mirror",
        &text!(r#"{KEY}, snapshot: "20261101""#, KEY),
    );
    let dated = recipe.replace(&mirror, &bench.uri("days/{date}"))
        + r#"root.export(#{ format: "dir", name: "day" });
"#;
    let list = read(bench.build("day", &dated).join("etc/pacman.d/mirrorlist"));
    assert!(list.contains("/days/2026/11/01/$repo/os/$arch\n"), "{list}");
    bench
        .failure("no-day", &recipe)
        .explains(
            "the mirror has no place for the day of the snapshot",
            "it is a mirror of what is new today",
            "put `{date}`, which becomes `2026/11/01`, into its address",
        )
        .underlines(&text!(r#"mirror: "{mirror}""#, mirror));
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_link_in_the_image_leads_nowhere() {
    ARCH.stays_in_the_root();
}

#[test]
#[ignore = "run with tests/run distro"]
fn downloads_of_another_recipe() {
    ARCH.installs_no_package_of_another_recipe(&["pacman"], ".pkg.tar.zst");
}

#[test]
#[ignore = "run with tests/run distro"]
fn packages_by_their_digests() {
    ARCH.installs_fetched_packages(".pkg.tar.zst");
}

#[test]
#[ignore = "run with tests/run distro"]
fn one_unsigned_repository_among_others() {
    ARCH.checks_beside_an_unsigned_repository(
        &["minimal", "standard"],
        (
            r#"newer/os/x86_64", name: "newer", before: true"#,
            r#"strange/os/x86_64", name: "strange", before: true"#,
        ),
        ("which pacman's keyring lacks", "its key as `keyring`"),
    );
}
