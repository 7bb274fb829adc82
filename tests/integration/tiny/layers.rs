//! Layers: what is reused, why something runs, and that a cached build is the same as one
//! without a cache. Real builds of roots that hold one static program; root privileges and
//! systemd-nspawn, no network.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::mount::Mount;
use crate::support::{
    Project, mounts_below, processes_with, read, run, stderr, stdout, tiny, wait_for,
};

/// Everything of a tree that has to be the same: kind, mode, owner, links, target or
/// content, and extended attributes.
fn tree(root: &Path) -> BTreeMap<PathBuf, String> {
    let mut tree = BTreeMap::new();
    let mut links: BTreeMap<u64, PathBuf> = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let name = entry.path().strip_prefix(root).unwrap().to_owned();
        let what = if metadata.is_symlink() {
            format!("{:?}", std::fs::read_link(entry.path()).unwrap())
        } else if metadata.is_file() {
            let content = std::fs::read(entry.path()).unwrap();
            let first = links.entry(metadata.ino()).or_insert_with(|| name.clone());
            format!(
                "{} {first:?} x{}",
                blake3::hash(&content).to_hex(),
                metadata.nlink()
            )
        } else {
            String::new()
        };
        let xattrs: Vec<_> = xattr::list(entry.path())
            .unwrap()
            .filter(|name| !name.to_string_lossy().starts_with("trusted.overlay"))
            .map(|name| (name.clone(), xattr::get(entry.path(), &name).unwrap()))
            .collect();
        let facts = format!(
            "{:o} {}:{} {} {what} {xattrs:?}",
            metadata.mode(),
            metadata.uid(),
            metadata.gid(),
            metadata.rdev()
        );
        tree.insert(name, facts);
    }
    tree
}

#[track_caller]
fn same(ours: &Path, theirs: &Path, why: &str) {
    let (ours, theirs) = (tree(ours), tree(theirs));
    let mut differ = Vec::new();
    for path in ours.keys().chain(theirs.keys()) {
        if ours.get(path) != theirs.get(path) {
            differ.push(format!(
                "{path:?}: {:?} {:?}",
                ours.get(path),
                theirs.get(path)
            ));
        }
    }
    assert!(differ.is_empty(), "{why}\n{}", differ.join("\n"));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_plan_says_why_a_step_runs() {
    let project = Project::new();
    project.write("lib/motd", "one\n");
    let tool_path = project.write("tool", "#!/bin/sh\necho tool 1.0\n");
    std::fs::set_permissions(
        &tool_path,
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let stdlib = project.path().join("stdlib");
    run(Command::new("cp")
        .arg("-r")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib"))
        .arg(&stdlib));
    let program = tool_path.display();
    std::fs::write(
        stdlib.join("host/versions.toml"),
        text!(
            r#""{program}" = ["{program}"]
"#,
            program
        ),
    )
    .unwrap();
    let recipe = tiny(&text!(
        r#"let flavour = option("flavour", #{ default: "mild", choices: ["mild", "hot"] });
root.host_run(["{program}"]);
root.nspawn_run(["sh", "-c", "true", "install", "nano"], #{ env: #{ A: "1" } });
root.copy_in("lib/motd", "/etc/motd");
root.nspawn_run(["true"]);
root.write_file("/etc/flavour", flavour);
root.nspawn_run(["touch", "/last"]);
"#,
        program
    ));
    let with_stdlib = ["--stdlib", "stdlib"];
    let reason = |arguments: &[&str]| -> String {
        let mut all = with_stdlib.to_vec();
        all.extend(arguments);
        let text = project.plan().args(&all).success().out();
        let found = text.lines().find(|line| line.trim().starts_with('('));
        found.map_or_else(|| "none".to_owned(), |line| line.trim().to_owned())
    };
    project.write("recipe.rhai", &recipe);
    assert_eq!(reason(&[]), "none", "there is no store yet");
    project.recipe(&recipe).build().args(with_stdlib).success();
    assert_eq!(reason(&[]), "none");
    let text = project.plan().args(with_stdlib).success().out();
    assert!(text.contains("7 cached, 0 to run"), "{text}");

    let edited = |from: &str, to: &str| {
        assert!(recipe.contains(from), "{from}");
        project.write("recipe.rhai", &recipe.replace(from, to));
        let reason = reason(&[]);
        project.write("recipe.rhai", &recipe);
        reason
    };
    assert_eq!(
        edited(r#""install", "nano""#, r#""install", "nano", "curl""#),
        "(`sh`: + curl)"
    );
    assert_eq!(edited(r#"A: "1""#, r#"A: "2""#), "(the variable A changed)");
    assert_eq!(
        edited(
            r#"root.nspawn_run(["true"]);"#,
            r#"root.nspawn_run(["false"]);"#
        ),
        "(`false`: + false, - true)"
    );
    assert_eq!(
        edited(
            r#"root.nspawn_run(["true"]);
"#,
            ""
        ),
        "(gone: run true)"
    );
    assert_eq!(
        edited(
            "root.copy_in",
            r#"root.nspawn_run(["echo", "new"]);
root.copy_in"#
        ),
        "(new: run echo new)"
    );
    assert_eq!(
        reason(&["-o", "flavour=hot"]),
        "(option flavour: mild → hot)"
    );
    project.write("lib/motd", "two\n");
    assert_eq!(reason(&[]), "(file lib/motd changed)");
    project.write("lib/motd", "one\n");
    assert_eq!(reason(&[]), "none");
    project.write("tool", "#!/bin/sh\n\necho tool 1.1\n");
    assert_eq!(reason(&[]), format!("({program} 1.0 → 1.1)"));
    // The build says the same, and what follows has no reason of its own.
    let output = project.recipe(&recipe).build().args(with_stdlib).success();
    let said = stderr(&output);
    assert!(
        said.contains("runs: ") && said.contains("1.0 → 1.1"),
        "{said}"
    );
    assert_eq!(said.matches("runs: ").count(), 1, "{said}");

    project.command(&["cache", "rm", "--everything"]).success();
    assert_eq!(
        reason(&[]),
        "(its layer is not in the store: it failed, or was removed)"
    );
}

/// A small generator of numbers: the same on every machine (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }
}

/// A step on a few names, so that steps meet: files, folders, links, removals, commands.
fn random_step(random: &mut Random) -> String {
    let names = ["a", "b", "d/a", "d/b", "d/e/a", "f/a"];
    let path = random.pick(&names);
    let other = random.pick(&names);
    let folder = random.pick(&["d", "d/e", "f"]);
    let word = random.below(1000);
    match random.below(16) {
        0..=2 => text!(r#"root.write_file("/w/{path}", "{word}\n");"#, path, word),
        3 => text!(r#"root.append_file("/w/{path}", "{word}\n");"#, path, word),
        4 => text!(r#"root.remove_path("/w/{path}", #{ missing_ok: true });"#, path),
        5 => text!(r#"root.remove_path("/w/{folder}", #{ missing_ok: true });"#, folder),
        6 => format!("root.make_dir(\"/w/{folder}\", #{{ mode: 0o7{word_mode}5 }});", word_mode = word % 8),
        7 => text!(r#"root.host_run(["sh", "-c", "rm -rf $0/w/{folder}; mkdir -p $0/w/{folder}; echo {word} >$0/w/{folder}/a", root.path]);"#, folder, word),
        8 => text!(r#"root.host_run(["sh", "-c", "mkdir -p $0/w/d; echo {word} >>$0/w/d/b; ln -f $0/w/d/b $0/w/hard", root.path]);"#, word),
        9 => r#"root.host_run(["sh", "-c", "if [ -f $0/w/hard ]; then echo in-place >>$0/w/hard; fi", root.path]);"#.to_owned(),
        10 => text!(r#"root.host_run(["sh", "-c", "if [ -d $0/w/{folder} ]; then rm -rf $0/w/moved; mv $0/w/{folder} $0/w/moved; fi", root.path]);"#, folder),
        11 => text!(r#"root.host_run(["sh", "-c", "mkdir -p $0/w; ln -sfn {other} $0/w/link", root.path]);"#, other),
        12 => text!(r#"root.host_run(["sh", "-c", "mkdir -p $0/w; if [ -f $0/w/{path} ]; then setfattr -n user.x -v {word} $0/w/{path}; fi", root.path]);"#, path, word),
        13 => text!(r#"root.host_run(["sh", "-c", "mkdir -p $0/w; if [ -f $0/w/{path} ]; then chown {word}:1 $0/w/{path}; fi", root.path]);"#, path, word),
        14 => format!("root.host_run([\"sh\", \"-c\", \"mkdir -p $0/w; rm -f $0/w/fifo; mkfifo -m 6{mode}0 $0/w/fifo\", root.path]);", mode = word % 8),
        _ => text!(r#"root.nspawn_run(["sh", "-c", "mkdir -p /w; n=$(ls -R /w | wc -l); echo $n >/w/count; echo {word} >>/w/count"]);"#, word),
    }
}

/// Random recipes of file and command steps, edited at random: with and without a cache
/// the trees are equal. ROOTWRIGHT_ROUNDS says how many recipes; each is edited six times.
#[test]
#[ignore = "run with tests/run tiny"]
fn a_cached_build_is_the_same_as_one_without_a_cache() {
    let rounds = std::env::var("ROOTWRIGHT_ROUNDS").map_or(6, |text| text.parse().unwrap());
    for round in 1..=rounds {
        let project = Project::new();
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (round * 7919));
        let mut steps: Vec<String> = (0..8).map(|_| random_step(&mut random)).collect();
        for edit in 0..6 {
            let at = usize::try_from(random.below(steps.len() as u64)).unwrap();
            match random.below(4) {
                0 if steps.len() > 3 => drop(steps.remove(at)),
                1 => steps.insert(at, random_step(&mut random)),
                2 => {
                    let other = usize::try_from(random.below(steps.len() as u64)).unwrap();
                    steps.swap(at, other);
                }
                _ => steps[at] = random_step(&mut random),
            }
            let export = r#"root.export(#{ format: "dir", name: "x" });"#;
            let steps = steps.join("\n");
            project
                .tiny(format!("{steps}\n{export}\n"))
                .build()
                .success();
            for folder in ["fresh-store", "fresh-out"] {
                let _ = std::fs::remove_dir_all(project.path().join(folder));
            }
            let mut fresh = crate::support::rootwright();
            fresh.current_dir(project.path()).args([
                "--store",
                "fresh-store",
                "build",
                "recipe.rhai",
                "--allow-host-run",
                "--out",
                "fresh-out",
            ]);
            run(&mut fresh);
            same(
                &project.out().join("x/root"),
                &project.path().join("fresh-out/x/root"),
                &format!("round {round}, edit {edit}:\n{steps}"),
            );
        }
    }
}

/// Each command in a layer of its own, against all of them on a plain copy.
#[test]
#[ignore = "run with tests/run tiny"]
fn layers_keep_what_a_plain_copy_keeps() {
    layers_against_a_plain_copy(
        &["setfattr -n user.color -v blue w/d/e/1; mkfifo w/fifo"],
        &[],
    );
    // What only root of the host may make.
    let devices = "setfattr -n trusted.mine -v 1 w/d/e/2; mknod w/null c 1 3";
    layers_against_a_plain_copy(&[devices], &["--unconfined"]);
}

fn layers_against_a_plain_copy(more: &[&str], flags: &[&str]) {
    let commands = [
        &["mkdir -p w/d/e; for i in 1 2 3; do echo $i >w/d/$i; echo $i >w/d/e/$i; done; echo x >w/gone"][..],
        more,
        &[
        "echo one >w/hard; ln w/hard w/hard2; ln w/hard w/d/hard3; truncate -s 1M w/sparse",
        "touch -d '2001-02-03 04:05:06.123456789' w/d/1 w/d",
        "cp /bin/busybox w/cap; setcap cap_net_raw+ep w/cap; chmod 4755 w/d/2; setfacl -m u:33:rw w/d/3",
        // In place, through one of three names.
        "echo two >>w/hard2",
        "rm w/gone; rm -r w/d/e; mkdir w/d/e; echo new >w/d/e/4",
        "mv w/d w/moved; mkdir w/d; echo again >w/d/again",
        "chown 33:34 w/moved/hard3",
        "mv w/moved/1 w/moved/one; ln -s one w/moved/link; chmod 700 w/moved",
        "rm w/hard; echo three >w/hard; touch -h -d '2010-01-01 00:00:00.5' w/moved/link",
        "echo four >>w/moved/hard3",
        ],
    ]
    .concat();
    let project = Project::new();
    let mut recipe = tiny(r#"root.export(#{ format: "dir", name: "base" });"#);
    for command in &commands {
        let quoted = command.replace('\\', "\\\\").replace('"', "\\\"");
        recipe.push_str(&text!(
            r#"root.host_run(["sh", "-euc", "cd $0; {quoted}", root.path]);
"#,
            quoted
        ));
    }
    recipe.push_str(
        r#"root.export(#{ format: "dir", name: "x" });
"#,
    );
    project.recipe(&recipe).build().args(flags).success();
    let plain = project.path().join("plain");
    run(Command::new("cp")
        .args(["-a", "--preserve=all"])
        .arg(project.out().join("base/root").canonicalize().unwrap())
        .arg(&plain));
    for command in &commands {
        run(Command::new("sh")
            .args(["-euc", command])
            .current_dir(&plain));
    }
    let ours = project.out().join("x/root");
    same(&ours, &plain, "layers against a plain copy");
    for name in ["w/moved/one", "w/moved/link"] {
        let time = |root: &Path| {
            let metadata = std::fs::symlink_metadata(root.join(name)).unwrap();
            (metadata.mtime(), metadata.mtime_nsec())
        };
        assert_eq!(time(&ours), time(&plain), "{name}");
    }
    let holes = std::fs::metadata(ours.join("w/sparse")).unwrap();
    assert!(
        holes.len() == 1 << 20 && holes.blocks() == 0,
        "holes are kept"
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn steps_that_change_files_join_the_next_command() {
    let project = Project::new();
    project
        .tiny(
            r#"root.write_file("/a", "1");
root.write_file("/b", "1");
root.nspawn_run(["true"]);
root.write_file("/c", "1");
root.export(#{ format: "dir", name: "x" });
root.write_file("/d", "1");
"#,
        )
        .build()
        .success();
    let layers = std::fs::read_dir(project.store().join("layers")).unwrap();
    assert_eq!(layers.count(), 4, "bootstrap, a to the command, c, d");
    let root = project.out().join("x/root");
    assert!(root.join("c").exists() && !root.join("d").exists());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn branches_share_their_base_and_go_on_by_themselves() {
    let project = Project::new();
    project.tiny(
        r#"root.write_file("/base", "1");
let web = root.fork("web");
root.write_file("/later", "1");
let deep = web.fork("deep");
web.nspawn_run(["sh", "-c", "echo web >/role"]);
deep.nspawn_run(["sh", "-c", "echo deep >/role; ls / >/seen"]);
for node in [root, web, deep] { node.export(#{ format: "dir", name: node.name }); }
"#,
    );
    project.build().args(["-j", "3"]).success();
    let exported = |root: &str, path: &str| project.out().join(root).join("root").join(path);
    for root in ["tiny", "web", "deep"] {
        assert!(exported(root, "base").exists(), "{root}");
    }
    assert!(exported("tiny", "later").exists());
    assert!(!exported("web", "later").exists() && !exported("deep", "later").exists());
    assert_eq!(read(exported("web", "role")), "web\n");
    assert_eq!(read(exported("deep", "role")), "deep\n");
    let seen = read(exported("deep", "seen"));
    assert!(seen.contains("base") && !seen.contains("later"), "{seen}");
    // bootstrap, /base, and one each.
    let layers = std::fs::read_dir(project.store().join("layers")).unwrap();
    assert_eq!(layers.count(), 5);
    // The script that needs no rootwright makes the same branches.
    let text = project.plan().success().out();
    assert!(
        text.contains("web: tiny") && text.contains("forked from tiny after step 2"),
        "{text}"
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn several_recipes_build_side_by_side_and_share_layers() {
    let project = Project::new();
    project.write("rootwright.toml", "");
    let meet = project.path().join("meet");
    std::fs::create_dir(&meet).unwrap();
    let shared = meet.display();
    for name in ["one", "two", "three"] {
        // Each waits for the two others: they end only if all three run at a time.
        project.write(
            &format!("recipes/{name}.rhai"),
            &tiny(&text!(
                r#"root.nspawn_run(["sh", "-c", "echo shared >/shared"]);
root.nspawn_run("echo {name} >/name; echo 1 >/meet/{name}; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do if [ -e /meet/one ] && [ -e /meet/two ] && [ -e /meet/three ]; then exit 0; fi; sleep 1; done; exit 1", #{ binds: [#{ host: "{shared}", path: "/meet" }] });
root.export(#{ format: "dir", name: "{name}" });
"#,
                name, shared
            )),
        );
    }
    let arguments = [
        "build",
        "recipes",
        "-j",
        "3",
        "--out",
        "out",
        "--allow-host-run",
    ];
    let said = stderr(&project.command(&arguments).success());
    for name in ["one", "two", "three"] {
        let exported = project.out().join(name).join("root/name");
        assert_eq!(read(exported), format!("{name}\n"));
        assert!(said.contains(&format!("{name} 3. ")), "{said}");
    }
    let layers = std::fs::read_dir(project.store().join("layers")).unwrap();
    assert_eq!(
        layers.count(),
        5,
        "bootstrap, the shared one, three of their own"
    );
    // An option goes to the recipes that have it; one that none has is an error.
    let wrong = project.command(&arguments);
    let wrong = wrong.option("colour=red").failure();
    assert!(
        stderr(&wrong).contains("unknown option `colour`: none of the recipes declares it"),
        "{}",
        stderr(&wrong)
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn two_builds_make_a_layer_once_and_the_other_says_that_it_waits() {
    let project = Project::new();
    let gate = Gate::new(&project);
    let recipe = tiny(&format!(
        "{}{}",
        gate.step(),
        r#"root.export(#{ format: "dir", name: "x" });"#
    ));
    let log = project.path().join("second.log");
    let waiting = || {
        let mut second = project.recipe(&recipe).build_to("out2");
        let second = second.stderr(std::fs::File::create(&log).unwrap());
        let second = second.spawn().unwrap();
        wait_for("the second build to wait", || {
            read(&log).contains("another build makes this layer, waiting for it")
        });
        second
    };
    let mut first = project.recipe(&recipe).build();
    let mut first = first.stderr(Stdio::null()).spawn().unwrap();
    gate.reached();
    // Ctrl-C ends the wait.
    let mut second = waiting();
    let start = Instant::now();
    run(Command::new("kill").args(["-INT", &second.id().to_string()]));
    assert_eq!(second.wait().unwrap().code(), Some(130), "{}", read(&log));
    assert!(start.elapsed() < Duration::from_secs(8));
    let mut second = waiting();
    gate.open();
    assert!(first.wait().unwrap().success());
    assert!(second.wait().unwrap().success(), "{}", read(&log));
    assert!(read(&log).contains("cached"), "{}", read(&log));
    let commands: usize = walkdir::WalkDir::new(project.store().join("logs"))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.ends_with("journal.jsonl"))
        .map(|path| read(path).matches("gate/reached").count())
        .sum();
    assert_eq!(commands, 1, "the command ran once");
}

/// A step that waits until the test lets it go on, for a minute at most.
struct Gate(PathBuf);

impl Gate {
    fn new(project: &Project) -> Gate {
        let gate = project.beside().join("gate");
        std::fs::create_dir(&gate).unwrap();
        Gate(gate)
    }

    fn step(&self) -> String {
        let gate = self.0.display();
        text!(
            r#"root.host_run(["sh", "-euc", `
    touch {gate}/reached
    i=0
    until [ -e {gate}/open ] || [ $i = 600 ]; do sleep 0.1; i=$((i + 1)); done
    echo $$ >"$0/r"
`, root.path], #{ binds: [#{ host: "{gate}" }] });
"#,
            gate
        )
    }

    /// Waits for a build to be at the step.
    fn reached(&self) {
        wait_for("the step to begin", || self.0.join("reached").exists());
    }

    fn open(&self) {
        std::fs::write(self.0.join("open"), "").unwrap();
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_shell_sees_any_step_and_leaves_nothing() {
    let project = Project::new();
    let recipe = tiny(
        r#"root.write_file("/one", "1\n");
root.write_file("/two", "2\n");
root.nspawn_run(["sh", "-c", "echo 3 >/three"]);
root.nspawn_run(["sh", "-c", "echo half >/half; exit 7"]);
"#,
    );
    let failed = project.recipe(&recipe).build().output();
    let said = stderr(&failed);
    assert!(
        said.contains("rootwright shell --store store --allow-host-run recipe.rhai --failed"),
        "{said}"
    );
    let shell = |arguments: &[&str]| {
        let mut all = vec!["shell", "recipe.rhai", "--allow-host-run"];
        all.extend(arguments);
        project.command(&all).stdin(Stdio::null()).output().unwrap()
    };
    let seen = |arguments: &[&str]| stdout(&shell(arguments));
    let at = |point: &[&str]| {
        let mut all = point.to_vec();
        all.extend([
            "--",
            "sh",
            "-c",
            "cd /; for f in one two three half; do [ -e $f ] && echo $f; done; true",
        ]);
        seen(&all).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(at(&["--step", "1"]), "");
    assert_eq!(at(&["--step", "2"]), "one");
    assert_eq!(at(&["--before", "4"]), "one two");
    assert_eq!(at(&["--step", "4"]), "one two three");
    assert_eq!(at(&["--failed"]), "one two three half");
    let not_built = shell(&["--step", "5", "--", "true"]);
    assert_eq!(not_built.status.code(), Some(1));
    assert!(
        stderr(&not_built).contains("step 5 has not been built"),
        "{}",
        stderr(&not_built)
    );
    assert!(stderr(&not_built).contains("rootwright build recipe.rhai"));
    // What is done there is gone afterwards, and with --keep printed; its status is ours.
    let kept = shell(&[
        "--step",
        "4",
        "--keep",
        "--",
        "sh",
        "-c",
        "echo new >/new; rm /one; echo more >>/two; exit 3",
    ]);
    assert_eq!(kept.status.code(), Some(3), "{}", stderr(&kept));
    assert_eq!(
        stdout(&kept),
        "+ /new\n    @@ -0,0 +1 @@\n    +new\n- /one\n~ /two\n    @@ -1 +1,2 @@\n     2\n    +more\n"
    );
    assert_eq!(at(&["--step", "4"]), "one two three");
    let nothing = shell(&["--step", "99"]);
    assert!(
        stderr(&nothing).contains("there is no step 99"),
        "{}",
        stderr(&nothing)
    );
    // A cure, and what failed is forgotten.
    project
        .recipe(recipe.replace("exit 7", "true"))
        .build()
        .success();
    let none = shell(&["--failed"]);
    assert!(
        stderr(&none).contains("no step of this recipe has failed"),
        "{}",
        stderr(&none)
    );
    assert_eq!(mounts_below(project.path()), Vec::<String>::new());
}

/// An archive of the made sort: a file that says its state.
fn with_archive(project: &Project) -> String {
    let stdlib = project.path().join("stdlib");
    run(Command::new("cp")
        .arg("-r")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib"))
        .arg(&stdlib));
    let url = project.path().join("InRelease");
    let url = url.display();
    let module = project
        .read("distro/tiny.rhai")
        .replace(
            "fn describe_tiny(root) { }",
            &text!(
                r#"fn describe_tiny(root) {
    archive(root, #{ name: "made", url: "file://{url}", state: "^ [0-9a-f]+ main$", date: "(?m)^Date: (.+)$" });
    uses_archives(root);
}"#,
                url
            ),
        )
        .replace("fn install(root, packages, opts) {", "fn install(root, packages, opts) {\n    uses_archives(root);");
    std::fs::write(stdlib.join("distro/tiny.rhai"), module).unwrap();
    std::fs::remove_dir_all(project.path().join("distro")).unwrap();
    tiny(
        r#"root.install(["p"]);
root.nspawn_run(["true"]);
"#,
    )
}

#[test]
#[ignore = "run with tests/run tiny"]
fn layers_are_as_old_as_their_archives_and_refresh_looks() {
    let project = Project::new();
    let recipe = with_archive(&project);
    let release = |date: &str, state: &str| {
        let text = format!("Origin: Made\nDate: {date}\nSHA256:\n {state} main\n {state}0 other\n");
        project.write("InRelease", &text);
    };
    let build = |arguments: &[&str]| {
        let build = project.recipe(&recipe).build();
        build
            .args(["--stdlib", "stdlib"])
            .args(arguments)
            .success()
            .err()
    };
    let cached = |said: &str| said.matches("  cached").count();
    release("Mon, 02 Nov 2026 10:00:00 UTC", "aa");
    assert_eq!(cached(&build(&[])), 0);
    let text = project.plan().args(["--stdlib", "stdlib"]).success().out();
    assert!(text.contains("packages of 2026-11-02, "), "{text}");
    // Only the date: the same packages.
    release("Tue, 03 Nov 2026 10:00:00 UTC", "aa");
    assert_eq!(cached(&build(&["--refresh"])), 3);
    // Other packages: nobody looks, until told to, or the layer is older than it may be.
    release("Wed, 04 Nov 2026 10:00:00 UTC", "bb");
    assert_eq!(cached(&build(&[])), 3);
    assert_eq!(cached(&build(&["--refresh=1h"])), 3);
    let said = build(&["--refresh"]);
    assert_eq!(cached(&said), 0, "{said}");
    assert!(said.contains("archives changed: made"), "{said}");
    assert_eq!(
        cached(&build(&[])),
        3,
        "the newer layers are the ones that are taken now"
    );
    // Back: those layers are there still.
    release("Wed, 04 Nov 2026 11:00:00 UTC", "aa");
    assert_eq!(cached(&build(&["--refresh"])), 3);
    // And they are those that are taken from now on.
    let text = project.plan().args(["--stdlib", "stdlib"]).success().out();
    assert!(
        text.contains("packages of 2026-11-0") && text.contains("3 cached, 0 to run"),
        "{text}"
    );
    assert_eq!(cached(&build(&[])), 3);
    // The repository's own policy.
    release("Thu, 05 Nov 2026 10:00:00 UTC", "cc");
    project.write(
        "rootwright.toml",
        r#"[cache]
refresh = "0s"
"#,
    );
    assert_eq!(cached(&build(&[])), 0);
    // An archive that does not answer changes nothing.
    std::fs::remove_file(project.path().join("InRelease")).unwrap();
    assert_eq!(cached(&build(&["--refresh"])), 3);
    project.write(
        "rootwright.toml",
        r#"[cache]
refresh = "soon"
"#,
    );
    let wrong = project.recipe(&recipe).build().output();
    assert!(
        stderr(&wrong).contains("`soon` is no length of time"),
        "{}",
        stderr(&wrong)
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn offline_builds_take_what_is_there_or_say_what_is_missing() {
    let project = Project::new();
    let recipe = with_archive(&project);
    let module = project.path().join("stdlib/distro/tiny.rhai");
    let far = read(&module).replace("file://", "http://mirror.example.org");
    std::fs::write(&module, far).unwrap();
    let build = |recipe: &str, arguments: &[&str]| {
        let build = project.recipe(recipe).build();
        build.args(["--stdlib", "stdlib"]).args(arguments).output()
    };
    let refused = build(&recipe, &["--offline"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = stderr(&refused);
    assert!(
        said.contains("step 1 has to run, and `http://mirror.example.org"),
        "{said}"
    );
    assert!(said.contains("recipe.rhai:1:"), "{said}");
    assert!(said.contains("build once without `--offline`"), "{said}");
    assert!(
        build(&recipe, &[]).status.success(),
        "the archive's state is not known, that is all"
    );
    let again = build(&recipe, &["--offline"]);
    assert!(again.status.success() && stderr(&again).matches("  cached").count() == 3);
    // Nothing of an offline build reaches a network.
    let looks = r#"root.nspawn_run(["sh", "-c", "ls /sys/class/net >/net; cat /proc/net/route >>/net"]);
root.export(#{ format: "dir", name: "x" });
"#;
    let done = build(&format!("{recipe}{looks}"), &["--offline"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let routes = read(project.out().join("x/root/net"));
    // The head of the table of routes at most.
    assert!(
        routes.starts_with("lo\n") && !routes.contains("eth"),
        "{routes}"
    );
    assert!(routes.lines().count() <= 2, "{routes}");
    let broken = build(
        &text!(r#"{recipe}root.nspawn_run(["false"]);"#, recipe),
        &["--offline"],
    );
    assert!(
        stderr(&broken).contains("the build is `--offline`: without that it can download"),
        "{}",
        stderr(&broken)
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_cache_is_looked_after() {
    let project = Project::new();
    let recipe = |word: &str| {
        tiny(&text!(
            r#"root.nspawn_run(["sh", "-c", "echo {word} >/word"]);
root.export(#{ format: "dir", name: "{word}" });
"#,
            word
        ))
    };
    project.recipe(recipe("old")).build().success();
    project.recipe(recipe("new")).build().success();
    let cache = |arguments: &[&str]| {
        let mut all = vec!["cache"];
        all.extend(arguments);
        project.command(&all).output()
    };
    let listed = stdout(&cache(&["ls"]));
    assert!(
        listed.contains("run sh -c 'echo old >/word'") && listed.contains("recipe.rhai"),
        "{listed}"
    );
    let json: serde_json::Value = serde_json::from_str(&stdout(&cache(&["ls", "--json"]))).unwrap();
    let layers = |word: &str| -> Vec<serde_json::Value> {
        let all = json.as_array().unwrap().iter();
        all.filter(|entry| {
            entry["kind"] == "layers" && entry["label"].as_str().unwrap().contains(word)
        })
        .cloned()
        .collect()
    };
    assert_eq!(layers("echo old").len(), 1);
    let explained = stdout(&cache(&["explain", "recipe.rhai", "2", "--allow-host-run"]));
    assert!(
        explained.contains("cached") && explained.contains("(step 1)"),
        "{explained}"
    );
    let none = cache(&["explain", "recipe.rhai", "3", "--allow-host-run"]);
    assert!(
        stderr(&none).contains("step 3, export new (dir), makes no layer"),
        "{}",
        stderr(&none)
    );

    // What an export that is kept was made from stays; the export gone, it goes.
    let gc = ["gc", "--keep", "0", "--max-age", "0s"];
    let said = stdout(&cache(&gc));
    assert!(
        !said.contains("echo") && !said.contains("bootstrap"),
        "{said}"
    );
    std::fs::remove_dir_all(project.out().join("old")).unwrap();
    let said = stdout(&cache(&gc));
    assert!(
        said.contains("echo old") && !said.contains("echo new"),
        "{said}"
    );
    assert!(
        stderr(&project.recipe(recipe("new")).build().success())
            .matches("  cached")
            .count()
            == 3
    );

    // A running build keeps what it needs.
    std::fs::remove_dir_all(project.out()).unwrap();
    let gate = Gate::new(&project);
    let mut build = project
        .recipe(format!("{}{}", recipe("new"), gate.step()))
        .build();
    let mut build = build.stderr(Stdio::null()).spawn().unwrap();
    gate.reached();
    let said = stdout(&cache(&gc));
    assert!(
        !said.contains("echo") && !said.contains("bootstrap"),
        "{said}"
    );
    let held = cache(&["rm", layers("bootstrap")[0]["name"].as_str().unwrap()]);
    assert!(
        stderr(&held).contains("a running build needs it"),
        "{}",
        stderr(&held)
    );
    gate.open();
    assert!(build.wait().unwrap().success());

    // A damaged layer is found, named, removed and made anew.
    assert!(cache(&["verify"]).status.success());
    let new = layers("echo new")[0]["name"].as_str().unwrap().to_owned();
    std::fs::write(
        project.store().join("layers").join(&new).join("fs/word"),
        "bad\n",
    )
    .unwrap();
    let damaged = cache(&["verify"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(
        stdout(&damaged).contains(&format!("layers/{new}: its files are not those")),
        "{}",
        stdout(&damaged)
    );
    let removed = cache(&["rm", &new[..10]]);
    assert!(removed.status.success(), "{}", stderr(&removed));
    assert!(cache(&["verify"]).status.success());
    project.recipe(recipe("new")).build().success();
    assert_eq!(read(project.out().join("new/root/word")), "new\n");
    assert!(stderr(&cache(&["rm", "nothing"])).contains("the store holds no `nothing`"));
    let without = project
        .command(&["--store", "nowhere", "cache", "ls"])
        .output();
    assert_eq!(without.status.code(), Some(2), "the store is named twice");
}

/// Builds `word` into a package of this content, with a folder of downloads whose fields are
/// `more`, and returns what it saw there.
fn downloading(project: &Project, word: &str, more: &str) -> String {
    project
        .recipe(tiny(&text!(
            r#"root.nspawn_run(["sh", "-c", "cd /cache; for f in *; do [ -e $f ] && echo $f: $(cat $f); done >/seen; mkdir -p partial; echo {word} >{word}.pkg; echo half >half.tmp"], #{ downloads: [#{ pool: "p", path: "/cache", suffix: ".pkg"{more} }] });
root.export(#{ format: "dir", name: "x" });
"#,
            word, more
        )))
        .build()
        .success();
    let root = project.out().join("x/root");
    assert_eq!(std::fs::read_dir(root.join("cache")).unwrap().count(), 0);
    read(root.join("seen"))
}

/// The command of a folder of downloads that offers files of these contents, by these names.
fn index(offers: &[(&str, &str)]) -> String {
    let lines: Vec<String> = offers
        .iter()
        .map(|(name, content)| format!("echo $(echo {content} | sha256sum | cut -c 1-64) {name}"))
        .collect();
    format!(r#", index: "{}""#, lines.join("; "))
}

/// The next build gets downloads by digest, and they are in no image.
#[test]
#[ignore = "run with tests/run tiny"]
fn downloads_are_kept_for_other_builds() {
    let project = Project::new();
    let seen = |word: &str, more: &str| downloading(&project, word, more);
    assert_eq!(seen("one", &index(&[("one.pkg", "one")])), "");
    assert_eq!(seen("two", &index(&[("one.pkg", "one")])), "one.pkg: one\n");
    // Nothing offers it: neither the digest nor the name alone is enough.
    assert_eq!(seen("three", ""), "");
    assert_eq!(seen("four", &index(&[("one.pkg", "other")])), "");
    assert_eq!(seen("five", &index(&[("b.pkg", "one")])), "b.pkg: one\n");
    for name in ["../one.pkg", ".one.pkg", "one.tmp", "/one.pkg"] {
        assert_eq!(seen("six", &index(&[(name, "one")])), "", "{name}");
    }
    // An index that fails offers nothing.
    assert_eq!(seen("seven", r#", index: "exit 1""#), "");
    // The command checks digests itself.
    assert!(seen("eight", ", checked: true").contains("two.pkg: two\n"));
    let pool = project.store().join("packages/p");
    assert!(std::fs::read_dir(&pool).unwrap().count() > 4);
    project.command(&["cache", "verify"]).success();
    let wrong = project
        .recipe(tiny(
            r#"root.nspawn_run(["true"], #{ downloads: [#{ pool: "../p", path: "/cache", suffix: ".pkg" }] });"#,
        ))
        .build()
        .output();
    assert!(
        stderr(&wrong).contains("invalid name `../p` for a pool"),
        "{}",
        stderr(&wrong)
    );
}

/// A recipe overwrites, replaces, links and adds files in its folder of downloads.
#[test]
#[ignore = "run with tests/run tiny"]
fn a_recipe_does_not_change_downloads_of_others() {
    let project = Project::new();
    let one = index(&[("one.pkg", "one")]);
    downloading(&project, "one", &one);
    let attacks = [
        "echo evil >one.pkg",
        "cat one.pkg; echo evil >>one.pkg; chmod 4777 one.pkg",
        "rm one.pkg; echo evil >one.pkg",
        "ln -f one.pkg two.pkg; echo evil >two.pkg",
        "ln -s /etc/passwd one.lnk.pkg; mkfifo fifo.pkg; mkdir dir.pkg; rm -rf one.pkg",
        "mv -f one.pkg $(echo one | sha256sum | cut -c 1-64)-one.pkg; echo evil >one.pkg",
    ];
    for (checked, more) in [one.as_str(), ", checked: true"].iter().enumerate() {
        for (number, attack) in attacks.iter().enumerate() {
            project
                .recipe(tiny(&text!(
                    r#"root.nspawn_run("cd /cache; {attack}", #{ downloads: [#{ pool: "p", path: "/cache", suffix: ".pkg"{more} }] });
"#,
                    attack, more
                )))
                .build()
                .success();
            // Another word each time: a cached layer would tell nothing.
            let word = format!("word-{checked}-{number}");
            assert_eq!(
                downloading(&project, &word, &one),
                "one.pkg: one\n",
                "{attack}"
            );
        }
    }
    // A disk that changes a file.
    let pool = project.store().join("packages/p");
    let files = std::fs::read_dir(&pool).unwrap().flatten();
    let mut good: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    good.retain(|path| std::fs::read(path).unwrap() == b"one\n");
    for path in &good {
        let metadata = std::fs::metadata(path).unwrap();
        assert_eq!((metadata.nlink(), metadata.mode() & 0o7777), (1, 0o644));
        std::fs::write(path, "bad\n").unwrap();
    }
    assert_eq!(downloading(&project, "word", &one), "");
    assert!(!good.iter().any(|path| path.exists()));
}

/// kill -9 at random moments of builds that run two at a time. ROOTWRIGHT_KILLS says how
/// many.
#[test]
#[ignore = "run with tests/run tiny"]
fn killed_builds_leave_a_clean_store() {
    let kills: u64 = std::env::var("ROOTWRIGHT_KILLS").map_or(24, |text| text.parse().unwrap());
    let project = Project::new();
    let marker = project
        .beside()
        .file_name()
        .unwrap()
        .to_string_lossy()
        .into_owned();
    let mut random = Random(0x0BAD_5EED);
    // Two recipes that share their bootstrap and the first steps of both branches.
    let recipe = |name: &str, generation: u64| {
        let mut recipe = tiny("");
        for branch in ["a", "b"] {
            recipe.push_str(&text!(
                r#"let {branch} = root.fork("{branch}");
"#,
                branch
            ));
            for step in 0..3 {
                let owner = if step == 2 { name } else { "both" };
                recipe.push_str(&text!(r#"{branch}.nspawn_run(["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo {generation} {owner} >/{branch}{step}$i; done"]);
"#, branch, generation, owner, step));
            }
            recipe.push_str(&text!(
                r#"{branch}.export(#{ format: "dir", name: "{name}-{branch}" });
"#,
                branch,
                name
            ));
        }
        recipe
    };
    let build = |name: &str, generation: u64| {
        project.write(&format!("{name}.rhai"), &recipe(name, generation));
        let mut command = crate::support::rootwright();
        command.current_dir(project.path()).args([
            "build",
            &format!("{name}.rhai"),
            "--allow-host-run",
            "--store",
            "store",
            "--out",
            "out",
            "-j",
            "2",
        ]);
        command
    };
    let start = Instant::now();
    let both = ["one", "two"].map(|name| build(name, 999).stderr(Stdio::null()).spawn().unwrap());
    for mut child in both {
        assert!(child.wait().unwrap().success());
    }
    let whole = u64::try_from(start.elapsed().as_millis()).unwrap();
    let (mut killed, mut rounds) = (0, 0);
    while killed < kills {
        rounds += 1;
        assert!(
            rounds < kills * 3,
            "few builds were still running: {killed}"
        );
        // Every third recipe is one that was begun before.
        let generation = rounds - rounds % 3;
        let both = ["one", "two"].map(|name| {
            let mut build = build(name, generation);
            build.stderr(Stdio::null()).spawn().unwrap()
        });
        for mut child in both {
            std::thread::sleep(Duration::from_millis(random.below(whole / 2)));
            killed += u64::from(child.try_wait().unwrap().is_none());
            let _ = child.kill();
            child.wait().unwrap();
        }
        // The kernel ends what PID 1 had started.
        wait_for("processes to end", || processes_with(&marker).is_empty());
        assert_eq!(mounts_below(project.path()), Vec::<String>::new());
    }
    project.command(&["cache", "verify"]).success();
    for name in ["one", "two"] {
        run(&mut build(name, 1_000_000));
        for (file, owner) in [("a/root/a09", "both"), ("b/root/b29", name)] {
            let path = project.out().join(format!("{name}-{file}"));
            assert_eq!(read(path), format!("1000000 {owner}\n"));
        }
    }
    for folder in [project.store().join("tmp"), project.out()] {
        let entries = std::fs::read_dir(&folder).unwrap().flatten();
        let left: Vec<_> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with("one-") && !name.starts_with("two-"))
            .collect();
        assert_eq!(left, Vec::<String>::new(), "{}", folder.display());
    }
}

/// The room on the disk shrinks by a few blocks a time: it ends in each part of a build,
/// the commit among them.
#[test]
#[ignore = "run with tests/run tiny"]
fn a_disk_that_is_full_at_any_moment_leaves_a_clean_store() {
    let project = Project::new();
    let disk = project.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let image = project.path().join("disk.img");
    run(Command::new("truncate").args(["-s", "1400M"]).arg(&image));
    run(Command::new("mkfs.ext4")
        .args(["-q", "-m", "0"])
        .arg(&image));
    run(Command::new("mount")
        .args(["-o", "loop"])
        .arg(&image)
        .arg(&disk));
    let mounted = Mount(disk.clone());
    // A build begins with enough room. Its command takes all but some of it, and what the
    // layer and the export need after may be more than that.
    let recipe = |generation: u64, room: u64| {
        let at = disk.display();
        let take = format!(
            "if [ {room} != 0 ]; then fallocate -l $(($(df -B1 --output=avail {at} | tail -n 1) - {room})) {at}/filler; fi"
        );
        tiny(&text!(
            r#"root.host_run(["sh", "-c", "{take}; for i in $(seq 40); do head -c 20000 /dev/urandom >$0/f$i; done; echo {generation} >$0/generation", root.path], #{ binds: [#{ host: "{at}" }] });
root.export(#{ format: "dir", name: "x" });
"#,
            take,
            generation,
            at
        ))
    };
    let tool = |arguments: &[&str]| {
        let mut command = crate::support::rootwright();
        command
            .current_dir(project.path())
            .args(["--store", "disk/store"])
            .args(arguments);
        command.output().unwrap()
    };
    let build = |generation: u64, room: u64| {
        project.write("recipe.rhai", &recipe(generation, room));
        tool(&[
            "build",
            "recipe.rhai",
            "--allow-host-run",
            "--out",
            "disk/out",
        ])
    };
    let (mut failed, mut made) = (0, 0);
    build(0, 0);
    for round in 1..=24u64 {
        assert!(tool(&["cache", "rm", "--everything"]).status.success());
        let room = round * 350_000;
        let built = build(round, room);
        std::fs::remove_file(disk.join("filler")).unwrap();
        match built.status.code() {
            Some(0) => made += 1,
            Some(1) => {
                failed += 1;
                let said = stderr(&built).to_lowercase();
                assert!(
                    said.contains("no space left") || said.contains("disk is full"),
                    "{said}"
                );
            }
            other => panic!("{other:?}: {}", stderr(&built)),
        }
        let verified = tool(&["cache", "verify"]);
        assert!(
            verified.status.success(),
            "room {room}: {}{}",
            stdout(&verified),
            stderr(&verified)
        );
        let again = build(round, 0);
        assert!(again.status.success(), "room {room}: {}", stderr(&again));
        let text = read(disk.join("out/x/root/generation"));
        assert_eq!(text, format!("{round}\n"));
    }
    drop(mounted);
    assert!(failed > 0 && made > 0, "{failed} failed, {made} made");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_layer_that_lost_its_files_is_made_again() {
    let project = Project::new();
    project
        .tiny(
            r#"root.nspawn_run(["sh", "-c", "echo 1 >/one"]);
root.export(#{ format: "dir", name: "x" });
"#,
        )
        .build()
        .success();
    let layers = || {
        let folder = std::fs::read_dir(project.store().join("layers")).unwrap();
        folder
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    for damage in ["fs", "layer.json"] {
        for layer in layers() {
            let path = layer.join(damage);
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            } else {
                std::fs::write(path, "{").unwrap();
            }
        }
        project.command(&["cache", "verify"]).failure();
        std::fs::remove_dir_all(project.out()).unwrap();
        project.build().success();
        assert_eq!(read(project.out().join("x/root/one")), "1\n");
        project.command(&["cache", "verify"]).success();
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_disk_that_fills_up_leaves_a_clean_store() {
    let project = Project::new();
    let disk = project.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let image = project.path().join("disk.img");
    run(Command::new("truncate").args(["-s", "1600M"]).arg(&image));
    run(Command::new("mkfs.ext4").arg("-q").arg(&image));
    run(Command::new("mount")
        .args(["-o", "loop"])
        .arg(&image)
        .arg(&disk));
    let recipe = |megabytes: u64| {
        tiny(&text!(
            r#"for i in 0..{megabytes} { root.host_run(["sh", "-c", "head -c 100000000 /dev/zero >$0/f" + i, root.path]); }
root.nspawn_run(["true"]);
"#,
            megabytes
        ))
    };
    let build = |megabytes: u64| {
        project.write("recipe.rhai", &recipe(megabytes));
        let mut command = crate::support::rootwright();
        command.current_dir(project.path()).args([
            "--store",
            "disk/store",
            "build",
            "recipe.rhai",
            "--allow-host-run",
            "--out",
            "out",
        ]);
        command.output().unwrap()
    };
    let full = build(18);
    let verified = {
        let mut command = crate::support::rootwright();
        command
            .current_dir(project.path())
            .args(["--store", "disk/store", "cache", "verify"]);
        command.output().unwrap()
    };
    let mut gc = crate::support::rootwright();
    gc.current_dir(project.path())
        .args(["--store", "disk/store", "cache", "rm", "--everything"]);
    let removed = gc.output().unwrap();
    let small = build(2);
    run(Command::new("umount").arg(&disk));
    assert_eq!(full.status.code(), Some(1), "{}", stderr(&full));
    let said = stderr(&full);
    assert!(
        said.to_lowercase().contains("no space left") || said.contains("the disk is full"),
        "{said}"
    );
    assert!(
        verified.status.success(),
        "{}{}",
        stdout(&verified),
        stderr(&verified)
    );
    assert!(removed.status.success(), "{}", stderr(&removed));
    assert!(small.status.success(), "{}", stderr(&small));
}

/// Two builds at a time, of which each makes layers, beside a collector that keeps nothing it may
/// remove, and a verifier.
#[test]
#[ignore = "run with tests/run tiny"]
fn builds_a_collector_and_a_verifier_at_once() {
    let project = Project::new();
    project.tiny(
        r#"let n = option("n", #{ default: "" });
root.nspawn_run("echo " + n + " >/n; sleep 0.1");
root.write_file("/x", n);
root.nspawn_run("cat /n /x >/both");
root.export(#{ format: "dir", name: "x" });
"#,
    );
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let until_done = |words: &'static [&'static str]| {
            let (project, done) = (&project, &done);
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    if project.store().join("layers").is_dir() {
                        project.command(words).success();
                    }
                }
            })
        };
        let beside = [
            until_done(&["cache", "gc", "--keep", "0", "--max-age", "0s"]),
            until_done(&["cache", "verify"]),
        ];
        let builders = ["a", "b"].map(|builder| {
            let project = &project;
            scope.spawn(move || {
                for number in 0..8 {
                    let out = format!("out-{builder}");
                    let build = project.build_to(&out);
                    build.option(&format!("n={builder}{number}")).success();
                    let both = project.read(&format!("{out}/x/root/both"));
                    assert_eq!(both, format!("{builder}{number}\n{builder}{number}"));
                }
            })
        });
        let built = builders.map(|builder| builder.join().is_ok());
        done.store(true, Ordering::SeqCst);
        assert!(
            beside
                .map(|other| other.join().is_ok())
                .iter()
                .all(|ok| *ok)
        );
        assert_eq!(built, [true, true]);
    });
}

/// A layer that was changed in the store is not built on, whatever was changed.
#[test]
#[ignore = "run with tests/run tiny"]
fn a_changed_layer_is_not_used() {
    for change in [
        "printf '#!/bin/sh\\n' >etc/first",
        "rm etc/first",
        "chmod 4755 etc/first",
        "chown 1 etc/first",
        "ln -sf /bin/sh etc/first",
        "touch etc/more",
        "mknod etc/disk b 7 0",
    ] {
        let project = Project::new();
        project.tiny("root.nspawn_run(\"echo one >/etc/first\");\nroot.nspawn_run(\"echo two >/etc/second\");\n");
        project.build().success();
        let layers = std::fs::read_dir(project.store().join("layers")).unwrap();
        let layer = layers
            .map(|layer| layer.unwrap().path())
            .find(|layer| layer.join("fs/etc/first").exists() && !layer.join("fs/bin").exists())
            .unwrap();
        run(Command::new("sh")
            .args(["-euc", change])
            .current_dir(layer.join("fs")));
        let key = layer.file_name().unwrap().to_str().unwrap();
        // Nothing is built on it, and nobody is in the way of what does not need it.
        project.build().success();
        project.edit("echo two", "echo three");
        project.build().failure().stderr_contains([
            "of the store cannot be used",
            "its files are not those that were committed",
            &format!("next: rootwright cache rm {key}"),
        ]);
        project.command(&["cache", "rm", key]).success();
        project.build().success();
    }
}
