//! A root of another architecture than the host's, from the host's own mirror: programs of it run
//! through qemu-user-static, which is registered with the kernel for as long as the test runs.
//! Root privileges, mmdebstrap, qemu-user-static, network.

use std::path::Path;
use std::process::Command;

use crate::support::{Project, rootwright, run, stderr, stdout};

/// The root is only unpacked: a command in it is what is looked at.
const RECIPE: &str = r#"let root = bootstrap(#{
    distro: "debian", release: "bookworm", arch: "arm64", variant: "extract",
    include: ["base-files", "busybox-static"], updates: false, security: false,
});
root.nspawn_run(["/bin/busybox", "sh", "-euc", `test "$(busybox uname -m)" = aarch64`], #{ network: false });
"#;

/// The kernel's list of interpreters, in a place of its own.
struct Binfmt {
    folder: tempfile::TempDir,
    name: String,
}

impl Binfmt {
    fn mount() -> Option<Binfmt> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "binfmt_misc", "none"]).arg(folder.path());
        let name = format!("rootwright-{}", std::process::id());
        mount
            .status()
            .unwrap()
            .success()
            .then_some(Binfmt { folder, name })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Whether programs for 64-bit ARM run already.
    fn has_arm(&self) -> bool {
        let entries = std::fs::read_dir(self.path()).unwrap().flatten();
        entries
            .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
            .any(|text| text.contains("aarch64"))
    }

    /// As qemu-binfmt-conf.sh of QEMU has it, with the interpreter opened now (F).
    fn register(&self) {
        let magic = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00";
        let mask =
            r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";
        let line = format!(
            ":{}:M::{magic}:{mask}:/usr/bin/qemu-aarch64-static:F",
            self.name
        );
        std::fs::write(self.path().join("register"), line).unwrap();
    }
}

impl Drop for Binfmt {
    fn drop(&mut self) {
        let _ = std::fs::write(self.path().join(&self.name), "-1");
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn an_arm_root_is_made_and_runs() {
    let Some(binfmt) = Binfmt::mount() else {
        eprintln!(
            "SKIPPED: binfmt_misc cannot be mounted here: no program of another architecture runs"
        );
        return;
    };
    let project = Project::new();
    project.write("recipe.rhai", RECIPE);
    let command = |verb: &str| {
        let mut command = rootwright();
        command
            .current_dir(project.path())
            .args([verb, "recipe.rhai", "--store", "store"]);
        command
    };
    if !binfmt.has_arm() {
        // Where the host has an emulator of its own, there is nothing to refuse.
        let refused = command("build").output().unwrap();
        let said = stderr(&refused);
        assert_eq!(refused.status.code(), Some(1), "{}{said}", stdout(&refused));
        for words in [
            "this host cannot run programs for aarch64",
            "recipe.rhai:2:",
            "no interpreter for aarch64 is registered with binfmt_misc",
            "install an emulator that registers itself with binfmt_misc",
            "qemu-user-static",
        ] {
            assert!(said.contains(words), "no `{words}` in\n{said}");
        }
        assert!(!said.contains("1. bootstrap"), "{said}");
        binfmt.register();
    }
    run(&mut command("build"));
}
