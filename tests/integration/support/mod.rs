//! What several tests need.
/// A text in which `{name}` stands for the value of `name`. Unlike `format!`, it leaves the braces
/// of scripts alone.
macro_rules! text {
    ($text:expr $(, $name:ident)+ $(,)?) => {{
        let text = String::from($text);
        $(let text = text.replace(concat!("{", stringify!($name), "}"), &$name.to_string());)+
        text
    }};
}

pub mod archive;
pub mod boots;
pub mod failure;
pub mod mount;
pub mod plans;
pub mod project;
pub mod serve;
pub mod stdlib;
pub mod user;
pub mod verified;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

pub use project::{Outcome, Project, Run, git, tiny};

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

#[track_caller]
pub fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Waits until something is so, and fails after a minute.
#[track_caller]
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "waited in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `rootwright diff` in the repository: exit status, standard output and standard error.
pub fn diff(project: &Project, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = rootwright()
        .current_dir(project.path())
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

/// Every path of a tree with kind, mode, owner and target, and every file's digest.
pub fn listing(root: &Path) -> BTreeMap<String, String> {
    let script = r#"cd "$1"
find . -mindepth 1 -printf '%P\t%y %m %U %G %l\n'
find . -type f -print0 | xargs -0 sha256sum | sed 's|^\([0-9a-f]*\)  \./\(.*\)|\2 (content)\t\1|'"#;
    let output = run(Command::new("sh").args(["-euc", script, "sh"]).arg(root));
    let text = stdout(&output);
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines
        .map(|(path, rest)| (path.to_owned(), rest.to_owned()))
        .collect()
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

/// The command on a host that lacks some programs.
pub fn without_tools(command: &Command, tools: &[&str]) -> Command {
    const HIDE: &str = r#"
while [ "$1" != -- ]; do
    for path in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
        if [ -f "$path/$1" ]; then mount --bind /dev/null "$path/$1"; fi
    done
    shift
done
shift
exec "$@"
"#;
    let mut hidden = Command::new("unshare");
    hidden.args(["--mount", "sh", "-euc", HIDE, "sh"]);
    hidden.args(tools).arg("--").arg(command.get_program());
    hidden.args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        hidden.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => hidden.env(name, value),
            None => hidden.env_remove(name),
        };
    }
    hidden
}
