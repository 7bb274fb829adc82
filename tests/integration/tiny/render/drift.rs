//! Random plans through both paths: a build and the plan's script make the same trees.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use fs_err as fs;
use rootwright::build::bundle;
use rootwright::diagnose::SourceMap;
use rootwright::plan::*;

use super::real::{Bench, busybox, said};
use super::same::Dice;
use crate::support::plans::{self, Builder, copy, dir, edit, host, inside, link, remove, write};
use crate::support::rootwright;

/// Plans whose roots are made by one build and by one script.
const BATCH: usize = 20;

const PROXY: (&str, &str) = ("https_proxy", "http://proxy.example.org:3128");

/// What is said and exported by a build of the plan.
fn build(bench: &Bench, plan: &Plan) -> std::process::Output {
    let bundle = bench.path("plan.bundle");
    let _ = fs::remove_file(&bundle);
    bundle::write(plan, &SourceMap::default(), &bundle).unwrap();
    let mut command = rootwright();
    command.arg("--store").arg(bench.path("store"));
    command.args(["apply", "--allow-host-run", "--out"]);
    command.arg(bench.path("built")).arg(&bundle);
    command.env(PROXY.0, PROXY.1).output().unwrap()
}

/// What a file holds: a text as it is, for messages, and of more the digest.
fn content(bytes: &[u8]) -> String {
    match bytes.len() <= 4096 {
        true => String::from_utf8_lossy(bytes).into_owned(),
        false => blake3::hash(bytes).to_string(),
    }
}

/// What a tree consists of, by path: all but times.
pub fn listing(root: &Path) -> BTreeMap<String, String> {
    let mut names: BTreeMap<(u64, u64), Vec<String>> = BTreeMap::new();
    let mut out = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let meta = entry.metadata().unwrap();
        let kind = meta.file_type();
        let holds = match () {
            () if kind.is_symlink() => format!("{:?}", fs::read_link(path).unwrap()),
            () if kind.is_file() => content(&fs::read(path).unwrap()),
            () if kind.is_fifo() => "a named pipe".to_owned(),
            () => String::new(),
        };
        let attributes: Vec<_> = xattr::list(path)
            .unwrap()
            .map(|name| (name.clone(), xattr::get(path, &name).unwrap()))
            .collect();
        let of = (
            format!("{:o}", meta.mode()),
            meta.uid(),
            meta.gid(),
            meta.rdev(),
        );
        out.insert(name.clone(), format!("{of:?} {attributes:?} {holds:?}"));
        if !kind.is_dir() {
            names
                .entry((meta.dev(), meta.ino()))
                .or_default()
                .push(name);
        }
    }
    for group in names.values().filter(|group| group.len() > 1) {
        for name in group {
            let entry = out.get_mut(name).unwrap();
            *entry = format!("{entry} with {group:?}");
        }
    }
    out
}

fn sh(script: &str) -> Run {
    inside(&["sh", "-c", script])
}

/// What is in every root before its own steps: two names of a file, a pipe, a link.
fn start() -> Vec<Op> {
    vec![
        write("/srv/one", "one 1\ntwo 22\nüber\n"),
        write("/srv/two", "two\n"),
        write("/srv/three", "three\n"),
        link("/srv/link", "one"),
        Op::Run(sh(
            "cd /srv && ln one linked && ln two also && mkfifo pipe fifo && mkdir -m 2775 set && chgrp 13 set",
        )),
    ]
}

const FILES: &[&str] = &[
    "/srv/one",
    "/srv/two",
    "/srv/linked",
    "/srv/also",
    "/srv/link",
    "/srv/set/new",
    "/srv/new/deep/file",
];

/// Patterns that match in every text.
const EDITS: &[(&str, &str)] = &[
    ("^", "> "),
    ("$", "."),
    ("x*", "-"),
    (r"\d*", "<$0>"),
    (r"(?P<word>\w)|^", "$word$word"),
    ("(?i)ONE|ü|\\z", "$$1"),
    (r"(\s)$|^", "${1}_"),
];

fn op(dice: &mut Dice, at: usize, source: &Path) -> Op {
    let path = dice.pick(FILES).to_owned();
    let there = dice.pick(&FILES[..4]).to_owned();
    match dice.below(16) {
        0 => Op::WriteFile(WriteFile {
            path,
            content: Text::from(dice.pick(plans::NASTY)),
            attributes: Attributes {
                mode: dice.flip().then_some(0o4750),
                owner: dice.flip().then(|| "wright".to_owned()),
                group: None,
            },
        }),
        1 => Op::AppendFile(AppendFile {
            path,
            content: Text::from(dice.pick(plans::NASTY)),
        }),
        2 | 3 => {
            let (pattern, replacement) = EDITS[dice.below(EDITS.len())];
            edit(&there, pattern, replacement)
        }
        4 => Op::SetMode(SetMode {
            path: dice
                .pick(&["/srv", "/srv/set", "/srv/fifo", &there])
                .to_owned(),
            mode: [0o600, 0o755, 0o4711][dice.below(3)],
            recursive: dice.flip(),
        }),
        5 => Op::SetOwner(SetOwner {
            path: dice.pick(&["/srv", "/srv/fifo", &there]).to_owned(),
            owner: "wright".to_owned(),
            group: dice.flip().then(|| "wrights".to_owned()),
            recursive: dice.flip(),
        }),
        6 => copy(source, dice.pick(&["/srv/copied", "/srv/pipe", &there])),
        7 => dir(dice.pick(&["/srv/set/a/b", "/srv/dir", "/srv"])),
        8 => link(dice.pick(&["/srv/pipe", "/srv/link", &there]), "three"),
        9 => remove(dice.pick(&["/srv/pipe", "/srv/n*", "/srv/none"]), true),
        10 => Op::Run(Run {
            network: dice.flip(),
            cwd: dice.flip().then(|| "/srv".to_owned()),
            env: BTreeMap::from([
                (
                    "VALUE".to_owned(),
                    Text::from(dice.pick(&["", "a b", "it's", "$HOME"])),
                ),
                ("lower".to_owned(), Text::from("x")),
            ]),
            ..sh(&format!(
                "{{ pwd; env | grep -v container_uuid | sort; }} >/srv/env-{at}"
            ))
        }),
        11 => host(&[
            "sh",
            "-c",
            &format!("{{ pwd; umask; env | sort; }} >\"$1/srv/host-{at}\""),
            "sh",
            "$ROOT",
        ]),
        12 => Op::Run(Run {
            stdin: Some(Text::from(dice.pick(plans::NASTY))),
            ..sh(&format!("cat >/srv/in-{at}"))
        }),
        13 => Op::Run(Run {
            verdict: Verdict {
                fail_on: vec![r"^one \d+$".to_owned()],
                ignore: vec![r"\b2\b".to_owned()],
                allow_failure: dice.flip().then(|| "the plan says so".to_owned()),
            },
            ..sh(&format!("echo one 2; echo {at} >/srv/said-{at}"))
        }),
        14 => host(&["setcap", "cap_net_raw+ep", "$ROOT/srv/three"]),
        _ => Op::Run(sh(&format!(
            "cd /srv && ln three three-{at} && mkfifo -m 640 pipe-{at} && chown 12:13 pipe-{at}"
        ))),
    }
}

/// A root with some random steps, and its export. The names of files that later commands need
/// are never removed: `three` is replaced by nothing.
fn random(mut builder: Builder, dice: &mut Dice, root: RootId, source: &Path) -> Builder {
    builder = builder.root(&format!("r{root}"), ["any", "one", "any"], Some((0, 2)));
    let mut at = 0;
    for _ in 0..2 + dice.below(2) {
        let mut ops = Vec::new();
        for _ in 0..1 + dice.below(3) {
            at += 1;
            ops.push(op(dice, at, source));
        }
        builder = builder.step(root, "op", "op", ops);
    }
    let export = plans::export(&format!("r{root}"), Format::Dir);
    builder.step(root, "export", "export", vec![Op::Export(export)])
}

#[test]
#[ignore = "run with tests/run tiny"]
fn builds_and_scripts_make_the_same_trees() {
    let count = std::env::var("CASES").map_or(200, |count| count.parse().unwrap());
    let batches: Vec<u64> = (1..=usize::div_ceil(count, BATCH) as u64).collect();
    std::thread::scope(|scope| {
        let half = batches.len().div_ceil(2);
        for some in batches.chunks(half) {
            scope.spawn(move || some.iter().for_each(|number| batch(*number)));
        }
    });
}

fn batch(number: u64) {
    let mut dice = Dice(0x0dd1_7e50_0000_0007 * number);
    let bench = Bench::new();
    let source = bench.path("source");
    fs::write(&source, "copied\n").unwrap();
    let mut builder = busybox().file(&source).step(0, "start", "start", start());
    for root in 1..=BATCH {
        builder = random(builder, &mut dice, root, &source);
    }
    let plan = builder.done();
    let built = build(&bench, &plan);
    assert!(built.status.success(), "batch {number}: {}", said(&built));
    let script = bench.run(&plan, &[PROXY]);
    assert!(script.status.success(), "batch {number}: {}", said(&script));
    for root in 1..=BATCH {
        let of = |out: &str| listing(&bench.path(out).join(format!("r{root}/root")));
        let (built, scripted) = (of("built"), of("out"));
        let steps = plan.steps.iter().filter(|step| step.root == Some(root));
        let actions = steps.flat_map(|step| &step.actions);
        let ops: Vec<_> = actions.map(|action| &action.op).collect();
        for name in built.keys().chain(scripted.keys()) {
            let (built, scripted) = (built.get(name), scripted.get(name));
            assert_eq!(
                built, scripted,
                "batch {number}, root {root}: {name}\n{ops:#?}"
            );
        }
    }
}

const LINES: &[&str] = &[
    "ERROR: disk 7 is full",
    "error: Größe 12",
    "warning: x",
    "  \tindented",
    "50%\rdone FAILED",
    "a_b 1.2.3",
];

const JUDGES: &[&str] = &[
    r"^ERROR: \w+ \d+\b",
    r"(?i)^error",
    r"\bFAILED$",
    r"^done",
    r"[[:digit:]]\.\d\.",
    r"Gr\p{L}+e",
    r"^\s+\S",
    "never",
    r"(?P<n>x)\z",
    r"^50",
];

/// Lines that only one regular expression of a dialect would take for a failure.
#[test]
#[ignore = "run with tests/run tiny"]
fn both_see_the_same_failures_in_output() {
    let bench = Bench::new();
    let matches = |patterns: &[String], line: &str| {
        let line = line.rsplit('\r').next().unwrap();
        let mut patterns = patterns
            .iter()
            .map(|pattern| regex::Regex::new(pattern).unwrap());
        patterns.any(|pattern| pattern.is_match(line))
    };
    let mut dice = Dice(0x5eed_0000_0000_0002);
    for case in 0..8 {
        let mut builder = plans::plan("judged.rhai", "").root("root", ["any", "", ""], None);
        let mut fails = false;
        while !fails {
            let line = dice.pick(LINES);
            let verdict = Verdict {
                fail_on: vec![dice.pick(JUDGES).to_owned(), dice.pick(JUDGES).to_owned()],
                ignore: vec![dice.pick(JUDGES).to_owned()],
                allow_failure: None,
            };
            fails = matches(&verdict.fail_on, line) && !matches(&verdict.ignore, line);
            let Op::Run(run) = host(&["printf", "%s\\n", line]) else {
                unreachable!()
            };
            builder = builder.step(0, "run", "run", vec![Op::Run(Run { verdict, ..run })]);
        }
        let plan = builder.done();
        let last = plan.steps.len();
        let built = build(&bench, &plan);
        let (text, op) = (said(&built), &plan.steps[last - 1].actions[0].op);
        assert!(!built.status.success(), "case {case}: {op:#?}\n{text}");
        assert!(
            text.contains(&format!("step {last}")),
            "case {case}: {op:#?}\n{text}"
        );
        let script = bench.run(&plan, &[]);
        let text = said(&script);
        assert!(!script.status.success(), "case {case}: {op:#?}\n{text}");
        assert!(
            text.contains(&format!("failed in step {last}, ")),
            "case {case}: {op:#?}\n{text}"
        );
    }
}
