//! A hostile recipe stores a package for the next one, which apt installs. The tests of the other
//! package managers are in package_managers/. Root privileges, mmdebstrap.

use std::process::Command;

use super::keyrings::archive;
use crate::support::{run, stdout};

/// apt takes any file of the right name and size from its folder.
#[test]
#[ignore = "run with tests/run distro"]
fn apt_gets_no_package_of_another_recipe() {
    let archive = archive();
    let package = |word: &str| {
        let file = archive.path("packages/tool/usr/share/tool");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, word).unwrap();
        archive.packages(&["tiny-root", "made-keyring", "tool"]);
        archive.sign("archive");
        std::fs::read(archive.path("archive/pool/tool_1_amd64.deb")).unwrap()
    };
    let evil = package("evil\n");
    let good = package("good\n");
    assert_eq!(evil.len(), good.len(), "or apt would notice");
    std::fs::write(archive.path("evil.deb"), &evil).unwrap();
    let root = |include: &str| {
        text!(
            r#"let root = bootstrap(#{ distro: "made", release: "bookworm", arch: "amd64", variant: "extract", include: ["tiny-root"{include}] });
"#,
            include
        )
    };
    let attack = root("")
        + r#"root.copy_in("evil.deb", "/evil.deb");
root.nspawn_run("busybox cp /evil.deb /pool/tool_1_amd64.deb; busybox chmod 666 /pool/*.deb", #{ downloads: [#{ pool: "deb", path: "/pool", suffix: ".deb", checked: true }] });
"#;
    archive.project.write("attack.rhai", &attack);
    archive.command(&["build", "attack.rhai"]).success();
    let stored = |name: &str| {
        let pool = std::fs::read_dir(archive.path("store/packages/deb")).unwrap();
        let mut names = pool.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.any(|stored| stored.ends_with(name))
    };
    assert!(stored("-tool_1_amd64.deb"));
    let victim = root(r#", "tool""#)
        + r#"root.nspawn_run("busybox grep good /usr/share/tool", #{ network: false });"#;
    archive.project.write("victim.rhai", &victim);
    archive.command(&["build", "victim.rhai"]).success();
}

/// A Debian from the host's own mirror: apt installs a file that `fetch` names by its digest, and a
/// repository without signatures leaves those beside it checked.
#[test]
#[ignore = "run with tests/run distro"]
fn apt_verifies_each_package_by_its_own_source() {
    let archive = archive();
    for name in ["tool", "made"] {
        let file = archive.path(&format!("packages/{name}/usr/share/{name}"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "of a package\n").unwrap();
    }
    archive.packages(&["tiny-root", "made-keyring", "tool", "made"]);
    archive.sign("archive");
    archive.key("other");
    let made = archive.path("archive/pool/made_1_amd64.deb");
    let sum = stdout(&run(Command::new("sha256sum").arg(&made)));
    let sum = sum.split_whitespace().next().unwrap();
    let (made, beside) = (made.display(), archive.path("beside"));
    run(Command::new("cp")
        .arg("-a")
        .args([&archive.path("archive"), &beside]));
    let (uri, beside) = (archive.uri(), beside.display());
    let recipe = text!(
        r#"let root = bootstrap(#{ distro: "debian", release: "bookworm", variant: "apt", updates: false, security: false });
root.add_repository(#{ name: "bare", uri: "{uri}", suites: ["bookworm"], allow_unsigned: "made by this test" });
root.install([fetch("file://{made}", #{ sha256: "{sum}" }), "tool"]);
root.nspawn_run("cat /usr/share/tool /usr/share/made; ! ls -d /.rootwright-files", #{ network: false });
"#,
        uri,
        made,
        sum
    );
    archive.project.write("recipe.rhai", &recipe);
    archive.command(&["build", "recipe.rhai"]).success();
    let signed = recipe
        + &*text!(
            r#"root.add_repository(#{ name: "signed", uri: "file://{beside}", suites: ["bookworm"], key: "other.gpg" });
"#,
            beside
        );
    archive.project.write("recipe.rhai", &signed);
    let refused = archive.command(&["build", "recipe.rhai"]).output();
    assert_eq!(refused.status.code(), Some(1), "{}", refused.err());
    let said = refused.err();
    assert!(said.contains("recipe.rhai:5:"), "{said}");
    assert!(said.contains("a key that the keyring lacks"), "{said}");
}
