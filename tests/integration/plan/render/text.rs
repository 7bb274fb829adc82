use std::collections::BTreeMap;

use rootwright::preview::{StepStatus, TextOptions, graph, text};

use crate::support::plans::{self, debian_nfs, plan, write};
use rootwright::plan::{Command, Op, Run, RunPlace, Script, Text};

#[test]
fn a_diskless_debian() {
    insta::assert_snapshot!(text(&debian_nfs(), &TextOptions::default()));
}

#[test]
fn labels_only_with_what_is_cached() {
    let mut status: BTreeMap<usize, StepStatus> = (1..=6)
        .map(|step| (step, StepStatus::Cached(None)))
        .collect();
    status.insert(7, StepStatus::Runs("its operations changed".to_owned()));
    for step in 8..=10 {
        status.insert(step, StepStatus::Runs(String::new()));
    }
    let options = TextOptions {
        commands: false,
        status,
        ..TextOptions::default()
    };
    insta::assert_snapshot!(text(&debian_nfs(), &options));
}

#[test]
fn colour_adds_escapes_and_nothing_else() {
    let plain = text(&debian_nfs(), &TextOptions::default());
    let colored = text(
        &debian_nfs(),
        &TextOptions {
            color: true,
            ..TextOptions::default()
        },
    );
    assert_ne!(plain, colored);
    let escapes = regex::Regex::new("\u{1b}\\[[0-9]+m").unwrap();
    // Spaces at the end of a line are cut where no escape follows them.
    let stripped: Vec<String> = escapes
        .replace_all(&colored, "")
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    assert_eq!(stripped, plain.lines().collect::<Vec<_>>());
}

#[test]
fn lines_keep_to_the_width() {
    for width in [80, 100, 120] {
        let options = TextOptions {
            width,
            ..TextOptions::default()
        };
        for line in text(&debian_nfs(), &options).lines() {
            assert!(line.chars().count() <= width, "{line}");
        }
    }
}

#[test]
fn contents_cannot_play_with_the_terminal() {
    let shown = text(&plans::nasty(), &TextOptions::default());
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
    assert!(!shown.contains('\u{202e}'));
}

#[test]
fn a_long_file_shows_its_beginning() {
    let long: String = (1..=40).map(|line| format!("line {line}\n")).collect();
    let plan = plan("a.rhai", "")
        .root("root", ["any", "", ""], None)
        .step(0, "write_file", "write /long", vec![write("/long", &long)])
        .done();
    insta::assert_snapshot!(text(&plan, &TextOptions::default()));
}

#[test]
fn forks_are_named() {
    let plan = forks();
    insta::assert_snapshot!(text(&plan, &TextOptions::default()));
    insta::assert_snapshot!("graph_of_forks", graph(&plan));
}

fn forks() -> rootwright::plan::Plan {
    plan("variants.rhai", "Two variants of one base.")
        .root("base", ["any", "1", "amd64"], None)
        .root("small", ["any", "1", "amd64"], Some((0, 1)))
        .root("large", ["any", "1", "amd64"], Some((0, 2)))
        .step(0, "write_file", "write /base", vec![write("/base", "1\n")])
        .step(0, "write_file", "write /more", vec![write("/more", "2\n")])
        .step(
            1,
            "write_file",
            r#"write "/small""#,
            vec![write("/small", "3\n")],
        )
        .step(
            2,
            "nspawn_run",
            "run a script",
            vec![Op::Run(Run {
                user: Some("admin".to_owned()),
                stdin: Some(Text::from("one\ntwo\n")),
                ..Run::new(
                    RunPlace::Root,
                    Command::Script(Script {
                        arguments: vec!["argument".into()],
                        ..Script::shell("cat\nid\n")
                    }),
                )
            })],
        )
        .step(
            2,
            "export",
            "export large",
            vec![Op::Export(plans::export(
                "large",
                rootwright::plan::Format::Dir,
            ))],
        )
        .done()
}
