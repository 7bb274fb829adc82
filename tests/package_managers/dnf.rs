//! Fedora's module with the real dnf.

use std::process::Command;

use crate::bench::{listing, read, rpms};
use crate::common::serve::Server;
use crate::common::verified::{Level, verified};
use crate::common::{run, stdout};

/// A root without a package manager of its own: the host's dnf installs into it.
fn root(folder: &str, more: &str) -> String {
    let mirror = rpms().uri(folder);
    format!(
        r#"let root = bootstrap(#{{ distro: "fedora", release: "43", variant: "minimal", mirror: "{mirror}", {more} }});
"#
    )
}

const KEY: &str = r#"keyring: "right.asc""#;

#[test]
fn packages_are_installed_upgraded_and_removed() {
    let bench = rpms();
    let newer = bench.uri("newer");
    let recipe = root("mirror", &format!("{KEY}, updates: false"))
        + r#"root.install(["hello"]);
root.nspawn_run("cp /usr/share/hello /var/first");
"# + format!(
        r#"root.add_repository(#{{ name: "newer", uri: "{newer}", key: "right.asc" }});
root.upgrade();
root.nspawn_run("cp /usr/share/hello /var/second");
root.remove(["hello"]);
root.clean();
root.export(#{{ format: "dir", name: "upgraded" }});
"#
    )
    .as_str();
    let export = bench.build("upgraded", &recipe);
    assert_eq!(read(&export, "var/first"), "1\n");
    assert_eq!(read(&export, "var/second"), "2\n");
    assert!(!export.join("usr/share/hello").exists());
    // The scripts of both ran, with /dev/null, /proc and /sys, and without the host's disks.
    assert_eq!(read(&export, "var/scripts"), "hello 1\nhello 2\n");
    let devices = read(&export, "var/devices");
    assert!(
        devices.contains("null\n") && !devices.contains("loop"),
        "{devices}"
    );
    for left in [
        ".rootwright",
        "etc/kernel/install.d/50-dracut.install",
        "root/.rpmdb",
        "etc/resolv.conf",
    ] {
        assert!(export.join(left).symlink_metadata().is_err(), "{left}");
    }
    assert_eq!(read(&export, "etc/machine-id"), "");
    // Where this distro's rpm looks, whatever the host's would take.
    assert!(export.join("usr/lib/sysimage/rpm/rpmdb.sqlite").exists());
    let mode = run(Command::new("stat")
        .args(["-c", "%a"])
        .args(["proc", "tmp"].map(|name| export.join(name))));
    assert_eq!(stdout(&mode), "555\n1777\n");
    // The image's own repositories are those that it was made from, with the key beside them.
    let repository = read(&export, "etc/yum.repos.d/fedora.repo");
    assert!(repository.contains("gpgcheck=1\n"), "{repository}");
    assert!(
        repository.contains("gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-image\n"),
        "{repository}"
    );
    assert_eq!(
        read(&export, "etc/pki/rpm-gpg/RPM-GPG-KEY-newer"),
        read(&export, "etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-image")
    );
    let leftovers: Vec<_> = std::fs::read_dir(export.join("var/cache/dnf"))
        .unwrap()
        .collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    verified(
        "fedora",
        "43",
        Level::MadeRepository,
        "package_managers::dnf::packages_are_installed_upgraded_and_removed",
    );
}

#[test]
fn updates_are_there_from_the_start() {
    let recipe = root("mirror", &format!("{KEY}, include: [\"hello\"]"))
        + r#"root.export(#{ format: "dir", name: "updated" });"#;
    assert_eq!(
        read(&rpms().build("updated", &recipe), "usr/share/hello"),
        "2\n"
    );
}

#[test]
fn a_foreign_release_is_one_of_its_own() {
    let bench = rpms();
    let recipe = root("mirror", KEY).replace("\"43\"", "\"99\"")
        + "root.export(#{ format: \"dir\", name: \"x\" });";
    let plan = bench.plan("foreign", &recipe, "text");
    assert!(
        plan.contains("the release `99` of Fedora is not known to this stdlib"),
        "{plan}"
    );
    assert!(plan.contains("--releasever=99"), "{plan}");
    assert!(
        plan.contains("linux/releases/99/Everything/x86_64/os"),
        "{plan}"
    );
}

#[test]
fn a_package_that_is_not_there() {
    let recipe = root("mirror", KEY) + r#"root.install(["helo"]);"#;
    rpms()
        .failure("missing", &recipe)
        .because(
            "there is no package `helo`",
            "in fedora, updates",
            "did you mean `hello`?",
        )
        .underlines("\"helo\"");
}

#[test]
fn a_package_that_needs_what_is_not_there() {
    let recipe = root("mirror", KEY) + r#"root.install(["needy"]);"#;
    rpms()
        .failure("needy", &recipe)
        .because(
            "step 2 failed",
            "`needy-1-1.x86_64` needs `nowhere-to-be-found`",
            "add the repository that has it",
        )
        .underlines(r#"root.install(["needy"])"#);
}

#[test]
fn a_script_that_fails_is_a_failure_unless_the_recipe_knows_it() {
    let bench = rpms();
    let recipe = root("mirror", KEY) + r#"root.install(["broken"]);"#;
    bench
        .failure("broken", &recipe)
        .because(
            "step 2 failed",
            "the %post script of `broken-1-1.x86_64` failed",
            "what the script said",
        )
        .underlines(r#"root.install(["broken"])"#);
    let known = recipe.replace(
        r#"["broken"]"#,
        r#"["broken"], #{ scripts_may_fail: ["broken"] }"#,
    );
    bench.build(
        "known",
        &(known + r#"root.export(#{ format: "dir", name: "known" });"#),
    );
}

#[test]
fn packages_that_nobody_signed_are_refused() {
    let bench = rpms();
    bench
        .failure("bare", &root("bare", KEY))
        .because("step 1 failed", "is not signed", "sign it")
        .underlines(
            root("bare", KEY)
                .trim_start_matches("let root = ")
                .trim_end_matches(";\n"),
        );
    let allowed = root("bare", r#"allow_unsigned: "made by this test""#);
    let plan = bench.plan("allowed", &allowed, "text");
    assert!(plan.contains("made by this test"), "{plan}");
    let export = bench.build(
        "allowed",
        &(allowed + r#"root.export(#{ format: "dir", name: "allowed" });"#),
    );
    assert!(read(&export, "etc/yum.repos.d/fedora.repo").contains("gpgcheck=0\n"));
}

#[test]
fn packages_that_another_key_signed_are_refused() {
    let bench = rpms();
    bench.failure("wrong", &root("wrong", KEY)).because(
        "step 1 failed",
        "is signed with another key",
        "give the key",
    );
    // The same for the index, where it is asked to be signed.
    bench
        .failure(
            "wrong-index",
            &root("wrong", &format!("{KEY}, repo_gpgcheck: true")),
        )
        .because(
            "step 1 failed",
            "the index of the repository `fedora` is signed with a key that is not",
            "give the right key",
        );
    bench
        .failure(
            "bare-index",
            &root("bare", &format!("{KEY}, repo_gpgcheck: true")),
        )
        .because(
            "step 1 failed",
            "the repository `fedora` has no repomd.xml.asc",
            "leave `repo_gpgcheck` out",
        );
    let right = root("mirror", &format!("{KEY}, repo_gpgcheck: true"))
        + r#"root.export(#{ format: "dir", name: "signed" });"#;
    bench.build("signed", &right);
}

/// `plan --format sh` makes the same root without rootwright.
#[test]
fn the_script_makes_the_same_root() {
    let bench = rpms();
    let recipe = root("mirror", &format!("{KEY}, include: [\"hello\"]"))
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
    // Databases and logs hold times.
    let volatile = ["usr/lib/sysimage/rpm/", "var/lib/dnf/", "var/log/"];
    assert_eq!(
        listing(&export, &volatile),
        listing(&by_script.join("same/root"), &volatile)
    );
}

/// What comes after the bootstrap is installed by the root's own dnf, in a container.
#[test]
fn the_roots_own_dnf_installs_what_comes_later() {
    let bench = rpms();
    let newer = bench.uri("newer");
    let recipe = root("mirror", &format!("{KEY}, updates: false"))
        .replace("\"minimal\"", "\"standard\"")
        + r#"root.install(["hello"]);
root.nspawn_run("cp /usr/share/hello /var/first");
"# + format!(
        r#"root.add_repository(#{{ name: "newer", uri: "{newer}", key: "right.asc" }});
root.nspawn_run("/usr/bin/rpm --query --all --queryformat '%{{NAME}} %{{VERSION}}\n' | sort >/var/packages");
root.remove(["hello"]);
root.clean();
root.export(#{{ format: "dir", name: "own" }});
"#
    )
    .as_str();
    let export = bench.build("own", &recipe);
    assert_eq!(read(&export, "var/first"), "1\n");
    assert!(!export.join("usr/share/hello").exists());
    let packages = read(&export, "var/packages");
    // What the host's tool has installed is known to the root's own as well.
    for package in ["dnf 1\n", "filesystem 1\n", "hello 1\n"] {
        assert!(packages.contains(package), "{packages}");
    }
    let manifest: serde_json::Value =
        serde_json::from_str(&read(&export, "../manifest.json")).unwrap();
    let names: Vec<&str> = manifest["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    assert!(
        names.contains(&"dnf") && !names.contains(&"hello"),
        "{names:?}"
    );
    let missing = recipe.replace("[\"hello\"]);\nroot.nspawn", "[\"needy\"]);\nroot.nspawn");
    bench
        .failure("own-needy", &missing)
        .because(
            "step 2 failed",
            "`needy-1-1.x86_64` needs `nowhere-to-be-found`",
            "add the repository",
        )
        .underlines(r#"root.install(["needy"])"#);
}

/// What was downloaded for one root is there for another, and in neither.
#[test]
fn downloads_are_kept_outside_of_the_image() {
    let bench = rpms();
    let server = Server::start(bench.folder.join("mirror"));
    let recipe = |name: &str| {
        root("mirror", KEY).replace(&bench.uri("mirror"), &server.uri())
            + &*format!(
                "root.install([\"hello\"]);\nroot.write_file(\"/etc/name\", \"{name}\");\nroot.export(#{{ format: \"dir\", name: \"{name}\" }});\n"
            )
    };
    let first = bench.build("cold", &recipe("cold"));
    assert!(server.served("hello-2.rpm") >= 1, "{:?}", server.log());
    let before = server.served(".rpm");
    // Another root: the layers of the first are none of it.
    let second = bench.build(
        "warm",
        &recipe("warm").replace(
            "variant: \"minimal\"",
            "variant: \"minimal\", recommends: true",
        ),
    );
    assert_eq!(server.served(".rpm"), before, "{:?}", server.log());
    for export in [first, second] {
        assert_eq!(read(&export, "usr/share/hello"), "2\n");
        let packages = run(Command::new("find").arg(&export).args(["-name", "*.rpm"]));
        assert_eq!(stdout(&packages), "");
    }
}

#[test]
fn packages_of_a_folder() {
    let bench = rpms();
    let of = |variant: &str| root("mirror", KEY).replace("minimal", variant);
    bench.builds_from_a_folder("folder", of);
    bench.misses_what_is_nowhere(
        "folder-missing",
        &of("minimal"),
        "no enabled repository has a package `helo`",
        "add the repository that has it",
    );
    bench.refuses_an_empty_folder("folder-empty", &of("minimal"), "rpm");
    // `ours` needs `hello`, whose newest version is in a repository that nobody signed.
    let bare = bench.uri("bare/linux/updates/43/Everything/x86_64");
    let ours = r#"root.install(["ours"], #{ packages_dir: "ours" })"#;
    for variant in ["minimal", "standard"] {
        let recipe = of(variant).replace(KEY, &format!("{KEY}, updates: false"))
            + &*format!(
                "root.add_repository(#{{ name: \"bare\", uri: \"{bare}\", key: \"right.asc\" }});\n{ours};"
            );
        bench
            .failure("folder-bare", &recipe)
            .because(
                "step 3 failed",
                "the package `hello-2.rpm` is not signed",
                "sign it",
            )
            .underlines(ours);
    }
}
