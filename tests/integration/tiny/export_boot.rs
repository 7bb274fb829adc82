//! What boots an export: the command line for the dracut that the root holds, and the texts
//! for boot loaders. dracut itself is a stand-in here, because what counts is its version;
//! boot/debian runs the real one.

use crate::support::Project;

/// What a distro module says of dracut, and a root in which `dracut` copies its arguments.
const FACTS: &str = r##"
fn dracut_facts(root) {
    #{ network: "network-legacy", initramfs: "/boot/initrd-", after: (), packages: #{
        dracut: "d", network: "n", nfs: "nfs", rpcbind: "r", ps: "p", kernel: "k",
    } }
}
"##;

fn recipe(version: &str, dracut: &str, exports: &str) -> String {
    text!(
        r##"
let root = bootstrap(#{ distro: "tiny" });
root.write_file("/usr/bin/dracut", `#!/bin/sh
if [ "$1" = --version ]; then echo "dracut {version}"; exit; fi
for last; do true; done
echo "$@" >"$last"
`, #{ mode: 0o755 });
root.write_file("/usr/bin/lsinitrd", "#!/bin/sh\nsed 's/ /\\n/g' \"$2\"\n", #{ mode: 0o755 });
for name in ["find", "sed", "tee"] { root.symlink("/bin/" + name, "busybox"); }
for path in ["/usr/lib/modules/6.1/modules.dep", "/usr/lib/dracut/modules.d/90livenet/module-setup.sh", "/usr/lib/dracut/modules.d/95nfs/module-setup.sh", "/usr/bin/curl", "/usr/sbin/dmsetup", "/sbin/mount.nfs", "/sbin/rpcbind", "/bin/pgrep", "/usr/lib/modules/6.1/erofs.ko.xz"] {
    root.write_file(path, "");
}
root.symlink("/lib/modules", "/usr/lib/modules");
root.write_file("/boot/vmlinuz-6.1", "kernel");
root.dracut(#{ {dracut} });
{exports}
"##,
        version,
        dracut,
        exports
    )
}

fn project() -> Project {
    let project = Project::new();
    let module = project.read("distro/tiny.rhai");
    project.write("distro/tiny.rhai", &format!("{module}{FACTS}"));
    project
}

const BOTH: &str = r#"transports: ["nfs", "http"], overlay: #{ size: "25%" }, cmdline: "quiet""#;

const EXPORTS: &str = r#"
root.export(#{ format: "squashfs", name: "image", server: "192.0.2.1" });
root.export(#{ format: "nfs", name: "nodes", server: "192.0.2.1", path: "/srv/nodes", clients: "192.0.2.0/24" });
"#;

#[test]
#[ignore = "run with tests/run tiny"]
fn the_command_line_is_for_the_dracut_in_the_root() {
    let project = project();
    let image = "root=live:http://192.0.2.1/image/root.squashfs rd.live.image ip=dhcp rd.neednet=1 rootwright.overlay=0";
    for (version, overlay) in [
        ("051", "rd.live.overlay.overlayfs=1"),
        ("057-44.git20230822.el9", "rd.live.overlay.overlayfs=1"),
        ("059-4", "rd.live.overlay.overlayfs=1"),
        ("060+5-1ubuntu3", "rd.live.overlay.overlayfs=1"),
        ("106-6", "rd.live.overlay.overlayfs=1"),
        ("110-1", "rd.overlay=1"),
        ("111", "rd.overlay=tmpfs:size=25%"),
        ("112-3.fc44", "rd.overlay=tmpfs:size=25%"),
    ] {
        let out = project
            .recipe(recipe(version, BOTH, EXPORTS))
            .build()
            .success();
        assert_eq!(
            project.read("out/image/cmdline"),
            format!("{image} {overlay} quiet\n"),
            "{version}: {}",
            crate::support::stderr(&out)
        );
        // Our own module behaves alike on all of them.
        let number = std::fs::read_link(project.out().join("nodes/current")).unwrap();
        assert_eq!(
            project.read("out/nodes/current/cmdline"),
            format!(
                "root=nfs4:192.0.2.1:/srv/nodes/{}/tree/root:vers=4.1,ro ip=dhcp rd.neednet=1 rootwright.overlay=size=25% quiet\n",
                number.display()
            ),
        );
    }
    let arguments = project.read("out/image/initramfs.img");
    for module in [
        "nfs",
        "livenet",
        "dmsquash-live",
        "network-legacy",
        "rootwright-overlay",
    ] {
        assert!(
            arguments.split(' ').any(|word| word == module),
            "{arguments}"
        );
    }
    assert!(arguments.contains("--add-drivers erofs"), "{arguments}");

    let output = project
        .recipe(recipe("049", BOTH, EXPORTS))
        .build()
        .output();
    assert!(!output.status.success());
    let said = crate::support::stderr(&output);
    assert!(
        said.contains("dracut 49 cannot boot a file system"),
        "{said}"
    );
    assert!(said.contains("recipe.rhai:"), "{said}");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn boot_loaders_get_their_texts() {
    let project = project();
    project
        .recipe(recipe("059", BOTH, EXPORTS))
        .build()
        .success();
    let cmdline = project.read("out/nodes/1/cmdline");
    let text = |name: &str| project.read(&format!("out/nodes/1/{name}"));
    assert!(text("boot.ipxe").ends_with(&format!(
        "\nkernel http://192.0.2.1/nodes/1/vmlinuz initrd=initramfs.img {cmdline}initrd --name initramfs.img http://192.0.2.1/nodes/1/initramfs.img\nboot\n"
    )));
    assert!(text("grub.cfg").contains(&format!(
        "    linux /nodes/1/vmlinuz {cmdline}    initrd /nodes/1/initramfs.img\n"
    )));
    assert!(text("pxelinux.cfg").contains(&format!(
        "    KERNEL /nodes/1/vmlinuz\n    INITRD /nodes/1/initramfs.img\n    APPEND {cmdline}"
    )));
    assert!(text("exports").ends_with(
        r#""/srv/nodes" 192.0.2.0/24(ro,no_root_squash,no_subtree_check)
"#
    ));
    assert!(text("ganesha.conf").contains(
        r#"    Path = "/srv/nodes";
"#
    ));
    assert!(!project.out().join("image/exports").exists());
    assert!(
        project
            .read("out/image/pxelinux.cfg")
            .contains("INITRD /image/initramfs.img")
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_root_as_an_initramfs_boots_itself() {
    let project = Project::new();
    project
        .recipe(
            r#"let root = bootstrap(#{ distro: "tiny" });
root.export(#{ format: "cpio", name: "ram", compress: "xz" });
"#,
        )
        .build()
        .success();
    assert_eq!(project.read("out/ram/cmdline"), "rdinit=/sbin/init\n");
    assert!(
        project
            .read("out/ram/boot.ipxe")
            .contains("initrd --name root.cpio.xz http://SERVER/ram/root.cpio.xz\n")
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_initramfs_for_one_transport_boots_no_export_of_the_other() {
    let project = project();
    let nfs = r#"transports: ["nfs"]"#;
    project
        .recipe(recipe("059", nfs, EXPORTS))
        .build()
        .success();
    assert!(!project.out().join("image/cmdline").exists());
    assert!(project.out().join("nodes/1/cmdline").exists());
    let plan = crate::support::rootwright()
        .current_dir(project.path())
        .args(["plan", "recipe.rhai", "--allow-host-run"])
        .output()
        .unwrap();
    let said = crate::support::stdout(&plan)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(
        said.contains("the initramfs cannot get at a `squashfs` export"),
        "{said}"
    );
    assert!(said.contains(r#"transports: ["nfs", "http"]"#), "{said}");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_spec_that_cannot_be_is_refused_where_it_stands() {
    let project = Project::new();
    for (spec, message, help) in [
        (
            r#"format: "squash""#,
            "there is no export format `squash`",
            "did you mean `squashfs`?",
        ),
        (
            r#"format: "erofs", compress: "gzip""#,
            "`gzip` is no compression of `erofs`",
            "it takes `lz4hc`, `lz4`, `zstd` and `none`",
        ),
        (
            r#"format: "nfs", version: "current""#,
            "`current` is no name for a version",
            "letters, digits",
        ),
        (r#"format: "nfs", keep: 0"#, "`keep`", "a number from 1 on"),
        (
            r#"format: "nfs", share: "all""#,
            "`all` is no way to share files",
            "`links` or `blocks`",
        ),
        (r#"format: "dir", keep: 2"#, "has no field `keep`", "it has"),
        (
            r#"format: "nfs", server: "a b""#,
            "`a b` cannot be part of a kernel command line",
            "",
        ),
        (
            r#"format: "nfs", path: "srv""#,
            "`srv` does not start with `/`",
            "",
        ),
        (
            r#"format: "nfs", clients: "*(rw)""#,
            "`*(rw)` names no clients as exports(5) does",
            "",
        ),
        (r#"format: "ext4", size: "big""#, "`size`", "a size such as"),
        (
            r#"format: "oci", layers: "two""#,
            "`two` is no way to make layers",
            "`one`, or `steps`",
        ),
    ] {
        let recipe = text!(
            r#"let root = bootstrap(#{ distro: "tiny" });
root.export(#{ name: "x", {spec} });
"#,
            spec
        );
        project.write("recipe.rhai", &recipe);
        let output = crate::support::rootwright()
            .current_dir(project.path())
            .args(["plan", "recipe.rhai", "--allow-host-run"])
            .output()
            .unwrap();
        let said = crate::support::stderr(&output).replace("\n", " ");
        assert_eq!(output.status.code(), Some(1), "{spec}");
        assert!(said.contains(message), "{spec}: {said}");
        assert!(said.contains(help), "{spec}: {said}");
        assert!(said.contains("recipe.rhai:2:"), "{spec}: {said}");
    }
}
