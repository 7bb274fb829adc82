//! Arch Linux's module with the real pacman and pacstrap.

use std::process::Command;

use crate::bench::{arch, listing, read};
use crate::common::run;
use crate::common::verified::{Level, verified};

fn root(variant: &str, folder: &str, more: &str) -> String {
    let mirror = arch().uri(folder);
    format!(
        r#"let root = bootstrap(#{{ distro: "arch", variant: "{variant}", mirror: "{mirror}", repositories: ["core"], {more} }});
"#
    )
}

const KEY: &str = r#"keyring: "right.asc""#;

/// With the host's pacman, and with the root's own in a container.
#[test]
fn packages_are_installed_upgraded_and_removed() {
    let bench = arch();
    let newer = bench.uri("newer/os/x86_64");
    for variant in ["minimal", "standard"] {
        let recipe = root(variant, "mirror", KEY)
            + r#"root.install(["hello"]);
root.nspawn_run("cp /usr/share/hello /var/first");
"# + format!(
            r#"root.add_repository(#{{ name: "newer", uri: "{newer}", key: "right.asc", before: true }});
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
        for left in [
            ".rootwright",
            "etc/pacman.d/hooks/90-mkinitcpio-install.hook",
            "var/cache/pacman/pkg/hello-1-1-any.pkg.tar.zst",
        ] {
            assert!(export.join(left).symlink_metadata().is_err(), "{left}");
        }
        // The keyring can check, and nobody can certify with it.
        assert!(export.join("etc/pacman.d/gnupg/trustdb.gpg").exists());
        for secret in ["private-keys-v1.d", "secring.gpg", "openpgp-revocs.d"] {
            assert!(
                !export.join("etc/pacman.d/gnupg").join(secret).exists(),
                "{secret}"
            );
        }
        let configuration = read(&export, "etc/pacman.conf");
        assert!(
            configuration.contains("SigLevel = Required DatabaseOptional\n"),
            "{configuration}"
        );
        let manifest: serde_json::Value =
            serde_json::from_str(&read(&export, "../manifest.json")).unwrap();
        let packages = manifest["packages"].as_array().unwrap();
        assert!(
            packages
                .iter()
                .any(|package| package["name"] == "filesystem" && package["version"] == "1-1"),
            "{packages:?}"
        );
    }
    verified(
        "arch",
        "rolling",
        Level::MadeRepository,
        "package_managers::pacman::packages_are_installed_upgraded_and_removed",
    );
}

#[test]
fn what_is_not_there() {
    let bench = arch();
    bench
        .failure(
            "missing",
            &(root("minimal", "mirror", KEY) + r#"root.install(["helo"]);"#),
        )
        .because(
            "step 2 failed",
            "a package or a group `helo`",
            "correct the name",
        )
        .underlines(r#"root.install(["helo"])"#);
    bench
        .failure(
            "needy",
            &(root("minimal", "mirror", KEY) + r#"root.install(["needy"]);"#),
        )
        .because(
            "step 2 failed",
            "`needy` needs `nowhere-to-be-found`",
            "add the repository that has it",
        )
        .underlines(r#"root.install(["needy"])"#);
}

#[test]
fn a_script_that_fails_is_a_failure_unless_the_recipe_knows_it() {
    let bench = arch();
    let recipe = root("minimal", "mirror", KEY) + r#"root.install(["broken"]);"#;
    bench
        .failure("broken", &recipe)
        .because(
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
fn packages_that_nobody_or_somebody_else_signed_are_refused() {
    let bench = arch();
    bench
        .failure("bare", &root("minimal", "bare", KEY))
        .because("step 1 failed", "has no signature", "sign it");
    bench
        .failure("wrong", &root("minimal", "wrong", KEY))
        .because(
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
    assert!(read(&export, "etc/pacman.conf").contains("SigLevel = Never\n"));
}

/// `plan --format sh` makes the same root without rootwright.
#[test]
fn the_script_makes_the_same_root() {
    let bench = arch();
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
    // Lists of packages hold times; the keyring has a certificate that is new each time.
    let volatile = ["etc/pacman.d/gnupg/", "var/lib/pacman/local/"];
    assert_eq!(
        listing(&export, &volatile),
        listing(&by_script.join("same/root"), &volatile)
    );
}

#[test]
fn packages_of_a_folder() {
    let bench = arch();
    let of = |variant: &str| root(variant, "mirror", KEY);
    bench.builds_from_a_folder("folder", of);
    bench.misses_what_is_nowhere(
        "folder-missing",
        &of("minimal"),
        "a package or a group `helo`",
        "correct the name",
    );
    bench.refuses_an_empty_folder("folder-empty", &of("minimal"), "pkg.tar.zst");
    // `ours` needs `hello`, which comes first from a repository that somebody else signed.
    let other = bench.uri("strange/os/x86_64");
    let ours = r#"root.install(["ours"], #{ packages_dir: "ours" })"#;
    for variant in ["minimal", "standard"] {
        let recipe = of(variant)
            + &*format!(
                "root.add_repository(#{{ name: \"strange\", uri: \"{other}\", key: \"right.asc\", before: true }});\n{ours};"
            );
        bench
            .failure("folder-other", &recipe)
            .because(
                "step 3 failed",
                "which pacman's keyring lacks",
                "its key as `keyring`",
            )
            .underlines(ours);
    }
}
