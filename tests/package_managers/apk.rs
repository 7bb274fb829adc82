//! Alpine's module with a real apk (see `get-apk`).

use std::process::Command;

use crate::bench::{apk, listing, read};
use crate::common::run;
use crate::common::verified::{Level, verified};

fn root(variant: &str, folder: &str, more: &str) -> String {
    let mirror = apk().uri(folder);
    format!(
        r#"let root = bootstrap(#{{ distro: "alpine", release: "3.23", variant: "{variant}", mirror: "{mirror}", repositories: ["main"], {more} }});
"#
    )
}

const KEY: &str = r#"keyring: "right.rsa.pub""#;

/// With the host's apk, and with the root's own in a container.
#[test]
fn packages_are_installed_upgraded_and_removed() {
    let bench = apk();
    let newer = bench.uri("newer");
    for variant in ["minimal", "standard"] {
        let recipe = root(variant, "mirror", KEY)
            + r#"root.install(["hello"]);
root.nspawn_run("cp /usr/share/hello /var/first");
"# + format!(
            r#"root.add_repository(#{{ name: "newer", uri: "{newer}", key: "right.rsa.pub" }});
root.upgrade();
root.nspawn_run("cp /usr/share/hello /var/second");
root.remove(["hello"]);
root.clean();
root.export(#{{ format: "dir", name: "{variant}" }});
"#
        )
        .as_str();
        let export = bench.build(variant, &recipe);
        assert_eq!(read(&export, "var/first"), "1\n");
        assert_eq!(read(&export, "var/second"), "2\n", "{variant}");
        assert_eq!(read(&export, "var/scripts"), "hello\nhello\n");
        assert!(!export.join("usr/share/hello").exists());
        assert_eq!(
            std::fs::read_dir(export.join("var/cache/apk"))
                .unwrap()
                .count(),
            0
        );
        let repositories = read(&export, "etc/apk/repositories");
        assert!(
            repositories
                .lines()
                .any(|line| line.ends_with("/mirror/v3.23/main")),
            "{repositories}"
        );
        let manifest: serde_json::Value =
            serde_json::from_str(&read(&export, "../manifest.json")).unwrap();
        let packages = manifest["packages"].as_array().unwrap();
        assert!(
            packages
                .iter()
                .any(|package| package["name"] == "busybox" && package["version"] == "1-r0"),
            "{packages:?}"
        );
    }
    verified(
        "alpine",
        "3.23",
        Level::MadeRepository,
        "package_managers::apk::packages_are_installed_upgraded_and_removed",
    );
}

#[test]
fn what_is_not_there_or_fails() {
    let bench = apk();
    let step =
        |name: &str| root("minimal", "mirror", KEY) + &*format!("root.install([\"{name}\"]);");
    bench
        .failure("missing", &step("helo"))
        .because(
            "step 2 failed",
            "no repository has a package `helo`",
            "correct the name",
        )
        .underlines(r#"root.install(["helo"])"#);
    bench
        .failure("needy", &step("needy"))
        .because("step 2 failed", "`nowhere-to-be-found`", "")
        .underlines(r#"root.install(["needy"])"#);
    bench
        .failure("broken", &step("broken"))
        .because(
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
        .because(
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

/// `plan --format sh` makes the same root without rootwright.
#[test]
fn the_script_makes_the_same_root() {
    let bench = apk();
    let recipe = root("minimal", "mirror", &format!("{KEY}, include: [\"hello\"]"))
        + r#"root.clean();
root.export(#{ format: "dir", name: "same" });"#;
    let export = bench.build("same", &recipe);
    let script = bench.folder.join("same.sh");
    std::fs::write(&script, bench.plan("same", &recipe, "sh")).unwrap();
    let by_script = bench.folder.join("same-by-script");
    run(Command::new("bash")
        .current_dir(&bench.folder)
        .arg(&script)
        .arg(&by_script));
    let volatile = ["lib/apk/db/scripts.tar", "var/log/"];
    assert_eq!(
        listing(&export, &volatile),
        listing(&by_script.join("same/root"), &volatile)
    );
}

#[test]
fn packages_of_a_folder() {
    let bench = apk();
    let of = |variant: &str| root(variant, "mirror", KEY);
    bench.builds_from_a_folder("folder", of);
    bench.misses_what_is_nowhere(
        "folder-missing",
        &of("minimal"),
        "no repository has a package `helo`",
        "correct the name",
    );
    bench.refuses_an_empty_folder("folder-empty", &of("minimal"), "apk");
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
