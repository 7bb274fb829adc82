//! Fedora's module, and those of the Enterprise Linux family, with the real dnf.

use std::process::Command;

use super::bench::rpms;
use super::distro::{DEAD, Distro};
use crate::support::serve::Server;
use crate::support::{read, run, stdout};

const KEY: &str = r#"keyring: "right.asc""#;

const FEDORA: Distro = Distro {
    name: "fedora",
    release: "43",
    bench: rpms,
    layout: |release| match release {
        "rawhide" => vec![(
            "linux/development/rawhide/Everything/x86_64/os".to_owned(),
            "sets/whole".to_owned(),
        )],
        number => vec![
            (
                format!("linux/releases/{number}/Everything/x86_64/os"),
                "sets/whole".to_owned(),
            ),
            (
                format!("linux/updates/{number}/Everything/x86_64"),
                "sets/updates".to_owned(),
            ),
        ],
    },
    key: KEY,
    older: "updates: false",
    newer: ("newer", r#"key: "right.asc""#),
    first: ("filesystem", "1-1"),
};

/// A distro of the Enterprise Linux family: three repositories, which have everything together.
const ROCKY: Distro = Distro {
    name: "rocky",
    release: "8",
    layout: |release| enterprise(release, release),
    older: "",
    ..FEDORA
};

const ALMALINUX: Distro = Distro {
    name: "almalinux",
    release: "9",
    ..ROCKY
};

const CENTOS: Distro = Distro {
    name: "centos",
    release: "10",
    layout: |release| enterprise(release, &format!("{release}-stream")),
    ..ROCKY
};

fn enterprise(release: &str, folder: &str) -> Vec<(String, String)> {
    let more = if release == "8" { "PowerTools" } else { "CRB" };
    let base = format!("base-{release}");
    [("BaseOS", &*base), ("AppStream", "apps"), (more, "more")]
        .map(|(name, set)| (format!("{folder}/{name}/x86_64/os"), format!("sets/{set}")))
        .to_vec()
}

/// A root without a package manager of its own: the host's dnf installs into it.
fn root(folder: &str, more: &str) -> String {
    FEDORA.root_of("minimal", folder, more)
}

#[test]
#[ignore = "run with tests/run distro"]
fn every_release_of_fedora() {
    FEDORA.every_release("distro::package_managers::dnf::every_release_of_fedora");
}

#[test]
#[ignore = "run with tests/run distro"]
fn every_release_of_the_enterprise_linux_family() {
    for distro in [ROCKY, ALMALINUX, CENTOS] {
        distro.every_release(
            "distro::package_managers::dnf::every_release_of_the_enterprise_linux_family",
        );
    }
}

/// What the image is left with.
#[test]
#[ignore = "run with tests/run distro"]
fn packages_are_installed_upgraded_and_removed() {
    let export = FEDORA.lives("lived", "minimal");
    // Without the host's disks.
    let devices = read(export.join("var/devices"));
    assert!(
        devices.contains("null\n") && !devices.contains("loop"),
        "{devices}"
    );
    for left in [
        "etc/kernel/install.d/51-dracut-rescue.install",
        "root/.rpmdb",
    ] {
        assert!(export.join(left).symlink_metadata().is_err(), "{left}");
    }
    assert_eq!(read(export.join("etc/machine-id")), "");
    // Where this distro's rpm looks, whatever the host's would take.
    assert!(export.join("usr/lib/sysimage/rpm/rpmdb.sqlite").exists());
    let mode = run(Command::new("stat")
        .args(["-c", "%a"])
        .args(["proc", "tmp"].map(|name| export.join(name))));
    assert_eq!(stdout(&mode), "555\n1777\n");
    // The image's own repositories are those that it was made from, with the key beside them.
    let repository = read(export.join("etc/yum.repos.d/fedora.repo"));
    assert!(repository.contains("gpgcheck=1\n"), "{repository}");
    assert!(
        repository.contains("gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-image\n"),
        "{repository}"
    );
    assert_eq!(
        read(export.join("etc/pki/rpm-gpg/RPM-GPG-KEY-newer")),
        read(export.join("etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-image"))
    );
    let cache = std::fs::read_dir(export.join("var/cache/dnf")).unwrap();
    assert_eq!(cache.count(), 0);
}

/// Databases and logs hold times.
#[test]
#[ignore = "run with tests/run distro"]
fn the_script_makes_the_same_root() {
    FEDORA.is_the_same_by_script(&["usr/lib/sysimage/rpm/", "var/lib/dnf/", "var/log/"]);
}

/// What comes after the bootstrap is installed by the root's own dnf, in a container.
#[test]
#[ignore = "run with tests/run distro"]
fn the_roots_own_dnf_installs_what_comes_later() {
    let bench = rpms();
    let recipe = FEDORA.root("standard")
        + r#"root.install(["hello"]);
root.nspawn_run("/usr/bin/rpm --query --all --queryformat '%{NAME} %{VERSION}\n' | sort >/var/packages");
root.export(#{ format: "dir", name: "own" });
"#;
    // What the host's tool has installed is known to the root's own as well.
    let packages = read(bench.build("own", &recipe).join("var/packages"));
    for package in ["dnf 1\n", "filesystem 1\n", "hello 2\n"] {
        assert!(packages.contains(package), "{packages}");
    }
    bench
        .failure("own-needy", &recipe.replace(r#"["hello"]"#, r#"["needy"]"#))
        .explains(
            "step 2 failed",
            "`needy-1-1.x86_64` needs `nowhere-to-be-found`",
            "add the repository",
        )
        .underlines(r#"root.install(["needy"])"#);
}

/// Of a package that is in two streams, each has its own version. The host's dnf knows the
/// platform, which they need, from the release, the root's own from os-release.
#[test]
#[ignore = "run with tests/run distro"]
fn streams_of_modules() {
    let bench = rpms();
    let stream = |stream: &str| {
        text!(
            r#"["greeting"], #{ modules: ["greeting:{stream}"] }"#,
            stream
        )
    };
    let root = ROCKY.root("standard");
    let at_once = root.replace(
        KEY,
        &text!(
            r#"{KEY}, modules: ["greeting:1"], include: ["greeting"]"#,
            KEY
        ),
    ) + r#"root.export(#{ format: "dir", name: "stream-1" });
"#;
    let later = root
        + &*format!(
            "root.install({});\nroot.export(#{{ format: \"dir\", name: \"stream-2\" }});\n",
            stream("2")
        );
    for (name, recipe, version) in [("stream-1", &at_once, "1\n"), ("stream-2", &later, "2\n")] {
        assert_eq!(
            read(bench.build(name, recipe).join("usr/share/greeting")),
            version
        );
    }
    let call = format!("root.install({})", stream("3"));
    bench
        .failure("stream-3", &later.replace(&stream("2"), &stream("3")))
        .explains(
            "step 2 failed",
            "no enabled repository has the module stream or the group `greeting:3`",
            "`dnf module list` shows those of this release",
        )
        .underlines(&call);
}

#[test]
#[ignore = "run with tests/run distro"]
fn updates_are_there_from_the_start() {
    let recipe = root("mirror", &text!(r#"{KEY}, include: ["hello"]"#, KEY))
        + r#"root.export(#{ format: "dir", name: "updated" });"#;
    assert_eq!(
        read(rpms().build("updated", &recipe).join("usr/share/hello")),
        "2\n"
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_foreign_release_is_one_of_its_own() {
    let bench = rpms();
    let recipe = root("mirror", KEY).replace(r#""43""#, r#""99""#)
        + r#"root.export(#{ format: "dir", name: "x" });"#;
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
#[ignore = "run with tests/run distro"]
fn a_package_that_needs_what_is_not_there() {
    let recipe = root("mirror", KEY) + r#"root.install(["needy"]);"#;
    rpms()
        .failure("needy", &recipe)
        .explains(
            "step 2 failed",
            "`needy-1-1.x86_64` needs `nowhere-to-be-found`",
            "add the repository that has it",
        )
        .underlines(r#"root.install(["needy"])"#);
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_script_that_fails_is_a_failure_unless_the_recipe_knows_it() {
    let bench = rpms();
    let recipe = root("mirror", KEY) + r#"root.install(["broken"]);"#;
    bench
        .failure("broken", &recipe)
        .explains(
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
#[ignore = "run with tests/run distro"]
fn packages_that_nobody_signed_are_refused() {
    let bench = rpms();
    bench
        .failure("bare", &root("bare", KEY))
        .explains("step 1 failed", "is not signed", "sign it")
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
    assert!(read(export.join("etc/yum.repos.d/fedora.repo")).contains("gpgcheck=0\n"));
}

#[test]
#[ignore = "run with tests/run distro"]
fn packages_that_another_key_signed_are_refused() {
    let bench = rpms();
    bench.failure("wrong", &root("wrong", KEY)).explains(
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
        .explains(
            "step 1 failed",
            "the index of the repository `fedora` is signed with a key that is not",
            "give the right key",
        );
    bench
        .failure(
            "bare-index",
            &root("bare", &format!("{KEY}, repo_gpgcheck: true")),
        )
        .explains(
            "step 1 failed",
            "the repository `fedora` has no repomd.xml.asc",
            "leave `repo_gpgcheck` out",
        );
    let right = root("mirror", &format!("{KEY}, repo_gpgcheck: true"))
        + r#"root.export(#{ format: "dir", name: "signed" });"#;
    bench.build("signed", &right);
}

/// What was downloaded for one root is there for another, and in neither.
#[test]
#[ignore = "run with tests/run distro"]
fn downloads_are_kept_outside_of_the_image() {
    let bench = rpms().afresh("downloads");
    let server = Server::start(bench.folder.join("mirror"));
    let recipe = |name: &str| {
        root("mirror", KEY).replace(&bench.uri("mirror"), &server.uri())
            + &*text!(
                r#"root.install(["hello"]);
root.write_file("/etc/name", "{name}");
root.export(#{ format: "dir", name: "{name}" });
"#,
                name
            )
    };
    let first = bench.build("cold", &recipe("cold"));
    assert!(server.served("hello-2.rpm") >= 1, "{:?}", server.log());
    let before = server.served(".rpm");
    // Another root: the layers of the first are none of it.
    let second = bench.build(
        "warm",
        &recipe("warm").replace(
            r#"variant: "minimal""#,
            r#"variant: "minimal", recommends: true"#,
        ),
    );
    assert_eq!(server.served(".rpm"), before, "{:?}", server.log());
    for export in [first, second] {
        assert_eq!(read(export.join("usr/share/hello")), "2\n");
        let packages = run(Command::new("find").arg(&export).args(["-name", "*.rpm"]));
        assert_eq!(stdout(&packages), "");
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn packages_of_a_folder() {
    let bench = rpms();
    let of = |variant: &str| root("mirror", KEY).replace("minimal", variant);
    FEDORA.builds_from_a_folder();
    FEDORA.misses_what_is_nowhere(
        "no enabled repository has a package `helo`",
        "add the repository that has it",
    );
    FEDORA.refuses_an_empty_folder("rpm");
    // `ours` needs `hello`, whose newest version is in a repository that nobody signed.
    let bare = bench.uri("bare/linux/updates/43/Everything/x86_64");
    let ours = r#"root.install(["ours"], #{ packages_dir: "ours" })"#;
    for variant in ["minimal", "standard"] {
        let recipe = of(variant).replace(KEY, &format!("{KEY}, updates: false"))
            + &*text!(
                r#"root.add_repository(#{ name: "bare", uri: "{bare}", key: "right.asc" });
{ours};"#,
                bare,
                ours
            );
        bench
            .failure("folder-bare", &recipe)
            .explains(
                "step 3 failed",
                "the package `hello-2.rpm` is not signed",
                "sign it",
            )
            .underlines(ours);
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn keys_of_other_repositories_come_from_the_network() {
    FEDORA.takes_keys_from_the_network();
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_mirror_that_is_down() {
    FEDORA.goes_on_with_the_next_mirror("etc/yum.repos.d/fedora.repo");
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_mirror_that_only_a_proxy_reaches() {
    FEDORA.goes_through_a_proxy();
}

/// A distro of the recipe's own repository, whose mirrors are in lists: a metalink, which says
/// the index's digest, and a mirrorlist. Of each, the first mirror is down.
#[test]
#[ignore = "run with tests/run distro"]
fn lists_of_mirrors() {
    let bench = rpms();
    // The mirror's folders of the release.
    FEDORA.root("minimal");
    let server = Server::start(bench.folder.clone());
    let os = "linux/releases/43/Everything/x86_64/os";
    let index = bench
        .folder
        .join("mirror")
        .join(os)
        .join("repodata/repomd.xml");
    let sum = stdout(&run(Command::new("sha256sum").arg(&index)));
    let sum = sum.split_whitespace().next().unwrap();
    let bytes = std::fs::metadata(&index).unwrap().len();
    let place = format!("{}/mirror/{os}", server.uri());
    let lists = bench.folder.join("lists");
    std::fs::create_dir_all(&lists).unwrap();
    std::fs::create_dir_all(bench.folder.join("distro")).unwrap();
    let metalink = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files><file name="repomd.xml"><mm0:timestamp>1790000000</mm0:timestamp><size>{bytes}</size>
  <verification><hash type="sha256">{sum}</hash></verification>
  <resources maxconnections="1">
   <url protocol="http" type="http" location="US" preference="100">{DEAD}/{os}/repodata/repomd.xml</url>
   <url protocol="http" type="http" location="US" preference="99">{place}/repodata/repomd.xml</url>
  </resources></file></files>
</metalink>
"#
    );
    std::fs::write(lists.join("metalink"), metalink).unwrap();
    std::fs::write(lists.join("mirrorlist"), format!("{DEAD}/{os}\n{place}\n")).unwrap();
    for kind in ["metalink", "mirrorlist"] {
        let uri = format!("{}/lists/{kind}", server.uri());
        let module = text!(
            r#"import "package/dnf" as dnf;
import "distro/fedora" as fedora;
fn bootstrap(root, spec) {
    let table = fedora::table();
    table.distro = "{kind}";
    table.releases["43"].repositories = [#{
        id: "made", name: "Made", file: "made.repo", path: "linux", base: "http://mirror.example.org", {kind}: "{uri}",
    }];
    dnf::bootstrap(root, spec, table);
}
fn install(root, packages, opts) { dnf::install(root, packages, opts); }
fn boot_files(root) { fedora::boot_files(root) }
"#,
            kind,
            uri
        );
        std::fs::write(bench.folder.join(format!("distro/{kind}.rhai")), module).unwrap();
        let recipe = text!(
            r#"let root = bootstrap(#{ distro: "{kind}", release: "43", variant: "minimal", {KEY} });
root.install(["tool"]);
root.export(#{ format: "dir", name: "{kind}" });
"#,
            kind,
            KEY
        );
        let before = server.served("repomd.xml");
        let export = bench.build(kind, &recipe);
        assert_eq!(read(export.join("usr/share/tool")), "1\n");
        assert!(
            server.served(&format!("lists/{kind}")) > 0,
            "{:?}",
            server.log()
        );
        assert!(server.served("repomd.xml") > before, "{:?}", server.log());
        let file = read(export.join("etc/yum.repos.d/made.repo"));
        assert!(
            file.contains(&format!("{kind}={uri}\n")) && !file.contains("baseurl"),
            "{file}"
        );
        // What the doctor asks is in the lists, too.
        bench
            .failure(
                &format!("{kind}-missing"),
                &recipe.replace(r#""tool""#, r#""tol""#),
            )
            .explains(
                "there is no package `tol`",
                "no package and no provided name is called that in made",
                "did you mean `tool`?",
            )
            .underlines(r#""tol""#);
    }
    // An index that is not the one of the metalink is not taken.
    let metalink = std::fs::read_to_string(lists.join("metalink")).unwrap();
    std::fs::write(
        lists.join("metalink"),
        metalink.replace(sum, &"0".repeat(64)),
    )
    .unwrap();
    let recipe = text!(
        r#"bootstrap(#{ distro: "metalink", release: "43", variant: "minimal", {KEY}, include: ["tool"] });
"#,
        KEY
    );
    bench.failure("metalink-other", &recipe).explains(
        "step 1 failed",
        "the index of `made` is in the middle of an update",
        "set `mirror` to another one",
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_link_in_the_image_leads_nowhere() {
    FEDORA.stays_in_the_root();
}

#[test]
#[ignore = "run with tests/run distro"]
fn downloads_of_another_recipe() {
    FEDORA.installs_no_package_of_another_recipe(&["rpm"], ".rpm");
}

#[test]
#[ignore = "run with tests/run distro"]
fn packages_by_their_digests() {
    FEDORA.installs_fetched_packages(".rpm");
}

#[test]
#[ignore = "run with tests/run distro"]
fn one_unsigned_repository_among_others() {
    // The made root has no gpg: its own dnf refuses every new key.
    FEDORA.checks_beside_an_unsigned_repository(
        &["minimal"],
        (
            r#"bare/linux/updates/43/Everything/x86_64", name: "bare""#,
            r#"wrong/linux/updates/43/Everything/x86_64", name: "wrong", priority: 1"#,
        ),
        ("is signed with another key", "give the key"),
    );
}
