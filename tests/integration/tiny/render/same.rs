//! The script's functions and the runner do the same to files: random operations, carried
//! out by both, give the same tree or the same failure.

use std::path::{Path, PathBuf};

use fs_err as fs;
use rootwright::plan::*;
use rootwright::run::files::{FileContext, apply};

use super::real::{Bench, tree};
use crate::support::plans::{self, dir, host, link, plan, remove};

/// A fixed sequence that looks random (xorshift), so that a failure comes again.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    pub fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    pub fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    fn attributes(&mut self) -> Attributes {
        let modes = [0o644, 0o600, 0o4755, 0o1777, 0o000];
        Attributes {
            mode: self.flip().then(|| modes[self.below(modes.len())]),
            owner: (self.below(3) == 0).then(|| self.pick(&["wright", "12", "root"]).to_owned()),
            group: (self.below(3) == 0).then(|| self.pick(&["wrights", "13"]).to_owned()),
        }
    }
}

const PATHS: &[&str] = &[
    "/file",
    "/dir",
    "/dir/file",
    "/dir/new",
    "/dir/sub/deep/new",
    "/dir/.hidden",
    "/relative",
    "/relative/file",
    "/absolute/file",
    "/absolute",
    "/up/file",
    "/up/up/dir/file",
    "/dangling",
    "/dangling/x",
    "/far",
    "/var/loop",
    "/var/loop/x",
    "/dir/../file",
    "/../../file",
    "/new",
    "/dir/",
    "//dir//file",
    "/dir/./file",
    "/file/below",
    "/name with space",
    "/-dash",
    "/chain",
    "/etc/passwd",
    "/.",
    "/dir/..",
    "/b[r]ack",
    "/self/self/file",
    "/linked",
    "/dir/linked",
    "/fifo",
    "/fifo/below",
];

const PATTERNS: &[&str] = &[
    "/dir/*",
    "/dir/.*",
    "/*/file",
    "/d?r/f*",
    "/[a-e]*/file",
    "/[!a-e]*",
    "/dir/*.none",
    "/relative/*",
    "/*ng",
    "/dir/[",
    "/b\\[r\\]ack",
    "/absolute/*",
    "/up/*/file",
];

const EDITS: &[(&str, &str)] = &[
    ("^a", "b"),
    ("one$", "[$0]"),
    ("(o)(n)e", "${2}$1$$"),
    ("(?i)ONE", "two"),
    ("\\s+$", ""),
    ("[0-9]+", "<${0}>"),
    ("never there", ""),
    ("^#?(key) *=.*$", "$1 = value"),
    ("ü", "ue"),
    ("(?P<word>\\w+)=", "${word}:"),
    ("x?", "-"),
    ("one\\ntwo", "joined"),
    ("$1", "x"),
    (".", "$9"),
    ("@|\\$|/", "\\"),
    ("(a)|(b)", "[$1|$2]"),
    ("^", "> "),
    ("$", ";"),
    ("x*", "-"),
    (r"\d+\b", "${0}0"),
    (r"(?i)\bone\z", ""),
    ("[[:alpha:]&&[^o]]{2,}", "$$0"),
    (r"\w\s*", "$0$0"),
    ("", "+"),
];

fn start(to: &Path) {
    for name in ["dir/sub", "etc", "var"] {
        fs::create_dir_all(to.join(name)).unwrap();
    }
    for (name, content) in [
        ("file", "one\ntwo\nabc=1\n#key = old\n"),
        ("dir/file", "über one  \n\n$x @y /z\n"),
        ("dir/.hidden", ""),
        ("dir/sub/file", "no line break"),
        ("name with space", "a"),
        ("-dash", "a"),
        ("b[r]ack", "a"),
        ("etc/passwd", "root:x:0:0:::\nwright:x:4711:4712:::\n"),
        ("etc/group", "root:x:0:\nwrights:x:4713:\n"),
    ] {
        fs::write(to.join(name), content).unwrap();
    }
    fs::hard_link(to.join("dir/sub/file"), to.join("linked")).unwrap();
    fs::hard_link(to.join("dir/sub/file"), to.join("dir/linked")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(to.join("fifo"))
        .status();
    assert!(fifo.unwrap().success());
    for (name, target) in [
        ("relative", "dir"),
        ("absolute", "/dir"),
        ("up", "../../../.."),
        ("dangling", "/var/nowhere/x"),
        ("far", "/etc/../var/new"),
        ("var/loop", "loop"),
        ("chain", "absolute/../relative/file"),
        ("self", "."),
        ("dir/link", "../file"),
    ] {
        std::os::unix::fs::symlink(target, to.join(name)).unwrap();
    }
}

fn source(to: &Path) {
    fs::create_dir_all(to.join("sub/deep")).unwrap();
    fs::write(to.join("file"), "copied\n").unwrap();
    fs::write(to.join("sub/deep/file"), "copied\n").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", to.join("sub/link")).unwrap();
}

fn sources(source: &Path) -> Vec<PathBuf> {
    vec![source.join("file"), source.join("sub"), source.to_owned()]
}

/// No text of these plans stands for something else.
struct Nothing;

impl Resolve for Nothing {
    fn path(&self, _: &Part) -> Option<String> {
        None
    }

    fn secret(&self, _: &str) -> Option<&[u8]> {
        None
    }
}

fn op(dice: &mut Dice, source: &Path) -> Op {
    let path = dice.pick(PATHS).to_owned();
    match dice.below(12) {
        0 => Op::WriteFile(WriteFile {
            path,
            content: Text::from(dice.pick(plans::NASTY)),
            attributes: dice.attributes(),
        }),
        1 => Op::AppendFile(AppendFile {
            path,
            content: Text::from(dice.pick(plans::NASTY)),
        }),
        2 | 3 => {
            let (pattern, replacement) = EDITS[dice.below(EDITS.len())];
            plans::edit(
                dice.pick(&["/file", "/dir/file", &path]),
                pattern,
                replacement,
            )
        }
        4 => {
            let from = sources(source).swap_remove(dice.below(3));
            Op::CopyIn(CopyIn {
                source: Source::File(plans::digest(&from)),
                path,
                attributes: dice.attributes(),
            })
        }
        5 => match dice.flip() {
            true => dir(&path),
            false => Op::MakeDir(MakeDir {
                path,
                attributes: dice.attributes(),
            }),
        },
        6 => link(&path, dice.pick(&["/file", "dir", "../x", "a b", "-x"])),
        // Below a link to itself the runner fails, and the script finds nothing there.
        7 => remove(&path.replace("loop/x", "loop"), dice.flip()),
        8 => remove(dice.pick(PATTERNS), dice.flip()),
        9 => Op::MovePath(MovePath {
            from: path,
            to: dice.pick(PATHS).to_owned(),
            missing_ok: dice.flip(),
        }),
        10 => Op::SetMode(SetMode {
            path,
            mode: [0o755, 0o640, 0o2775][dice.below(3)],
            recursive: dice.flip(),
        }),
        _ => Op::SetOwner(SetOwner {
            path,
            owner: dice.pick(&["wright", "77", "nobody-here"]).to_owned(),
            group: dice.flip().then(|| "wrights".to_owned()),
            recursive: dice.flip(),
        }),
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn script_and_runner_do_the_same_to_files() {
    let bench = Bench::new();
    let from = bench.path("start");
    fs::create_dir(&from).unwrap();
    start(&from);
    let copied = bench.path("source");
    source(&copied);
    let context = FileContext {
        values: &Nothing,
        source: &|source| {
            let Source::File(digest) = source else {
                return None;
            };
            let found = sources(&copied).into_iter();
            found
                .map(|path| (plans::digest(&path), path))
                .find(|(of, _)| of == digest)
                .map(|(_, path)| path)
        },
    };
    let cases = std::env::var("CASES").map_or(40, |cases| cases.parse().unwrap());
    let mut dice = Dice(0x5eed_0000_0000_0001);
    for case in 0..cases {
        let root = bench.path(&format!("runner-{case}"));
        let copy = std::process::Command::new("cp")
            .arg("-a")
            .arg(&from)
            .arg(&root)
            .status();
        assert!(copy.unwrap().success());
        let mut ops = Vec::new();
        let mut failure = None;
        // Most operations succeed; a case ends with the first that does not.
        while ops.len() < 12 && failure.is_none() {
            let op = op(&mut dice, &copied);
            failure = apply(&root, &op, &context).err();
            ops.push(op);
        }
        let start = from.display().to_string();
        let mut builder = plan("same.rhai", "")
            .root("root", ["any", "", ""], None)
            .step(
                0,
                "host_run",
                "start",
                vec![host(&["cp", "-aT", &start, "$ROOT"])],
            );
        for path in sources(&copied) {
            builder = builder.file(&path);
        }
        for op in &ops {
            builder = builder.step(0, "op", "op", vec![op.clone()]);
        }
        let plan = builder.done();
        let output = bench.run(&plan, &[]);
        let said = super::real::said(&output);
        match &failure {
            Some(error) => {
                let last = format!("failed in step {},", ops.len() + 1);
                assert!(
                    !output.status.success() && said.contains(&last),
                    "case {case}: the runner fails with: {error}, {error:?}\n{ops:#?}\n{said}"
                );
            }
            None => {
                assert!(output.status.success(), "case {case}: {ops:#?}\n{said}");
                let made = bench.path("out/root");
                similar_trees(case, &ops, &tree(&root), &tree(&made));
                fs::remove_dir_all(made).unwrap();
            }
        }
        fs::remove_dir_all(root).unwrap();
    }
}

type Tree = std::collections::BTreeMap<String, (u32, u32, u32, Vec<u8>)>;

fn similar_trees(case: usize, ops: &[Op], runner: &Tree, script: &Tree) {
    let differ: Vec<String> = runner
        .keys()
        .chain(script.keys())
        .filter(|name| runner.get(*name) != script.get(*name))
        .map(|name| {
            let show = |tree: &Tree| match tree.get(name) {
                None => "absent".to_owned(),
                Some((mode, uid, gid, bytes)) => {
                    format!("{mode:o} {uid}:{gid} {:?}", String::from_utf8_lossy(bytes))
                }
            };
            format!(
                "{name}\n  runner {}\n  script {}",
                show(runner),
                show(script)
            )
        })
        .collect();
    assert!(
        differ.is_empty(),
        "case {case}: {ops:#?}\n{}",
        differ.join("\n")
    );
}
