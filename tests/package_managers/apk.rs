//! Alpine's module with a real apk (see `get-apk`).

use crate::bench::{apk, read};
use crate::distro::Distro;

const KEY: &str = r#"keyring: "right.rsa.pub""#;

const ALPINE: Distro = Distro {
    name: "alpine",
    release: "3.23",
    bench: apk,
    layout: |release| {
        let branch = match release {
            "edge" => "edge".to_owned(),
            number => format!("v{number}"),
        };
        ["main", "community"]
            .map(|name| (format!("{branch}/{name}"), format!("sets/{name}")))
            .to_vec()
    },
    key: KEY,
    older: "",
    newer: ("newer", r#"key: "right.rsa.pub""#),
    first: ("busybox", "1-r0"),
    missing: [
        "step 2 failed",
        "no repository has a package `helo`",
        "correct the name",
        r#"root.install(["helo"])"#,
    ],
};

fn root(variant: &str, folder: &str, more: &str) -> String {
    ALPINE.root_of(
        variant,
        folder,
        &format!("repositories: [\"main\"], {more}"),
    )
}

#[test]
fn every_release() {
    ALPINE.every_release("package_managers::apk::every_release");
}

/// With the root's own apk in a container, and what the image is left with.
#[test]
fn packages_are_installed_upgraded_and_removed() {
    let export = ALPINE.lives("lived", "standard");
    let cache = std::fs::read_dir(export.join("var/cache/apk")).unwrap();
    assert_eq!(cache.count(), 0);
    let repositories = read(&export, "etc/apk/repositories");
    let mut lines = repositories.lines();
    assert!(
        lines.any(|line| line.ends_with("/mirror/v3.23/community")),
        "{repositories}"
    );
}

#[test]
fn the_script_makes_the_same_root() {
    ALPINE.is_the_same_by_script(&["lib/apk/db/scripts.tar", "var/log/"]);
}

#[test]
fn what_needs_more_or_fails() {
    let bench = apk();
    let step =
        |name: &str| root("minimal", "mirror", KEY) + &*format!("root.install([\"{name}\"]);");
    bench
        .failure("needy", &step("needy"))
        .explains("step 2 failed", "`nowhere-to-be-found`", "")
        .underlines(r#"root.install(["needy"])"#);
    bench
        .failure("broken", &step("broken"))
        .explains(
            "step 2 failed",
            "the post-install script of `broken-1-r0` failed",
            "scripts_may_fail",
        )
        .underlines(r#"root.install(["broken"])"#);
}

#[test]
fn packages_that_another_key_signed_are_refused() {
    let bench = apk();
    bench
        .failure("wrong", &root("minimal", "wrong", KEY))
        .explains(
            "step 1 failed",
            "is signed with a key that is not in",
            "give the key",
        );
    let allowed = root("minimal", "wrong", r#"allow_unsigned: "made by this test""#);
    let plan = bench.plan("allowed", &allowed, "text");
    assert!(plan.contains("made by this test"), "{plan}");
    bench.build(
        "allowed",
        &(allowed + r#"root.export(#{ format: "dir", name: "allowed" });"#),
    );
}

#[test]
fn packages_of_a_folder() {
    let bench = apk();
    let of = |variant: &str| root(variant, "mirror", KEY);
    ALPINE.builds_from_a_folder();
    ALPINE.misses_what_is_nowhere("no repository has a package `helo`", "correct the name");
    ALPINE.refuses_an_empty_folder("apk");
    // The newer `hello` of a repository that somebody else signed is left alone, as without the
    // folder: apk warns, and goes on with the others.
    let strange = bench.uri("strange");
    for variant in ["minimal", "standard"] {
        let recipe = of(variant)
            + &*format!(
                r#"root.add_repository(#{{ name: "strange", uri: "{strange}", key: "right.rsa.pub" }});
root.install(["ours"], #{{ packages_dir: "ours" }});
root.export(#{{ format: "dir", name: "strange-{variant}" }});"#
            );
        let export = bench.build(&format!("strange-{variant}"), &recipe);
        assert_eq!(read(&export, "usr/share/hello"), "1\n");
        assert_eq!(read(&export, "usr/share/ours"), "ours\n");
    }
}

#[test]
fn a_mirror_that_is_down() {
    ALPINE.goes_on_with_the_next_mirror("etc/apk/repositories");
}

#[test]
fn a_mirror_that_only_a_proxy_reaches() {
    ALPINE.goes_through_a_proxy();
}
