//! What is made of the command line's own definition: completions in real shells, man
//! pages, docs/cli.md.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Repository, rootwright, run, stderr, stdout};

const NODE: &str = r#"
let release = option("release", #{ default: "bookworm", choices: ["bookworm", "trixie"], help: "Debian release" });
let host = option("hostname", #{ help: "its name" });
let loud = option("loud", #{ default: false });
let roles = option("roles", #{ default: ["web"], choices: ["web", "db"] });
if host == "never" { fail("no"); }
host_run(bootstrap(#{ distro: "tiny" }), ["true"]);
"#;

fn repository() -> Repository {
    let repository = Repository::new();
    repository.write("rootwright.toml", "name = \"site\"\n");
    repository.write("node.rhai", NODE);
    repository.write("recipes/deep.rhai", "");
    repository.write("notes.txt", "");
    repository
}

/// What stands at the end of a command line, the help left out.
fn complete(repository: &Repository, words: &[&str]) -> Vec<String> {
    let mut command = rootwright();
    command.current_dir(repository.path());
    command.args(["complete", "--", "rootwright"]).args(words);
    let output = run(&mut command);
    assert_eq!(stderr(&output), "");
    stdout(&output)
        .lines()
        .map(|line| line.split_once('\t').unwrap().0.to_owned())
        .collect()
}

#[test]
fn words_recipes_options_and_choices_are_completed() {
    let repository = repository();
    let complete = |words: &[&str]| complete(&repository, words);
    assert_eq!(complete(&["pl"]), ["plan"]);
    assert_eq!(complete(&["plan", "--fo"]), ["--format"]);
    assert_eq!(complete(&["plan", "--format", "s"]), ["sh", "schema"]);
    let recipes = complete(&["plan", ""]);
    assert_eq!(recipes[..4], ["node.rhai", "distro/", "recipes/", "deep"]);
    assert!(!recipes.contains(&"notes.txt".to_owned()));
    assert_eq!(complete(&["build", "recipes/"]), ["recipes/deep.rhai"]);
    // Recipes of other folders go by their names, as much of the path as tells them apart.
    repository.write("more/deep.rhai", "option(\"deep\", #{ default: true });\n");
    assert_eq!(complete(&["show", "re"]), ["recipes/", "recipes/deep"]);
    assert_eq!(complete(&["plan", "more/deep", "-o", ""]), ["deep="]);
    // Options after the one that has to be given, and in spite of one with a bad value.
    let all = ["hostname=", "loud=", "release=", "roles="];
    assert_eq!(complete(&["plan", "node.rhai", "-o", ""]), all);
    assert_eq!(
        complete(&["plan", "node.rhai", "--option", "re"]),
        ["release="]
    );
    assert_eq!(
        complete(&["plan", "node.rhai", "-o", "release="]),
        ["release=bookworm", "release=trixie"]
    );
    assert_eq!(
        complete(&["plan", "node.rhai", "-o", "loud=t"]),
        ["loud=true"]
    );
    assert_eq!(
        complete(&["plan", "node.rhai", "-o", "roles=db,"]),
        ["roles=db,web", "roles=db,db"]
    );
    assert_eq!(
        complete(&["plan", "node.rhai", "-o", "hostname="]),
        Vec::<String>::new()
    );
    assert_eq!(
        complete(&["diff", "node.rhai", "-o", "hostname=n1", "-O", "release=t"]),
        ["release=trixie"]
    );
    assert_eq!(
        complete(&["docs", "diskless::jour"]),
        ["diskless::journald"]
    );
    // Where nothing can be said, nothing is.
    assert_eq!(
        complete(&["plan", "absent.rhai", "-o", ""]),
        Vec::<String>::new()
    );
    repository.write("node.rhai", "let x = ;");
    assert_eq!(
        complete(&["plan", "node.rhai", "-o", ""]),
        Vec::<String>::new()
    );
}

/// What a person types to an interactive shell, and the line after it: between `LINE<` and
/// `>` stands what the shell has made of it.
fn typed(repository: &Repository, shell: &str, setup: &str, keys: &[&str]) -> Vec<String> {
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
        .current_dir(repository.path())
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("TERM", "dumb")
        .env("HOME", repository.path())
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
fn bash_completes() {
    let setup = "PS1='# '; source <(rootwright completions bash); show() { printf 'LINE<%s>\\n' \"$READLINE_LINE\"; READLINE_LINE= READLINE_POINT=0; }; bind -x '\"\\C-t\": show'";
    assert_eq!(typed(&repository(), "bash --norc -i", setup, &KEYS), LINES);
}

#[test]
fn zsh_completes() {
    let setup = "autoload -Uz compinit; compinit -u -D; source <(rootwright completions zsh); show() { print -r -- \"LINE<$BUFFER>\"; BUFFER= }; zle -N show; bindkey '^T' show";
    assert_eq!(typed(&repository(), "zsh -f -i", setup, &KEYS), LINES);
}

#[test]
fn fish_completes() {
    let repository = repository();
    let folder = Path::new(env!("CARGO_BIN_EXE_rootwright"))
        .parent()
        .unwrap();
    let path = std::env::var("PATH").unwrap();
    let complete = |line: &str| {
        let script = format!("rootwright completions fish | source; complete -C '{line}'");
        let mut command = Command::new("fish");
        command
            .args(["--no-config", "-c", &script])
            .current_dir(repository.path())
            .env("HOME", repository.path())
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

/// The help of a command and of those below it.
fn help(command: &mut clap::Command, name: &str, out: &mut String) {
    let level = "#".repeat(name.split(' ').count() + 1);
    let text = command
        .clone()
        .bin_name(name)
        .term_width(100)
        .render_long_help();
    writeln!(
        out,
        "\n{level} {name}\n\n```text\n{}\n```",
        text.to_string().trim_end()
    )
    .unwrap();
    let names = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    let names: Vec<String> = names.map(|command| command.get_name().to_owned()).collect();
    for below in names.iter().filter(|below| *below != "help") {
        let command = command.find_subcommand_mut(below).unwrap();
        help(command, &format!("{name} {below}"), out);
    }
}

#[test]
fn docs_cli_md_is_what_the_program_says() {
    let mut now = String::from(
        "# The command line\n\nEvery command as `--help` shows it. Exit status: 0 success, 1 failure, 2 wrong usage, 130\ninterrupted, where a command says nothing else.\n",
    );
    let mut command = rootwright::cli::command();
    command.build();
    help(&mut command, "rootwright", &mut now);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&page, now).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(&page).unwrap_or_default() == now,
        "docs/cli.md is behind; UPDATE=1 cargo test plan::completions writes it"
    );
}
