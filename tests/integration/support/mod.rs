//! What several test programs need.
pub mod archive;
pub mod boots;
pub mod failure;
pub mod plans;
pub mod serve;
pub mod stdlib;
pub mod verified;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
pub fn rootwright() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rootwright"));
    command.env("NO_COLOR", "1").env_remove("ROOTWRIGHT_STORE");
    command
}

/// Whether a run may take longer than CI has.
pub fn long() -> bool {
    std::env::var_os("ROOTWRIGHT_LONG").is_some()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        stdout(&output),
        stderr(&output)
    );
    output
}

/// A distro of one static program: roots in which commands run, made in no time and
/// without a network. `bootstrap` may be told to leave /etc/resolv.conf in some state.
const TINY: &str = r#"
fn bootstrap(root, spec) {
    let s = fields("bootstrap", spec, #{ release: "string?" });
    describe_tiny(root);
    host_run(root, ["sh", "-euc", `
        cd "$1"
        mkdir -p bin etc dev proc sys run tmp root var usr/bin usr/lib
        cp "$(command -v busybox)" bin/busybox
        for tool in sh ls cat echo touch sleep true false mkdir rm nslookup id env pwd wc grep kill sort tail; do ln -s busybox bin/$tool; done
        echo root:x:0:0:root:/root:/bin/sh >etc/passwd
        echo web:x:33:34:web:/:/bin/sh >>etc/passwd
        echo root:x:0: >etc/group
        echo web:x:34: >>etc/group
        echo ID=tiny >usr/lib/os-release
    `, "sh", "$ROOT"]);
}
fn describe_tiny(root) { }
fn install(root, packages, opts) {
    for package in packages { write_file(root, "/var/installed/" + package, "1\n"); }
}
fn boot_files(root) {
    #{ kernel: ["/boot/vmlinuz-{kver}"], initramfs: ["/boot/initrd-{kver}"], packages: ["echo", "busybox\t1.35\tall"] }
}
"#;

/// A recipe repository with the tiny distro, a store and an output folder.
pub struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("distro")).unwrap();
        std::fs::write(folder.path().join("distro/tiny.rhai"), TINY).unwrap();
        Repository { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn out(&self) -> PathBuf {
        self.path().join("out")
    }

    pub fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// `rootwright build recipe.rhai`, in the repository.
    pub fn build(&self, recipe: &str) -> Command {
        self.build_to(recipe, "out")
    }

    /// The same, with the exports going to another folder.
    pub fn build_to(&self, recipe: &str, out: &str) -> Command {
        self.write("recipe.rhai", recipe);
        let mut command = rootwright();
        command.current_dir(self.path()).args([
            "build",
            "recipe.rhai",
            "--allow-host-run",
            "--store",
            "store",
            "--out",
            out,
        ]);
        command
    }
}

/// Runs `rootwright diff` in the repository: exit status, standard output and standard error.
pub fn diff(repository: &Repository, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = rootwright()
        .current_dir(repository.path())
        .arg("diff")
        .args(arguments)
        .args(["--store", "store", "--allow-host-run"])
        .output()
        .unwrap();
    (output.status.code(), stdout(&output), stderr(&output))
}

/// Nobody can log in as the root user of a tree with a password.
#[track_caller]
pub fn root_is_locked(root: &Path) {
    let shadow = std::fs::read_to_string(root.join("etc/shadow")).unwrap();
    let mut lines = shadow.lines();
    let entry = lines.find(|line| line.starts_with("root:")).unwrap();
    assert!(
        entry.starts_with("root:!") || entry.starts_with("root:*"),
        "{entry}"
    );
}

/// The names of the packages in an export's list of them.
#[track_caller]
pub fn packages(export: &Path) -> Vec<String> {
    let manifest = std::fs::read_to_string(export.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let packages = manifest["packages"].as_array().unwrap().iter();
    let names = packages.filter_map(|package| package["name"].as_str());
    names.map(str::to_owned).collect()
}

/// Lines of this process's mount table that name `path`.
pub fn mounts_below(path: &Path) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let path = path.display().to_string();
    table
        .lines()
        .filter(|line| line.contains(&path))
        .map(str::to_owned)
        .collect()
}

/// Processes whose command line holds `word`.
pub fn processes_with(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(bytes) = std::fs::read(entry.path().join("cmdline")) else {
            continue;
        };
        let line = String::from_utf8_lossy(&bytes).replace('\0', " ");
        if line.contains(word) {
            found.push(line);
        }
    }
    found
}
