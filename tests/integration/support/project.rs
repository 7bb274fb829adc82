//! A recipe repository of a test, the commands that run in it, and what they have to say.

use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::{read, rootwright, run, stderr, stdout};

/// A distro of one static program: roots in which commands run, made in no time and
/// without a network. `bootstrap` may be told to leave /etc/resolv.conf in some state.
const TINY: &str = r#"
fn bootstrap(root, spec) {
    let s = fields("bootstrap", spec, #{ release: "string?" });
    describe_tiny(root);
    host_run(root, script(`
        cd "$1"
        mkdir -p bin etc dev proc sys run tmp root var usr/bin usr/lib
        cp "$(command -v busybox)" bin/busybox
        for tool in sh ls cat echo touch sleep true false mkdir rm nslookup id env pwd wc grep kill sort tail; do ln -s busybox bin/$tool; done
        echo root:x:0:0:root:/root:/bin/sh >etc/passwd
        echo web:x:33:34:web:/:/bin/sh >>etc/passwd
        echo root:x:0: >etc/group
        echo web:x:34: >>etc/group
        echo ID=tiny >usr/lib/os-release
    `, #{ arguments: [root.path] }));
}
fn describe_tiny(root) { }
fn install(root, packages, opts) {
    for package in packages { write_file(root, "/var/installed/" + package, "1\n"); }
}
fn boot_files(root) {
    #{ kernel: ["/boot/vmlinuz-{kver}"], initramfs: ["/boot/initrd-{kver}"], packages: ["echo", "busybox\t1.35\tall"] }
}
"#;

/// The first line of the recipes that [`Project::tiny`] writes.
const TINY_ROOT: &str = "let root = bootstrap(#{ distro: \"tiny\" });\n";

/// A tiny root, and these steps on `root` from the second line on.
pub fn tiny(steps: &str) -> String {
    format!("{TINY_ROOT}{steps}")
}

/// A recipe repository with the tiny distro, a store and an output folder.
pub struct Project {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Project {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Tests without root privileges look into it as well.
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        let path = folder.path().join("project");
        let project = Project { folder, path };
        project.file("distro/tiny.rhai", TINY);
        project
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn out(&self) -> PathBuf {
        self.path().join("out")
    }

    pub fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    /// The folder that has the recipe repository in it, for what is not part of that.
    pub fn beside(&self) -> &Path {
        self.folder.path()
    }

    /// Writes `recipe.rhai`.
    pub fn recipe(&self, text: impl AsRef<str>) -> &Self {
        self.file("recipe.rhai", text)
    }

    /// Writes `recipe.rhai`: a tiny root, and these steps on `root` from the second line on.
    pub fn tiny(&self, steps: impl AsRef<str>) -> &Self {
        self.recipe(tiny(steps.as_ref()))
    }

    /// Changes `recipe.rhai`.
    #[track_caller]
    pub fn edit(&self, from: &str, to: &str) -> &Self {
        let text = self.read("recipe.rhai");
        assert!(text.contains(from), "{from} is not in {text}");
        self.recipe(text.replace(from, to))
    }

    /// Writes `rootwright.toml`.
    pub fn config(&self, text: impl AsRef<str>) -> &Self {
        self.file("rootwright.toml", text)
    }

    pub fn file(&self, name: &str, text: impl AsRef<str>) -> &Self {
        self.write(name, text.as_ref());
        self
    }

    /// A library in a git repository beside this one, which the project has added.
    pub fn library(&self, name: &str, files: &[(&str, &str)]) -> &Self {
        let folder = self.beside().join(name);
        for (file, text) in files {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        git(&folder, &["init", "--quiet", "--initial-branch=main"]);
        git(&folder, &["add", "--all"]);
        git(&folder, &["commit", "--quiet", "--message", "first"]);
        if !self.path().join("rootwright.toml").exists() {
            self.config("name = \"project\"\n");
        }
        self.command(&["add", folder.to_str().unwrap()]).success();
        self
    }

    /// Writes a file, and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        read(self.path().join(name))
    }

    /// `rootwright ARGUMENTS`, in the repository and with its store.
    pub fn command(&self, arguments: &[&str]) -> Run {
        let mut command = rootwright();
        command.current_dir(self.path());
        command.args(["--store", "store"]).args(arguments);
        Run { command }
    }

    /// The same, with the store that there is when nobody names one.
    pub fn plain(&self, arguments: &[&str]) -> Run {
        let mut command = rootwright();
        command.current_dir(self.path()).args(arguments);
        Run { command }
    }

    pub fn plan(&self) -> Run {
        self.command(&["plan", "recipe.rhai", "--allow-host-run"])
    }

    /// Checks all recipes and modules of the repository.
    pub fn check(&self) -> Run {
        self.command(&["check"])
    }

    pub fn build(&self) -> Run {
        self.build_to("out")
    }

    /// A build whose exports go to another folder.
    pub fn build_to(&self, out: &str) -> Run {
        let allowed = ["--allow-host-run", "--out", out];
        self.command(&["build", "recipe.rhai"]).args(allowed)
    }
}

/// A command that has not run yet.
#[must_use = "it does not run by itself"]
pub struct Run {
    command: Command,
}

impl Run {
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// The same arguments, environment and folder, of another command.
    pub fn instead(self, mut command: Command) -> Run {
        command.args(self.command.get_args());
        command.envs(
            self.command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        Run { command }
    }

    /// An option of the recipe, `NAME=VALUE`.
    pub fn option(self, option: &str) -> Self {
        self.args(["-o", option])
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it, however it ends.
    #[track_caller]
    pub fn output(mut self) -> Outcome {
        Outcome(self.command.output().unwrap())
    }

    #[track_caller]
    pub fn success(self) -> Outcome {
        self.status(0)
    }

    /// Runs it, and it has to end with 1.
    #[track_caller]
    pub fn failure(self) -> Outcome {
        self.status(1)
    }

    #[track_caller]
    pub fn status(self, code: i32) -> Outcome {
        let line = format!("{:?}", self.command);
        let outcome = self.output();
        assert_eq!(
            outcome.0.status.code(),
            Some(code),
            "{line}\n{}{}",
            stdout(&outcome),
            stderr(&outcome)
        );
        outcome
    }
}

/// For what has to be done with a process while it runs.
impl Deref for Run {
    type Target = Command;

    fn deref(&self) -> &Command {
        &self.command
    }
}

impl DerefMut for Run {
    fn deref_mut(&mut self) -> &mut Command {
        &mut self.command
    }
}

/// What a command has said.
pub struct Outcome(Output);

impl Outcome {
    pub fn status(&self) -> Option<i32> {
        self.0.status.code()
    }

    pub fn out(&self) -> String {
        stdout(&self.0)
    }

    pub fn err(&self) -> String {
        stderr(&self.0)
    }

    /// What was printed as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out()).unwrap_or_else(|error| panic!("{error}: {}", self.out()))
    }

    /// The one report, of a command with `--error-format json`.
    #[track_caller]
    pub fn report(&self) -> Value {
        serde_json::from_str(&self.err()).unwrap_or_else(|error| panic!("{error}: {}", self.err()))
    }

    /// Standard output is exactly this.
    #[track_caller]
    pub fn stdout(self, expected: &str) -> Self {
        assert_eq!(self.out(), expected, "standard error: {}", self.err());
        self
    }

    /// Standard error is exactly this.
    #[track_caller]
    pub fn stderr(self, expected: &str) -> Self {
        assert_eq!(self.err(), expected, "standard output: {}", self.out());
        self
    }

    /// Standard output has all of these parts.
    #[track_caller]
    pub fn stdout_contains<'a>(self, parts: impl IntoIterator<Item = &'a str>) -> Self {
        for part in parts {
            assert!(
                self.out().contains(part),
                "{part} is not in:\n{}",
                self.out()
            );
        }
        self
    }

    /// Standard error has all of these parts.
    #[track_caller]
    pub fn stderr_contains<'a>(self, parts: impl IntoIterator<Item = &'a str>) -> Self {
        for part in parts {
            assert!(
                self.err().contains(part),
                "{part} is not in:\n{}",
                self.err()
            );
        }
        self
    }
}

impl Deref for Outcome {
    type Target = Output;

    fn deref(&self) -> &Output {
        &self.0
    }
}

/// Runs git in a folder, as somebody whom no configuration of this host names.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(folder)
        .env("HOME", folder)
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
        .args(["-c", "init.defaultBranch=main"])
        .args(arguments);
    stdout(&run(&mut git)).trim().to_owned()
}
