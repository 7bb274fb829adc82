//! What is made of the command line's own definition: the words of completions, docs/cli.md.

use std::fmt::Write as _;
use std::path::Path;

use crate::support::{Project, rootwright, run, stderr, stdout};

const NODE: &str = r#"
let release = option("release", #{ default: "bookworm", choices: ["bookworm", "trixie"], help: "Debian release" });
let host = option("hostname", #{ help: "its name" });
let loud = option("loud", #{ default: false });
let roles = option("roles", #{ default: ["web"], choices: ["web", "db"] });
if host == "never" { fail("no"); }
host_run(bootstrap(#{ distro: "tiny" }), ["true"]);
"#;

pub fn project() -> Project {
    let project = Project::new();
    project.write("rootwright.toml", r#"name = "site""#);
    project.write("node.rhai", NODE);
    project.write("recipes/deep.rhai", "");
    project.write("notes.txt", "");
    project
}

/// What stands at the end of a command line, the help left out.
fn complete(project: &Project, words: &[&str]) -> Vec<String> {
    let mut command = rootwright();
    command.current_dir(project.path());
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
    let project = project();
    let complete = |words: &[&str]| complete(&project, words);
    assert_eq!(complete(&["pl"]), ["plan"]);
    assert_eq!(complete(&["plan", "--fo"]), ["--format"]);
    assert_eq!(complete(&["plan", "--format", "s"]), ["sh", "schema"]);
    let recipes = complete(&["plan", ""]);
    assert_eq!(recipes[..4], ["node.rhai", "distro/", "recipes/", "deep"]);
    assert!(!recipes.contains(&"notes.txt".to_owned()));
    assert_eq!(complete(&["build", "recipes/"]), ["recipes/deep.rhai"]);
    // Recipes of other folders go by their names, as much of the path as tells them apart.
    project.write("more/deep.rhai", r#"option("deep", #{ default: true });"#);
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
    project.write("node.rhai", "let x = ;");
    assert_eq!(
        complete(&["plan", "node.rhai", "-o", ""]),
        Vec::<String>::new()
    );
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
