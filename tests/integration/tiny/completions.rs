//! Completions in real shells, and man pages as mandoc shows them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::plan::completions::project;
use crate::support::{Project, rootwright, run, stdout};

/// What a person types to an interactive shell, and the line after it: between `LINE<` and
/// `>` stands what the shell has made of it.
fn typed(project: &Project, shell: &str, setup: &str, keys: &[&str]) -> Vec<String> {
    let mut input = format!("{setup}\n");
    for keys in keys {
        // Ctrl-T shows the line, and empties it.
        write!(input, "{keys}\x14").unwrap();
    }
    input.push_str("\nexit\n");
    let folder = Path::new(env!("CARGO_BIN_EXE_rootwright"))
        .parent()
        .unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new("timeout");
    command.args([
        "60",
        "script",
        "--quiet",
        "--return",
        "--command",
        shell,
        "/dev/null",
    ]);
    command
        .current_dir(project.path())
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("TERM", "dumb")
        .env("HOME", project.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = stdout(&child.wait_with_output().unwrap());
    let lines = output.split("LINE<").skip(1);
    let lines: Vec<String> = lines
        .filter_map(|rest| Some(rest.split_once('>')?.0.to_owned()))
        .filter(|line| !line.contains(['$', '%']))
        .collect();
    assert_eq!(lines.len(), keys.len(), "{output}");
    lines
}

const KEYS: [&str; 5] = [
    "rootwright plan no\t",
    "rootwright plan node.rhai -o rel\tt\t",
    "rootwright plan node.rhai --option=release=b\t",
    "rootwright docs diskless::pre\t",
    "rootwright plan --form\tj\t",
];
const LINES: [&str; 5] = [
    "rootwright plan node.rhai ",
    "rootwright plan node.rhai -o release=trixie ",
    "rootwright plan node.rhai --option=release=bookworm ",
    "rootwright docs diskless::prepare ",
    "rootwright plan --format json ",
];

#[test]
#[ignore = "run with tests/run tiny"]
fn bash_completes() {
    let setup = r#"PS1='# '; source <(rootwright completions bash); show() { printf 'LINE<%s>\n' "$READLINE_LINE"; READLINE_LINE= READLINE_POINT=0; }; bind -x '"\C-t": show'"#;
    assert_eq!(typed(&project(), "bash --norc -i", setup, &KEYS), LINES);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn zsh_completes() {
    let setup = r#"autoload -Uz compinit; compinit -u -D; source <(rootwright completions zsh); show() { print -r -- "LINE<$BUFFER>"; BUFFER= }; zle -N show; bindkey '^T' show"#;
    assert_eq!(typed(&project(), "zsh -f -i", setup, &KEYS), LINES);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn fish_completes() {
    let project = project();
    let folder = Path::new(env!("CARGO_BIN_EXE_rootwright"))
        .parent()
        .unwrap();
    let path = std::env::var("PATH").unwrap();
    let complete = |line: &str| {
        let script = format!("rootwright completions fish | source; complete -C '{line}'");
        let mut command = Command::new("fish");
        command
            .args(["--no-config", "-c", &script])
            .current_dir(project.path())
            .env("HOME", project.path())
            .env("PATH", format!("{}:{path}", folder.display()));
        stdout(&run(&mut command))
    };
    assert_eq!(complete("rootwright plan no"), "node.rhai\n");
    assert_eq!(
        complete("rootwright plan node.rhai -o release="),
        "release=bookworm\tDebian release\nrelease=trixie\tDebian release\n"
    );
    assert_eq!(
        complete("rootwright plan node.rhai -o hos"),
        "hostname=\tits name (has to be given)\n"
    );
    assert!(complete("rootwright plan --format j").starts_with("json"));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_scripts_are_sound() {
    for shell in ["bash", "zsh", "fish"] {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join(shell);
        let text = stdout(&run(rootwright().args(["completions", shell])));
        std::fs::write(&script, text).unwrap();
        run(Command::new(shell).arg("-n").arg(&script));
        if shell == "bash" {
            run(Command::new("shellcheck")
                .args(["--shell", "bash"])
                .arg(&script));
        }
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn every_command_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    run(rootwright().args(["man", "--out"]).arg(folder.path()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        // When a page was written says nothing of what is in it.
        let lint = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(&path)
            .output();
        let lint = stdout(&lint.unwrap());
        let found: Vec<&str> = lint
            .lines()
            .filter(|line| !line.contains("missing date"))
            .collect();
        assert_eq!(found, Vec::<&str>::new());
    }
    for name in ["rootwright.1", "rootwright-plan.1", "rootwright-cache-gc.1"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    assert!(!names.contains(&"rootwright-complete.1".to_owned()));
    let page = folder.path().join("rootwright-plan.1");
    let shown = stdout(&run(Command::new("mandoc")
        .args(["-T", "utf8", "-O", "width=90"])
        .arg(page)));
    for part in [
        "ROOTWRIGHT-PLAN(1)",
        "A bash script that makes the same root without rootwright",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}
