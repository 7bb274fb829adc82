//! `expect_boot` and `rootwright boot` where nothing can boot: a build fails at the call. The boots
//! that go well are in boot/debian.

use std::process::Command;

use crate::plan::expect_boot::project;
use crate::support::{rootwright, stderr, tiny};

/// No kernel is beside the export: that is found before anything is started.
#[test]
#[ignore = "run with tests/run tiny"]
fn a_build_fails_at_the_call_when_its_export_does_not_boot() {
    let project = project();
    let recipe = tiny(
        r#"let e = root.export(#{ format: "nfs", name: "e" });
e.expect_boot();
"#,
    );
    let build = project.recipe(&recipe).build();
    build
        .args(["--stdlib", "stdlib"])
        .failure()
        .stderr_contains([
            "boots no node",
            "recipe.rhai:3:",
            "e.expect_boot();",
            "there is no kernel beside it",
            "a node needs a kernel, `dracut` with the transport",
            "nodes that boot from now on get version 1",
            "rootwright export rollback e --out",
        ]);
    // What was exported is there to be looked at.
    assert!(project.out().join("e/1/root/etc/passwd").exists());
}

/// The head of a kernel for x86_64: enough to be taken for one.
fn with_kernel(rest: &str) -> String {
    let head = format!("{}HdrS{}", "x".repeat(0x202), "x".repeat(512));
    tiny(&text!(
        r#"root.make_dir("/lib/modules/1");
root.write_file("/lib/modules/1/modules.dep", "");
root.write_file("/boot/vmlinuz-1", "{head}");
root.write_file("/boot/initrd-1", "x");
{rest}"#,
        head,
        rest
    ))
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_tree_that_cannot_be_served_is_told_at_once() {
    let project = project();
    let recipe = with_kernel(
        r#"root.export(#{ format: "dir", name: "nodes" });
"#,
    );
    project
        .recipe(&recipe)
        .build()
        .args(["--stdlib", "stdlib"])
        .success();
    let script = r#"mkdir m t && mount -t tmpfs t t && mkdir t/u t/w && mount -t overlay o -o lowerdir=out,upperdir=t/u,workdir=t/w m && exec "$@""#;
    let mut boot = Command::new("unshare");
    boot.current_dir(project.path()).env("NO_COLOR", "1");
    boot.args([
        "--mount",
        "sh",
        "-euc",
        script,
        "sh",
        env!("CARGO_BIN_EXE_rootwright"),
    ]);
    boot.args(["boot", "m/nodes", "--store", "store"]);
    let output = boot.output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "NFS cannot be served on this host",
        "its file system has no file handles, as an overlay has none",
        "keep it on ext4, XFS, btrfs or a tmpfs",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_boots_no_node_is_not_booted() {
    let project = project();
    let recipe = with_kernel(
        r#"root.export(#{ format: "tar", name: "archive", compress: "none" });
"#,
    );
    project
        .recipe(&recipe)
        .build()
        .args(["--stdlib", "stdlib"])
        .success();
    let boot = |target: &str| {
        let mut boot = rootwright();
        boot.current_dir(project.path())
            .args(["boot", target, "--store", "store", "--stdlib", "stdlib"])
            .arg("--allow-host-run");
        let output = boot.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    let said = boot("out/archive");
    assert!(
        said.contains("an export in the format `tar` is no root for a node"),
        "{said}"
    );
    assert!(
        said.contains("in the format `nfs`, `dir`, `squashfs`, `erofs` or `cpio`"),
        "{said}"
    );
    let said = boot("recipe.rhai");
    assert!(
        said.contains("the recipe exports nothing that boots this way"),
        "{said}"
    );
    assert!(said.contains("it exports `archive`"), "{said}");
    let said = boot("out/nowhere");
    assert!(said.contains("is no export"), "{said}");
}
