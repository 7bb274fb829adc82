//! Alpine's module with a real apk (see `get-apk`).

use std::process::Command;

use super::bench::apk;
use super::distro::Distro;
use crate::support::{read, run};

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
};

fn root(variant: &str, folder: &str, more: &str) -> String {
    ALPINE.root_of(
        variant,
        folder,
        &text!(r#"repositories: ["main"], {more}"#, more),
    )
}

#[test]
#[ignore = "run with tests/run distro"]
fn every_release() {
    ALPINE.every_release("distro::package_managers::apk::every_release");
}

/// With the root's own apk in a container, and what the image is left with.
#[test]
#[ignore = "run with tests/run distro"]
fn packages_are_installed_upgraded_and_removed() {
    let export = ALPINE.lives("lived", "standard");
    let cache = std::fs::read_dir(export.join("var/cache/apk")).unwrap();
    assert_eq!(cache.count(), 0);
    let repositories = read(export.join("etc/apk/repositories"));
    let mut lines = repositories.lines();
    assert!(
        lines.any(|line| line.ends_with("/mirror/v3.23/community")),
        "{repositories}"
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn the_script_makes_the_same_root() {
    ALPINE.is_the_same_by_script(&["lib/apk/db/scripts.tar", "var/log/"]);
}

#[test]
#[ignore = "run with tests/run distro"]
fn what_needs_more_or_fails() {
    let bench = apk();
    let step =
        |name: &str| root("minimal", "mirror", KEY) + &*text!(r#"root.install(["{name}"]);"#, name);
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

/// Signed with another key, or by nobody at all.
#[test]
#[ignore = "run with tests/run distro"]
fn packages_that_the_right_key_did_not_sign_are_refused() {
    let bench = apk();
    for folder in ["wrong", "bare"] {
        let refused = root("minimal", folder, KEY);
        bench
            .failure(folder, &refused)
            .explains(
                "step 1 failed",
                "is signed with a key that is not in",
                "give the key",
            )
            .underlines(
                refused
                    .trim_start_matches("let root = ")
                    .trim_end_matches(";\n"),
            );
        let name = format!("{folder}-allowed");
        let allowed = root("minimal", folder, r#"allow_unsigned: "made by this test""#)
            + &*text!(
                r#"root.install(["hello"]);
root.export(#{ format: "dir", name: "{name}" });"#,
                name
            );
        let plan = bench.plan(&name, &allowed, "text");
        assert!(plan.contains("made by this test"), "{plan}");
        let export = bench.build(&name, &allowed);
        assert_eq!(read(export.join("usr/share/hello")), "1\n");
    }
}

/// Alpine's own mirrors have an index of version 2, which says the same in lines.
#[test]
#[ignore = "run with tests/run distro"]
fn names_are_looked_up_in_an_index_of_version_2() {
    let bench = apk();
    let folder = bench.folder.join("second/v3.23/main/x86_64");
    std::fs::create_dir_all(&folder).unwrap();
    let index =
        "C:Q1\nP:busybox\nV:1-r0\np:cmd:sh=1-r0 /bin/sh\n\nP:hello\nV:1-r0\np:greeting=1-r0\n";
    std::fs::write(folder.join("APKINDEX"), index).unwrap();
    std::fs::write(folder.join(".SIGN.RSA.right.rsa.pub"), "").unwrap();
    // Two parts, the first of which does not say that it ends.
    run(Command::new("bash").current_dir(&folder).args([
        "-euc",
        "{ tar c .SIGN.* | head -c 512 | gzip; tar c APKINDEX | gzip; } >APKINDEX.tar.gz",
    ]));
    for (name, near) in [("helo", "hello"), ("greting", "greeting")] {
        let recipe = root("minimal", "second", KEY)
            + &*text!(
                r#"root.install(["{name}"]);
"#,
                name
            );
        bench
            .failure(&format!("second-{name}"), &recipe)
            .says("host::check", &format!("there is no package `{name}`"))
            .because("is called that in main", &format!("did you mean `{near}`?"))
            .underlines(&text!(r#""{name}""#, name));
    }
}

/// A key is a file of the recipe's repository, or of the host with a `/` in front.
#[test]
#[ignore = "run with tests/run distro"]
fn a_key_of_the_host() {
    let bench = apk();
    let key = bench.folder.join("right.rsa.pub");
    let of = |key: &str| root("minimal", "mirror", &text!(r#"keyring: "{key}""#, key));
    let export = bench.build(
        "host-key",
        &(of(key.to_str().unwrap()) + r#"root.export(#{ format: "dir", name: "host-key" });"#),
    );
    assert_eq!(
        read(export.join("etc/apk/keys/right.rsa.pub")),
        std::fs::read_to_string(key).unwrap()
    );
    bench
        .failure("no-key", &of("/nowhere/right.rsa.pub"))
        .explains(
            "there is no key in `/nowhere/right.rsa.pub`",
            "this host has no such file, or it is no text",
            "without a `/` in front it is one of the recipe's repository",
        )
        .underlines(r#"keyring: "/nowhere/right.rsa.pub""#);
}

#[test]
#[ignore = "run with tests/run distro"]
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
            + &*text!(
                r#"root.add_repository(#{ name: "strange", uri: "{strange}", key: "right.rsa.pub" });
root.install(["ours"], #{ packages_dir: "ours" });
root.export(#{ format: "dir", name: "strange-{variant}" });"#,
                strange,
                variant
            );
        let export = bench.build(&format!("strange-{variant}"), &recipe);
        assert_eq!(read(export.join("usr/share/hello")), "1\n");
        assert_eq!(read(export.join("usr/share/ours")), "ours\n");
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_mirror_that_is_down() {
    ALPINE.goes_on_with_the_next_mirror("etc/apk/repositories");
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_mirror_that_only_a_proxy_reaches() {
    ALPINE.goes_through_a_proxy();
}

/// apk gives up on a file that another recipe has left in its folder: no recipe gets any.
#[test]
#[ignore = "run with tests/run distro"]
fn downloads_are_not_shared() {
    let bench = apk().afresh("hostile-alpine");
    bench.build(
        "not-shared",
        &(root("minimal", "mirror", KEY)
            + r#"root.export(#{ format: "dir", name: "not-shared" });"#),
    );
    let pool = bench.folder.join("hostile-alpine/packages/apk");
    assert_eq!(std::fs::read_dir(pool).unwrap().count(), 0);
}

#[test]
#[ignore = "run with tests/run distro"]
fn packages_by_their_digests() {
    ALPINE.installs_fetched_packages(".apk");
}
