//! Text of recipes, libraries and images cannot play with the terminal: whatever a command
//! says, it has no control characters but those that rootwright's own colours take.

use crate::support::Project;

/// Clears the screen, names the window, rings, colours what follows, turns text around; C1's
/// form of the first, too.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[31mred\r\u{9b}2J\u{202e}\u{7f}";

/// The same in a string of a script.
const IN_SCRIPT: &str = r"\x1b[2J\x1b]0;owned\x07\x1b[31mred\r\u009b2J\u202e\x7f";

fn is_clean(text: &str, colored: bool, what: &str) {
    let mut rest = text.to_owned();
    if colored {
        let own = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
        assert!(!text.contains("\u{1b}[31mred"), "{what}: {text:?}");
        rest = own.replace_all(text, "").into_owned();
    }
    let bad = |c: char| {
        c.is_control() && c != '\n' && c != '\t' || ('\u{202a}'..='\u{202e}').contains(&c)
    };
    assert!(!rest.contains(bad), "{what}: {rest:?}");
}

/// Runs a command of the project in each form of errors, with and without colour.
fn says_nothing_hostile(project: &Project, words: &[&str]) {
    for style in ["human", "short", "json"] {
        for color in ["never", "always"] {
            let mut command = crate::support::rootwright();
            command.current_dir(project.path()).args(words);
            command.args(["--error-format", style, "--color", color]);
            let output = command.output().unwrap();
            let what = format!("{words:?} {style} {color}");
            for text in [&output.stdout, &output.stderr] {
                is_clean(&String::from_utf8_lossy(text), color == "always", &what);
            }
        }
    }
}

#[test]
fn what_plans_show_is_text() {
    let recipe = format!(
        r##"//! A recipe {HOSTILE}
let root = bootstrap(#{{ distro: "debian", release: "bookworm", name: "root" }});
root.write_file("/etc/{IN_SCRIPT}", "{IN_SCRIPT}\n", #{{ about: "{IN_SCRIPT}" }});
root.symlink("/etc/link", "{IN_SCRIPT}");
root.nspawn_run(["echo", "{IN_SCRIPT}"], #{{ env: #{{ A: "{IN_SCRIPT}" }}, about: "{IN_SCRIPT}" }});
root.nspawn_run("echo '{IN_SCRIPT}'");
let word = option("word", #{{ default: "{IN_SCRIPT}", help: "{IN_SCRIPT}" }});
log("{IN_SCRIPT}");
warn("{IN_SCRIPT}");
"##
    );
    let project = Project::new();
    project.recipe(&recipe);
    for format in ["text", "json", "sh", "graph"] {
        says_nothing_hostile(&project, &["plan", "recipe.rhai", "--format", format]);
    }
    for format in ["text", "json"] {
        let words = [
            "diff",
            "--format",
            format,
            "recipe.rhai",
            "recipe.rhai",
            "-o",
            "word=x",
        ];
        says_nothing_hostile(&project, &words);
    }
    says_nothing_hostile(&project, &["check"]);
    says_nothing_hostile(&project, &["list"]);
}

#[test]
fn what_errors_show_is_text() {
    for failing in [
        format!("fail(\"{IN_SCRIPT}\", #{{ cause: \"{IN_SCRIPT}\", help: \"{IN_SCRIPT}\" }});"),
        format!("throw \"{IN_SCRIPT}\";"),
        format!("let x = \"{HOSTILE}\" + nowhere;"),
        format!("import \"{IN_SCRIPT}\" as m;"),
        format!("let m = #{{}}; m[\"{IN_SCRIPT}\"].x;"),
        format!("bootstrap(#{{ distro: \"{IN_SCRIPT}\", release: \"1\" }});"),
        format!("option(\"{IN_SCRIPT}\", #{{ default: \"\" }});"),
        format!("secret(\"{IN_SCRIPT}\");"),
        format!("/* {HOSTILE}"),
    ] {
        let project = Project::new();
        project.recipe(&failing);
        says_nothing_hostile(&project, &["plan", "recipe.rhai"]);
        says_nothing_hostile(&project, &["check"]);
    }
    let project = Project::new();
    project
        .recipe("log(\"x\");")
        .file("rootwright.toml", format!("[{HOSTILE}\n"));
    says_nothing_hostile(&project, &["plan", "recipe.rhai"]);
}
