//! A hostile recipe stores a package for the next one, which apt installs. The tests of the other
//! package managers are in package_managers/. Root privileges, mmdebstrap.

use super::keyrings::archive;

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
