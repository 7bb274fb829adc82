//! openSUSE's module with the real zypper.

use super::bench::rpms;
use super::distro::Distro;
use crate::support::read;

const KEY: &str = r#"keyring: "right.asc""#;

const OPENSUSE: Distro = Distro {
    name: "opensuse",
    release: "16.0",
    bench: rpms,
    layout: |release| {
        let (main, updates) = match release {
            "tumbleweed" => (
                "tumbleweed/repo/oss".to_owned(),
                vec!["update/tumbleweed".to_owned()],
            ),
            "15.6" => (
                "distribution/leap/15.6/repo/oss".to_owned(),
                ["oss", "sle", "backports"]
                    .map(|of| format!("update/leap/15.6/{of}"))
                    .to_vec(),
            ),
            number => (format!("distribution/leap/{number}/repo/oss"), Vec::new()),
        };
        let mut found = vec![(main, "sets/suse".to_owned())];
        found.extend(
            updates
                .into_iter()
                .map(|path| (path, "sets/updates".to_owned())),
        );
        found
    },
    key: KEY,
    older: "updates: false",
    newer: ("newer", r#"key: "right.asc""#),
    first: ("filesystem", "1-1"),
};

fn root(more: &str) -> String {
    OPENSUSE.root_of("minimal", "mirror", more)
}

#[test]
#[ignore = "run with tests/run distro"]
fn every_release() {
    OPENSUSE.every_release("distro::package_managers::zypper::every_release");
}

/// What the image is left with.
#[test]
#[ignore = "run with tests/run distro"]
fn packages_are_installed_upgraded_and_removed() {
    let log = || {
        std::fs::metadata("/var/log/zypper.log")
            .map(|log| log.len())
            .ok()
    };
    let before = log();
    let export = OPENSUSE.lives("suse-lived", "minimal");
    for left in ["run/zypp.pid", "var/cache/zypp/packages"] {
        assert!(export.join(left).symlink_metadata().is_err(), "{left}");
    }
    let repository = read(export.join("etc/zypp/repos.d/repo-oss.repo"));
    assert!(
        repository.contains("gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-opensuse-image\n"),
        "{repository}"
    );
    // Nothing of the host has changed, its log not either.
    assert_eq!(log(), before);
}

#[test]
#[ignore = "run with tests/run distro"]
fn updates_are_there_from_the_start() {
    for release in ["15.6", "tumbleweed"] {
        let name = format!("suse-updated-{release}");
        let recipe = Distro {
            release,
            ..OPENSUSE
        }
        .root("minimal")
            + &*text!(
                r#"root.install(["hello"]);
root.export(#{ format: "dir", name: "{name}" });
"#,
                name
            );
        assert_eq!(
            read(rpms().build(&name, &recipe).join("usr/share/hello")),
            "2\n"
        );
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_script_that_fails_is_a_failure() {
    let recipe = root(KEY) + r#"root.install(["broken"]);"#;
    rpms()
        .failure("suse-broken", &recipe)
        .explains(
            "step 2 failed",
            "the %post script of `broken-1-1.x86_64` failed",
            "what the script said",
        )
        .underlines(r#"root.install(["broken"])"#);
}

#[test]
#[ignore = "run with tests/run distro"]
fn repositories_that_nobody_or_somebody_else_signed_are_refused() {
    let bench = rpms();
    let other = root(r#"keyring: "other.asc""#);
    bench.failure("suse-wrong", &other).explains(
        "step 1 failed",
        "is signed with the key `",
        "give the key that it is signed with",
    );
    let bare = bench.uri("bare/linux/releases/43/Everything/x86_64/os");
    let added = root(KEY)
        + text!(
            r#"root.add_repository(#{ name: "bare", uri: "{bare}", key: "right.asc" });
root.install(["hello"]);"#,
            bare
        )
        .as_str();
    bench
        .failure("suse-bare", &added)
        .explains(
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
#[ignore = "run with tests/run distro"]
fn the_roots_own_zypper_installs_what_comes_later() {
    let recipe = root(KEY).replace(r#""minimal""#, r#""standard""#)
        + r#"root.install(["hello"]);
root.nspawn_run("/usr/bin/rpm --query --all --queryformat '%{NAME} %{VERSION}\n' | sort >/var/packages");
root.remove(["hello"]);
root.export(#{ format: "dir", name: "suse-own" });
"#;
    let export = rpms().build("suse-own", &recipe);
    let packages = read(export.join("var/packages"));
    for package in ["zypper 1\n", "filesystem 1\n", "hello 1\n"] {
        assert!(packages.contains(package), "{packages}");
    }
    assert!(!export.join("usr/share/hello").exists());
}

#[test]
#[ignore = "run with tests/run distro"]
fn packages_of_a_folder() {
    let bench = rpms();
    let of = |variant: &str| root(KEY).replace("minimal", variant);
    OPENSUSE.builds_from_a_folder();
    OPENSUSE.misses_what_is_nowhere(
        "no enabled repository has a package `helo`",
        "add the repository that has it",
    );
    OPENSUSE.refuses_an_empty_folder("rpm");
    // `ours` needs `hello`, whose newest version is in a repository that nobody signed.
    let bare = bench.uri("bare/linux/updates/43/Everything/x86_64");
    let ours = r#"root.install(["ours"], #{ packages_dir: "ours" })"#;
    let recipe = of("minimal")
        + &*text!(
            r#"root.add_repository(#{ name: "bare", uri: "{bare}", key: "right.asc" });
{ours};"#,
            bare,
            ours
        );
    bench
        .failure("suse-folder-bare", &recipe)
        .explains(
            "step 3 failed",
            "the repository `bare` has no signature",
            "sign it",
        )
        .underlines(ours);
}

#[test]
#[ignore = "run with tests/run distro"]
fn keys_of_other_repositories_come_from_the_network() {
    OPENSUSE.takes_keys_from_the_network();
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_mirror_that_is_down() {
    OPENSUSE.goes_on_with_the_next_mirror("etc/zypp/repos.d/repo-oss.repo");
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_mirror_that_only_a_proxy_reaches() {
    OPENSUSE.goes_through_a_proxy();
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_link_in_the_image_leads_nowhere() {
    OPENSUSE.stays_in_the_root();
}

#[test]
#[ignore = "run with tests/run distro"]
fn downloads_of_another_recipe() {
    OPENSUSE.installs_no_package_of_another_recipe(&["suse-x86_64", "suse-noarch"], ".rpm");
}

#[test]
#[ignore = "run with tests/run distro"]
fn packages_by_their_digests() {
    OPENSUSE.installs_fetched_packages(".rpm");
}

#[test]
#[ignore = "run with tests/run distro"]
fn one_unsigned_repository_among_others() {
    OPENSUSE.checks_beside_an_unsigned_repository(
        &["minimal", "standard"],
        (
            r#"bare/linux/updates/43/Everything/x86_64", name: "bare""#,
            r#"wrong/linux/updates/43/Everything/x86_64", name: "wrong", priority: 1"#,
        ),
        (
            "is signed with the key `",
            "give the key that it is signed with",
        ),
    );
}
