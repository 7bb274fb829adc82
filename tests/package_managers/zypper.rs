//! openSUSE's module with the real zypper.

use crate::bench::{read, rpms};
use crate::common::verified::{Level, verified};

fn root(more: &str) -> String {
    let mirror = rpms().uri("suse");
    format!(
        r#"let root = bootstrap(#{{ distro: "opensuse", release: "16.0", variant: "minimal", mirror: "{mirror}", {more} }});
"#
    )
}

const KEY: &str = r#"keyring: "right.asc""#;

#[test]
fn packages_are_installed_upgraded_and_removed() {
    let bench = rpms();
    let newer = bench.uri("newer");
    let log = std::fs::metadata("/var/log/zypper.log")
        .map(|log| log.len())
        .ok();
    let recipe = root(KEY)
        + r#"root.install(["hello"]);
root.nspawn_run("cp /usr/share/hello /var/first");
"# + format!(
        r#"root.add_repository(#{{ name: "newer", uri: "{newer}", key: "right.asc" }});
root.upgrade();
root.nspawn_run("cp /usr/share/hello /var/second");
root.remove(["hello"]);
root.clean();
root.export(#{{ format: "dir", name: "suse-upgraded" }});
"#
    )
    .as_str();
    let export = bench.build("suse-upgraded", &recipe);
    assert_eq!(read(&export, "var/first"), "1\n");
    assert_eq!(read(&export, "var/second"), "2\n");
    assert!(!export.join("usr/share/hello").exists());
    assert_eq!(read(&export, "var/scripts"), "hello 1\nhello 2\n");
    for left in [
        ".rootwright",
        ".buildenv",
        "run/zypp.pid",
        "var/cache/zypp/packages",
    ] {
        assert!(export.join(left).symlink_metadata().is_err(), "{left}");
    }
    let repository = read(&export, "etc/zypp/repos.d/repo-oss.repo");
    assert!(
        repository.contains("gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-opensuse-image\n"),
        "{repository}"
    );
    // Nothing of the host has changed, its log not either.
    assert_eq!(
        std::fs::metadata("/var/log/zypper.log")
            .map(|log| log.len())
            .ok(),
        log
    );
    verified(
        "opensuse",
        "16.0",
        Level::MadeRepository,
        "package_managers::zypper::packages_are_installed_upgraded_and_removed",
    );
}

#[test]
fn a_package_that_is_not_there() {
    let recipe = root(KEY) + r#"root.install(["helo"]);"#;
    rpms()
        .failure("suse-missing", &recipe)
        .because(
            "there is no package `helo`",
            "in repo-oss",
            "did you mean `hello`?",
        )
        .underlines("\"helo\"");
}

#[test]
fn a_script_that_fails_is_a_failure() {
    let recipe = root(KEY) + r#"root.install(["broken"]);"#;
    rpms()
        .failure("suse-broken", &recipe)
        .because(
            "step 2 failed",
            "the %post script of `broken-1-1.x86_64` failed",
            "what the script said",
        )
        .underlines(r#"root.install(["broken"])"#);
}

#[test]
fn repositories_that_nobody_or_somebody_else_signed_are_refused() {
    let bench = rpms();
    let other = root(r#"keyring: "other.asc""#);
    bench.failure("suse-wrong", &other).because(
        "step 1 failed",
        "is signed with the key `",
        "give the key that it is signed with",
    );
    let bare = bench.uri("bare/linux/releases/43/Everything/x86_64/os");
    let added = root(KEY)
        + format!(
            r#"root.add_repository(#{{ name: "bare", uri: "{bare}", key: "right.asc" }});
root.install(["hello"]);"#
        )
        .as_str();
    bench
        .failure("suse-bare", &added)
        .because(
            "step 3 failed",
            "the repository `bare` has no signature",
            "sign it",
        )
        .underlines(r#"root.install(["hello"])"#);
    let allowed = added.replace(
        r#"key: "right.asc" }"#,
        r#"allow_unsigned: "made by this test" }"#,
    );
    bench.build(
        "suse-allowed",
        &(allowed + r#"root.export(#{ format: "dir", name: "suse-allowed" });"#),
    );
}

/// The root's own zypper installs what comes later; its rpm has the list of packages in its own
/// format.
#[test]
fn the_roots_own_zypper_installs_what_comes_later() {
    let recipe = root(KEY).replace("\"minimal\"", "\"standard\"")
        + r#"root.install(["hello"]);
root.nspawn_run("/usr/bin/rpm --query --all --queryformat '%{NAME} %{VERSION}\n' | sort >/var/packages");
root.remove(["hello"]);
root.export(#{ format: "dir", name: "suse-own" });
"#;
    let export = rpms().build("suse-own", &recipe);
    let packages = read(&export, "var/packages");
    for package in ["zypper 1\n", "filesystem 1\n", "hello 1\n"] {
        assert!(packages.contains(package), "{packages}");
    }
    assert!(!export.join("usr/share/hello").exists());
}

#[test]
fn packages_of_a_folder() {
    let bench = rpms();
    let of = |variant: &str| root(KEY).replace("minimal", variant);
    bench.builds_from_a_folder("suse-folder", of);
    bench.misses_what_is_nowhere(
        "suse-folder-missing",
        &of("minimal"),
        "no enabled repository has a package `helo`",
        "add the repository that has it",
    );
    bench.refuses_an_empty_folder("suse-folder-empty", &of("minimal"), "rpm");
    // `ours` needs `hello`, whose newest version is in a repository that nobody signed.
    let bare = bench.uri("bare/linux/updates/43/Everything/x86_64");
    let ours = r#"root.install(["ours"], #{ packages_dir: "ours" })"#;
    let recipe = of("minimal")
        + &*format!(
            "root.add_repository(#{{ name: \"bare\", uri: \"{bare}\", key: \"right.asc\" }});\n{ours};"
        );
    bench
        .failure("suse-folder-bare", &recipe)
        .because(
            "step 3 failed",
            "the repository `bare` has no signature",
            "sign it",
        )
        .underlines(ours);
}
