//! Scripts run for real, on a root that is nothing but a busybox.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};

use fs_err as fs;
use rootwright::plan::*;
use rootwright::preview::sh;

use crate::support::plans::{
    self, Builder, action, dir, edit, host, inside, link, plan, remove, write,
};
use crate::support::{processes_with, read, wait_for};

/// A scratch directory for a script and what it makes.
pub struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests run systemd-nspawn, which needs root"
        );
        Bench {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn run(&self, plan: &Plan, env: &[(&str, &str)]) -> Output {
        let script = self.path("plan.sh");
        fs::write(&script, sh(plan).unwrap()).unwrap();
        Process::new("bash")
            .arg(&script)
            .arg(self.path("out"))
            .envs(env.iter().copied())
            .output()
            .unwrap()
    }

    fn make(&self, plan: &Plan) -> PathBuf {
        self.make_with(plan, &[])
    }

    fn make_with(&self, plan: &Plan, env: &[(&str, &str)]) -> PathBuf {
        let output = self.run(plan, env);
        assert!(output.status.success(), "{}", said(&output));
        self.path("out")
    }

    /// What a failing script says.
    fn fail(&self, plan: &Plan) -> String {
        let output = self.run(plan, &[]);
        assert!(!output.status.success(), "{}", said(&output));
        said(&output)
    }

    /// Names in the output folder, hidden ones too.
    fn left(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("out"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub fn said(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    format!("{}{errors}", String::from_utf8_lossy(&output.stdout))
}

/// A root with a shell, and accounts that the host does not have.
pub fn busybox() -> Builder {
    plan("busybox.rhai", "A root of one program.")
        .root("box", ["any", "one", "any"], None)
        .step(
            0,
            "bootstrap",
            "bootstrap a busybox",
            vec![
                host(&["mkdir", "$ROOT/usr", "$ROOT/usr/bin", "$ROOT/etc"]),
                host(&["cp", "/bin/busybox", "$ROOT/usr/bin/busybox"]),
                link("/bin", "usr/bin"),
                link("/usr/bin/sh", "busybox"),
                Op::Run(inside(&["/bin/busybox", "--install", "-s", "/usr/bin"])),
                write(
                    "/etc/passwd",
                    "root:x:0:0::/root:/bin/sh\nwright:x:4711:4712::/home:/bin/sh\n",
                ),
                write("/etc/group", "root:x:0:\nwrights:x:4713:"),
                dir("/root"),
            ],
        )
}

#[test]
#[ignore = "run with tests/run tiny"]
fn contents_arrive_byte_for_byte() {
    let bench = Bench::new();
    let mut builder = plan("a.rhai", "").root("root", ["any", "", ""], None);
    for (at, text) in plans::NASTY.iter().enumerate() {
        let mut ops = vec![write(&format!("/{at}"), text)];
        let secret = Text::from(*text)
            .concat(Text::secret("it's"))
            .concat(Text::from(*text));
        ops.push(plans::write_as(
            &format!("/{at}.secret"),
            secret,
            Some(0o600),
        ));
        // Arguments cannot hold a NUL; one that is a name is a test of its own.
        let word = text.replace('\0', "");
        let script = "printf %s \"$VALUE\" >\"$1\" && printf %s \"$2\" >\"$1.argument\" && cat >\"$1.stdin\"";
        let argv = [
            "sh".into(),
            "-c".into(),
            script.into(),
            "sh".into(),
            plans::rooted(&format!("$ROOT/{at}.value")),
            word.as_str().into(),
        ];
        ops.push(Op::Run(Run {
            env: BTreeMap::from([("VALUE".to_owned(), Text::from(word.as_str()))]),
            stdin: Some(Text::from(*text)),
            ..Run::new(RunPlace::Host, Command::Program(argv.to_vec()))
        }));
        builder = builder.step(0, "nasty", text, ops);
    }
    let plan = builder.done();
    let out = bench.make_with(&plan, &[("ROOTWRIGHT_SECRET_IT_S", "s3'c\"r$t\n")]);
    let root = out.join("root");
    for (at, text) in plans::NASTY.iter().enumerate() {
        let word = text.replace('\0', "");
        assert_eq!(read(root.join(at.to_string())), *text);
        assert_eq!(
            read(root.join(format!("{at}.secret"))),
            text!(
                r#"{text}s3'c"r$t
{text}"#,
                text
            )
        );
        assert_eq!(read(root.join(format!("{at}.value"))), word);
        assert_eq!(read(root.join(format!("{at}.value.argument"))), word);
        assert_eq!(read(root.join(format!("{at}.value.stdin"))), *text);
        let mode = fs::metadata(root.join(format!("{at}.secret"))).unwrap();
        assert_eq!(mode.permissions().mode() & 0o7777, 0o600);
    }
    assert_eq!(
        bench.left(),
        [".roots", "root"],
        "no scratch directory stays"
    );
    // Other users can't run the root's set-uid programs.
    let around = fs::metadata(out.join(".roots")).unwrap();
    assert_eq!(around.permissions().mode() & 0o7777, 0o700);
}

/// A file of the folder `SECRETS` can hold what no variable can.
#[test]
#[ignore = "run with tests/run tiny"]
fn secrets_of_files_arrive_byte_for_byte() {
    let bench = Bench::new();
    let folder = bench.path("secrets");
    fs::create_dir(&folder).unwrap();
    let all: Vec<u8> = (0..=255).chain(*b"\n\n").collect();
    let key = b"\xffit's\r\n$x`\\\n";
    fs::write(folder.join("all"), &all).unwrap();
    fs::write(folder.join("key"), key).unwrap();
    let line = |name: &str| Text::of(Part::SecretLine(name.to_owned()));
    let argv = [
        "sh",
        "-c",
        "cat >\"$1/stdin\"; printf %s \"$KEY|$LINE\" >\"$1/env\"",
        "sh",
    ];
    let argv = argv
        .map(Into::into)
        .into_iter()
        .chain([plans::rooted("$ROOT")]);
    let run = Run {
        env: BTreeMap::from([
            ("KEY".to_owned(), Text::secret("key")),
            (
                "LINE".to_owned(),
                Text::from("<").concat(line("key")).concat(">".into()),
            ),
        ]),
        stdin: Some(Text::secret("all")),
        ..Run::new(RunPlace::Host, Command::Program(argv.collect()))
    };
    let plan = plan("a.rhai", "")
        .root("root", ["any", "", ""], None)
        .step(
            0,
            "secrets",
            "secrets",
            vec![
                plans::write_as(
                    "/all",
                    Text::from("<\n")
                        .concat(Text::secret("all"))
                        .concat("\n>".into()),
                    None,
                ),
                plans::write_as(
                    "/line",
                    line("all").concat("|".into()).concat(line("variable")),
                    None,
                ),
                Op::Run(run),
            ],
        )
        .done();
    let env = [
        ("SECRETS", folder.to_str().unwrap()),
        ("ROOTWRIGHT_SECRET_KEY", "unused"),
        ("ROOTWRIGHT_SECRET_VARIABLE", "of a variable\n"),
    ];
    let root = bench.make_with(&plan, &env).join("root");
    let read = |name: &str| fs::read(root.join(name)).unwrap();
    let short = &all[..all.len() - 1];
    assert_eq!(read("all"), [b"<\n", all.as_slice(), b"\n>"].concat());
    assert_eq!(read("line"), [short, b"|of a variable"].concat());
    assert_eq!(read("stdin"), all);
    assert_eq!(
        read("env"),
        [&key[..], b"|<", &key[..key.len() - 1], b">"].concat()
    );
    fs::write(folder.join("key"), b"a\0b").unwrap();
    let output = bench.run(&plan, &env);
    let text = said(&output);
    assert!(!output.status.success());
    assert!(
        text.contains("the secret key has a NUL byte, and no variable can hold one"),
        "{text}"
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn commands_run_inside_with_what_they_are_given() {
    let bench = Bench::new();
    fs::create_dir(bench.path("shared")).unwrap();
    fs::write(bench.path("shared/from-host"), "hello\n").unwrap();
    let script = r#"printf '%s\n' "it's $1" "$VALUE" "$PATH_TO" "$(id -u)" "$(pwd)"
cat
cat /shared/by/all/from-host
"#;
    let run = Run {
        env: BTreeMap::from([
            ("VALUE".to_owned(), Text::secret("value")),
            ("PATH_TO".to_owned(), Text::from("a b")),
        ]),
        user: Some("wright".to_owned()),
        cwd: Some("/etc".to_owned()),
        binds: vec![Bind {
            host: bench.path("shared").display().to_string(),
            path: "/shared/by/all".to_owned(),
            read_only: true,
        }],
        stdin: Some(Text::from("one\ntwo")),
        ..inside(&[
            "sh",
            "-c",
            &format!("{{\n{script}}} >/home/said\n"),
            "sh",
            "me",
        ])
    };
    let plan = busybox()
        .step(
            0,
            "nspawn_run",
            "run",
            vec![
                dir("/home"),
                // systemd-nspawn asks it about users, and a busybox has none.
                plans::write_as(
                    "/usr/bin/getent",
                    Text::from(
                        r#"#!/bin/sh
case $1 in
initgroups) echo "$2" ;;
*) grep "^$2:" "/etc/$1" ;;
esac
"#,
                    ),
                    Some(0o755),
                ),
                Op::SetOwner(SetOwner {
                    path: "/home".to_owned(),
                    owner: "wright".to_owned(),
                    group: Some("wrights".to_owned()),
                    recursive: true,
                }),
                Op::Run(run),
            ],
        )
        .step_of(
            0,
            "only_if",
            "conditions",
            vec![
                Action {
                    only_if: Some(plans::command(&["test", "-e", "/home/said"])),
                    ..action(write("/yes", "1\n"))
                },
                Action {
                    only_if: Some(plans::command(&["test", "-e", "/nowhere"])),
                    ..action(write("/no", "1\n"))
                },
                action(Op::Run(Run {
                    verdict: Verdict {
                        allow_failure: Some("it is a test".to_owned()),
                        ..Verdict::default()
                    },
                    stdin: Some(Text::from("a\n")),
                    ..inside(&["false"])
                })),
                action(Op::Run(Run {
                    verdict: Verdict {
                        fail_on: plans::words(&[r"^ERROR: \w+\b", "FAILED$"]),
                        ignore: plans::words(&["harmless"]),
                        allow_failure: None,
                    },
                    ..inside(&["echo", "ERROR: harmless"])
                })),
            ],
        )
        .done();
    let output = bench.run(&plan, &[("ROOTWRIGHT_SECRET_VALUE", "hush")]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("hush"));
    assert!(text.contains("exit status 1 is allowed: it is a test"));
    let root = bench.path("out/box");
    assert_eq!(
        read(root.join("home/said")),
        "it's me\nhush\na b\n4711\n/etc\none\ntwohello\n"
    );
    assert!(root.join("yes").exists() && !root.join("no").exists());
    // Nothing of what was mounted on stays.
    assert!(!root.join("shared").exists());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn failures_name_the_step_and_leave_nothing() {
    let verdict = Verdict {
        fail_on: plans::words(&[r"FAILED\s*:\s*\d"]),
        ..Verdict::default()
    };
    let cases: [(&str, Op, &str); 7] = [
        ("status", Op::Run(inside(&["sh", "-c", "exit 7"])), ""),
        (
            "scan",
            Op::Run(Run {
                verdict,
                ..inside(&["echo", "dracut: FAILED: 7"])
            }),
            "the exit status was 0, but the output says:\ndracut: FAILED: 7",
        ),
        (
            "edit",
            edit("/etc/passwd", "nobody-there", ""),
            "nothing in /etc/passwd matches",
        ),
        (
            "remove",
            remove("/nothing", false),
            "the root has no /nothing to remove",
        ),
        (
            "owner",
            Op::SetOwner(SetOwner {
                path: "/etc".to_owned(),
                owner: "daemon".to_owned(),
                group: None,
                recursive: false,
            }),
            "the root's /etc/passwd has no `daemon`",
        ),
        (
            "require",
            Op::RequirePaths(RequirePaths {
                purpose: "an initramfs".to_owned(),
                paths: vec![
                    RequiredPath {
                        any_of: plans::words(&["/usr/bin/b?sybox"]),
                        package: "busybox".to_owned(),
                        why: String::new(),
                    },
                    RequiredPath {
                        any_of: plans::words(&["/usr/bin/one", "/bin/two"]),
                        package: "p1".to_owned(),
                        why: "reasons".to_owned(),
                    },
                    RequiredPath {
                        any_of: plans::words(&["/bin/three*"]),
                        package: "p2".to_owned(),
                        why: String::new(),
                    },
                ],
            }),
            "missing in the root for an initramfs:\n    /usr/bin/one (package p1: reasons)\n    /bin/three* (package p2)\n",
        ),
        ("link", link("/etc", "x"), "etc"),
    ];
    for (name, op, says) in cases {
        let bench = Bench::new();
        let plan = busybox().step(0, name, name, vec![op]).done();
        let text = bench.fail(&plan);
        assert!(text.contains(says), "{name}: {text}");
        assert!(
            text.contains(&format!("failed in step 2, {name}")),
            "{text}"
        );
        assert_eq!(bench.left(), Vec::<String>::new(), "{name}");
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_is_missing_on_the_host_is_said_at_once() {
    let bench = Bench::new();
    let plan = busybox()
        .need("no-such-tool", "does this", "tool-package")
        .need("/no/such/keyring", "proves that", "keyring-package")
        .step(
            0,
            "x",
            "x",
            vec![plans::write_as("/x", Text::secret("no-such"), None)],
        )
        .done();
    let text = bench.fail(&plan);
    for line in [
        "no-such-tool: does this (package tool-package on debian)",
        "/no/such/keyring: proves that (package keyring-package on debian)",
        "ROOTWRIGHT_SECRET_NO_SUCH: ",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!bench.path("out").exists());
}

/// The host's resolv.conf is seen inside whatever the root's is, which stays as it was.
#[test]
#[ignore = "run with tests/run tiny"]
fn names_resolve_and_the_image_keeps_its_resolv_conf() {
    let hosts = fs::read_to_string("/etc/resolv.conf").unwrap();
    let place = "/etc/resolv.conf";
    let cases: Vec<(&str, Vec<Op>)> = vec![
        ("missing", vec![]),
        ("file", vec![write(place, "nameserver 192.0.2.1\n")]),
        (
            "relative",
            vec![link(place, "../run/systemd/resolve/stub-resolv.conf")],
        ),
        (
            "absolute",
            vec![link(place, "/run/systemd/resolve/stub-resolv.conf")],
        ),
        (
            "elsewhere",
            vec![link(place, "/var/lib/nowhere/resolv.conf")],
        ),
        ("proc", vec![link(place, "/proc/net/pnp")]),
        ("hosts-file", vec![link(place, "/etc/hostname")]),
        (
            "directory",
            vec![dir(place), write("/etc/resolv.conf/x", "x\n")],
        ),
        (
            "etc-is-a-link",
            vec![
                Op::MovePath(MovePath {
                    from: "/etc".to_owned(),
                    to: "/config".to_owned(),
                    missing_ok: false,
                }),
                link("/etc", "/config"),
            ],
        ),
    ];
    for (name, ops) in cases {
        let bench = Bench::new();
        let mut after = ops;
        after.push(host(&["cp", "-a", "$ROOT", "$ROOT/../before"]));
        after.push(Op::Run(Run {
            network: true,
            ..inside(&["sh", "-c", "cat /etc/resolv.conf >/seen"])
        }));
        after.push(host(&["mv", "-T", "$ROOT/../before", "$ROOT/before"]));
        let plan = busybox().step(0, "dns", "dns", after).done();
        let root = bench.make(&plan).join("box");
        assert_eq!(read(root.join("seen")), hosts, "{name}");
        fs::remove_file(root.join("seen")).unwrap();
        let before = tree(&root.join("before"));
        fs::remove_dir_all(root.join("before")).unwrap();
        assert_eq!(tree(&root), before, "{name}");
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_environment_is_the_same_for_everyone() {
    let bench = Bench::new();
    let online = |network, to: &str| {
        Op::Run(Run {
            network,
            ..inside(&["sh", "-c", &format!("env >{to}")])
        })
    };
    let ops = vec![
        host(&["sh", "-c", "env >$ROOT/on-host"]),
        online(true, "/online"),
        online(false, "/offline"),
        plans::write_as("/secret", Text::secret("s"), None),
    ];
    let plan = busybox().step(0, "env", "env", ops).done();
    let env = [
        ("ROOTWRIGHT_SECRET_S", "hush"),
        ("EDITOR", "/bin/ed"),
        ("https_proxy", "http://proxy.example.org"),
    ];
    let root = bench.make_with(&plan, &env).join("box");
    assert_eq!(read(root.join("secret")), "hush");
    for (file, proxy) in [("on-host", true), ("online", true), ("offline", false)] {
        let seen = read(root.join(file));
        assert!(
            !seen.contains("hush") && !seen.contains("EDITOR"),
            "{file}: {seen}"
        );
        assert!(seen.contains("HOME=/root"), "{file}: {seen}");
        let proxied = seen.contains("https_proxy=http://proxy.example.org");
        assert_eq!(proxied, proxy, "{file}: {seen}");
    }
}

/// Path → kind, mode, owner, content or target.
pub fn tree(root: &Path) -> BTreeMap<String, (u32, u32, u32, Vec<u8>)> {
    fn walk(root: &Path, dir: &Path, out: &mut BTreeMap<String, (u32, u32, u32, Vec<u8>)>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let bytes = if meta.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                target.display().to_string().into_bytes()
            } else if meta.is_file() {
                fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            let name = path.strip_prefix(root).unwrap().display().to_string();
            out.insert(name, (meta.mode(), meta.uid(), meta.gid(), bytes));
            if meta.is_dir() {
                walk(root, &path, out);
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(root, root, &mut out);
    out
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_export_has_the_tree_and_what_boots_it() {
    for format in [
        Format::Dir,
        Format::Tar {
            compression: Compression::Zstd,
        },
        Format::Tar {
            compression: Compression::Gzip,
        },
    ] {
        let bench = Bench::new();
        let job = Export {
            exclude: plans::words(&["cache/*"]),
            kernel: plans::words(&["/boot/none-{kver}", "/boot/vmlinuz-{kver}"]),
            initramfs: plans::words(&["/boot/initrd*"]),
            cmdline: Some("root=nfs4:SERVER:PATH".to_owned()),
            packages: Some(plans::command(&[
                "printf",
                "b\\t2\\tall\\na\"\\t1\\tall\\n",
            ])),
            ..plans::export("node", format.clone())
        };
        let plan = busybox()
            .step(
                0,
                "files",
                "files",
                vec![
                    write("/usr/lib/modules/6.1.0-9/modules.dep", ""),
                    write("/usr/lib/modules/6.1.0-10/modules.dep", ""),
                    write("/usr/lib/modules/junk/README", ""),
                    write("/boot/vmlinuz-6.1.0-9", "old"),
                    link("/boot/vmlinuz-6.1.0-10", "/boot/real"),
                    write("/boot/real", "kernel"),
                    plans::write_as("/boot/initrd.img-9", Text::from("9"), Some(0o600)),
                    plans::write_as("/boot/initrd.img-10", Text::from("10"), Some(0o600)),
                    write("/cache/gone", "x"),
                    write("/cache/.kept-out-too", "x"),
                ],
            )
            .step(0, "export", "export node", vec![Op::Export(job)])
            .done();
        let out = bench.make(&plan).join("node");
        assert_eq!(read(out.join("vmlinuz")), "kernel");
        assert_eq!(read(out.join("initramfs.img")), "10");
        assert_eq!(
            fs::metadata(out.join("initramfs.img")).unwrap().mode() & 0o777,
            0o644
        );
        assert_eq!(read(out.join("cmdline")), "root=nfs4:SERVER:PATH\n");
        let manifest: rootwright::export::Manifest =
            serde_json::from_str(&read(out.join("manifest.json"))).unwrap();
        assert_eq!(manifest.kernel_version.as_deref(), Some("6.1.0-10"));
        assert_eq!(manifest.packages.len(), 2);
        assert_eq!(manifest.packages[0].name, "a\"");
        assert_eq!(manifest.files["cmdline"].size, 22);
        let root = match &format {
            Format::Dir => out.join("root"),
            _ => {
                let to = bench.path("unpacked");
                fs::create_dir(&to).unwrap();
                let archive = fs::read_dir(&out)
                    .unwrap()
                    .map(|entry| entry.unwrap().path())
                    .find(|path| path.display().to_string().contains("root.tar."))
                    .unwrap();
                let status = Process::new("tar")
                    .args(["--extract", "--file"])
                    .arg(archive)
                    .arg("--directory")
                    .arg(&to)
                    .status()
                    .unwrap();
                assert!(status.success());
                to
            }
        };
        assert!(root.join("cache").exists());
        assert_eq!(fs::read_dir(root.join("cache")).unwrap().count(), 0);
        assert_eq!(
            fs::read_link(root.join("bin")).unwrap(),
            Path::new("usr/bin")
        );

        // Again: the export is replaced. But what is no export is left alone.
        bench.make(&plan);
        assert_eq!(bench.left(), ["node"]);
        fs::write(out.join("manifest.json"), "{}").unwrap();
        assert!(
            bench
                .fail(&plan)
                .contains("is not an export; it is not replaced")
        );
        assert_eq!(bench.left(), ["node"]);
        assert_eq!(read(out.join("manifest.json")), "{}");
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_fork_has_its_base_as_it_was() {
    let bench = Bench::new();
    let plan = plan("variants.rhai", "")
        .root("base", ["any", "", ""], None)
        .root("early", ["any", "", ""], Some((0, 1)))
        .root("late", ["any", "", ""], Some((0, 3)))
        .step(0, "w", "one", vec![write("/one", "1\n")])
        .step(1, "w", "fork", vec![write("/fork", "early\n")])
        .step(0, "w", "two", vec![write("/two", "2\n")])
        .step(2, "w", "fork", vec![write("/fork", "late\n")])
        .done();
    let out = bench.make(&plan);
    let names = |root: &str| tree(&out.join(root)).into_keys().collect::<Vec<_>>();
    assert_eq!(names("base"), ["one", "two"]);
    assert_eq!(names("early"), ["fork", "one"]);
    assert_eq!(names("late"), ["fork", "one", "two"]);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_file_is_fetched_and_its_digest_checked() {
    let bench = Bench::new();
    let file = bench.path("file");
    fs::write(&file, "abc").unwrap();
    let fetch = |sha256: &str| {
        busybox()
            .download(&format!("file://{}", file.display()), sha256)
            .step(
                0,
                "fetch",
                "fetch",
                vec![Op::CopyIn(CopyIn {
                    source: Source::Download(sha256.to_owned()),
                    path: "/opt/file".to_owned(),
                    attributes: Attributes {
                        mode: Some(0o700),
                        owner: Some("wright".to_owned()),
                        group: Some("wrights".to_owned()),
                    },
                })],
            )
            .done()
    };
    let wrong = bench.fail(&fetch(&"0".repeat(64)));
    assert!(wrong.contains("does not have the digest 000000"), "{wrong}");
    let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let out = bench.make(&fetch(right));
    let got = fs::metadata(out.join("box/opt/file")).unwrap();
    assert_eq!(
        (got.mode() & 0o7777, got.uid(), got.gid()),
        (0o700, 4711, 4713)
    );
    assert_eq!(read(out.join("box/opt/file")), "abc");
}

/// Nothing of the host is touched through links of the root that point out of it.
#[test]
#[ignore = "run with tests/run tiny"]
fn links_of_the_root_stay_inside() {
    let bench = Bench::new();
    let outside = bench.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "host\n").unwrap();
    let target = outside.display().to_string();
    symlink(&outside, bench.path("source-link")).unwrap();
    let tree_dir = bench.path("source");
    fs::create_dir_all(tree_dir.join("away")).unwrap();
    fs::write(tree_dir.join("away/file"), "copied\n").unwrap();
    symlink("/etc/passwd", tree_dir.join("passwd")).unwrap();
    let plan = busybox()
        .file(&tree_dir)
        .step(
            0,
            "x",
            "x",
            vec![
                link("/away", &target),
                link("/up", "../../../../../../../../../../etc"),
                link("/file", &format!("{target}/file")),
                write("/away/new", "root\n"),
                write("/up/new", "root\n"),
                write("/file", "root\n"),
                edit("/file", "r(o+)t", "<$1>$$${1}"),
                plans::copy(&tree_dir, "/"),
                remove("/away/new", false),
                Op::SetMode(SetMode {
                    path: "/file".to_owned(),
                    mode: 0o600,
                    recursive: false,
                }),
                Op::SetOwner(SetOwner {
                    path: "/".to_owned(),
                    owner: "wright".to_owned(),
                    group: None,
                    recursive: true,
                }),
                remove("/up", false),
            ],
        )
        .done();
    let before = tree(&outside);
    let out = bench.make(&plan).join("box");
    assert_eq!(tree(&outside), before);
    let inner = out.join(target.trim_start_matches('/'));
    assert_eq!(read(inner.join("file")), "copied\n");
    assert!(!inner.join("new").exists());
    assert_eq!(read(out.join("etc/new")), "root\n");
    assert_eq!(
        fs::read_link(out.join("passwd")).unwrap(),
        Path::new("/etc/passwd")
    );
    assert!(!out.join("up").exists());
}

/// A script that is killed takes its commands and its mounts along.
#[test]
#[ignore = "run with tests/run tiny"]
fn nothing_survives_a_kill() {
    let bench = Bench::new();
    let plan = busybox()
        .step(
            0,
            "nspawn_run",
            "sleep",
            vec![Op::Run(inside(&[
                "sh",
                "-c",
                "touch /sleeping; sleep 4711",
            ]))],
        )
        .done();
    let script = bench.path("plan.sh");
    fs::write(&script, sh(&plan).unwrap()).unwrap();
    let mut child = Process::new("bash")
        .arg(&script)
        .arg(bench.path("out"))
        .spawn()
        .unwrap();
    let sleeping = || {
        fs::read_dir(bench.path("out")).is_ok_and(|mut entries| {
            entries.any(|entry| entry.unwrap().path().join("box/sleeping").exists())
        })
    };
    wait_for("the command to start", sleeping);
    child.kill().unwrap();
    child.wait().unwrap();
    let marker = bench.dir.path().display().to_string();
    wait_for("processes to end", || processes_with(&marker).is_empty());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&marker));
}
