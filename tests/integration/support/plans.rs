//! Plans, made by hand.

use std::collections::BTreeMap;
use std::path::Path;

use rootwright::diagnose::{Frame, Position, Span};
use rootwright::plan::*;

pub fn frame(function: &str, file: &str, line: u32) -> Frame {
    Frame {
        function: function.to_owned(),
        span: Span {
            file: file.to_owned(),
            start: Position { line, column: 6 },
            end: Position { line, column: 20 },
        },
    }
}

/// A plan that grows by steps.
pub struct Builder {
    pub plan: Plan,
}

pub fn plan(recipe: &str, title: &str) -> Builder {
    Builder {
        plan: Plan {
            schema: SCHEMA_VERSION,
            rootwright: "0.1.0".to_owned(),
            recipe: Recipe {
                path: recipe.to_owned(),
                title: title.to_owned(),
                description: String::new(),
            },
            ..Plan::default()
        },
    }
}

impl Builder {
    pub fn root(mut self, name: &str, of: [&str; 3], base: Option<(RootId, usize)>) -> Self {
        let id = self.plan.roots.len();
        let [distro, release, arch] = of.map(str::to_owned);
        self.plan.roots.push(Root {
            id,
            name: name.to_owned(),
            distro,
            release,
            arch,
            machine: None,
            package_sources: Vec::new(),
            base: base.map(|(root, after_step)| Base { root, after_step }),
            allowed: Vec::new(),
        });
        self
    }

    pub fn step(self, root: RootId, call: &str, label: &str, ops: Vec<Op>) -> Self {
        let actions = ops.into_iter().map(action).collect();
        self.step_of(root, call, label, actions)
    }

    pub fn step_of(mut self, root: RootId, call: &str, label: &str, actions: Vec<Action>) -> Self {
        let number = self.plan.steps.len() + 1;
        let line = 8 + 3 * u32::try_from(number).unwrap();
        let path = self.plan.recipe.path.clone();
        let mut step = Step {
            number,
            root: Some(root),
            call: call.to_owned(),
            label: label.to_owned(),
            calls: vec![frame(call, &path, line)],
            repositories: Vec::new(),
            uses: Names::default(),
            capabilities: Vec::new(),
            actions,
        };
        step.note_uses();
        self.plan.steps.push(step);
        self
    }

    /// The last step was asked for by a library.
    pub fn via(mut self, file: &str, line: u32) -> Self {
        let step = self.plan.steps.last_mut().unwrap();
        let call = step.call.clone();
        step.calls.push(frame(&call, file, line));
        self
    }

    pub fn need(mut self, name: &str, why: &str, package: &str) -> Self {
        self.plan.needs.push(Need {
            kind: if name.contains('/') {
                NeedKind::File
            } else {
                NeedKind::Tool
            },
            name: name.to_owned(),
            why: why.to_owned(),
            packages: BTreeMap::from([("debian".to_owned(), package.to_owned())]),
            calls: Vec::new(),
        });
        self
    }

    pub fn option(mut self, name: &str, value: &str, given: bool, help: &str, or: &[&str]) -> Self {
        self.plan.options.push(OptionValue {
            name: name.to_owned(),
            value: value.into(),
            given,
            help: help.to_owned(),
            from: None,
            choices: or.iter().map(|&choice| choice.into()).collect(),
        });
        self
    }

    /// A file or a tree that steps copy.
    pub fn file(mut self, path: &Path) -> Self {
        self.plan.files.push(InputFile {
            digest: digest(path),
            path: path.display().to_string(),
            name: path.display().to_string(),
        });
        self
    }

    pub fn download(mut self, url: &str, sha256: &str) -> Self {
        self.plan.downloads.push(Download {
            sha256: sha256.to_owned(),
            url: url.to_owned(),
            calls: Vec::new(),
        });
        self
    }

    pub fn done(self) -> Plan {
        self.plan
    }
}

pub fn action(op: Op) -> Action {
    Action {
        op,
        about: None,
        only_if: None,
        calls: Vec::new(),
    }
}

pub fn about(text: &str, op: Op) -> Action {
    Action {
        about: Some(text.to_owned()),
        ..action(op)
    }
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

pub fn command(argv: &[&str]) -> Command {
    argv.iter().copied().collect()
}

/// A word of a host's command; `$ROOT` in it is the path of the root.
pub fn rooted(word: &str) -> Argument {
    let mut text = Text::default();
    for (at, literal) in word.split("$ROOT").enumerate() {
        if at > 0 {
            text.push(Part::Root {});
        }
        text.push(Part::Literal(literal.to_owned()));
    }
    Argument::new(text).unwrap()
}

/// A command of the host; see [`rooted`].
pub fn host(argv: &[&str]) -> Op {
    let command = argv.iter().map(|word| rooted(word)).collect();
    Op::Run(Run::new(RunPlace::Host, command))
}

pub fn inside(argv: &[&str]) -> Run {
    Run::new(RunPlace::Root, command(argv))
}

/// A script of `/bin/sh`.
pub fn inside_script(text: &str) -> Run {
    Run::new(RunPlace::Root, Command::Script(Script::shell(text)))
}

/// Copies what [`Builder::file`] adds.
pub fn copy(from: &Path, to: &str) -> Op {
    Op::CopyIn(CopyIn {
        source: Source::File(digest(from)),
        path: to.to_owned(),
        attributes: Attributes::default(),
    })
}

pub fn write(path: &str, content: &str) -> Op {
    write_as(path, Text::from(content), None)
}

pub fn write_as(path: &str, content: Text, mode: Option<u32>) -> Op {
    Op::WriteFile(WriteFile {
        path: path.to_owned(),
        content,
        attributes: Attributes {
            mode,
            ..Attributes::default()
        },
    })
}

pub fn edit(path: &str, pattern: &str, replacement: &str) -> Op {
    Op::EditFile(EditFile {
        path: path.to_owned(),
        edits: vec![Edit {
            pattern: pattern.to_owned(),
            replacement: replacement.to_owned(),
        }],
    })
}

pub fn remove(path: &str, missing_ok: bool) -> Op {
    Op::RemovePath(RemovePath {
        path: path.to_owned(),
        missing_ok,
    })
}

pub fn link(path: &str, target: &str) -> Op {
    Op::Symlink(Symlink {
        path: path.to_owned(),
        target: target.to_owned(),
    })
}

pub fn dir(path: &str) -> Op {
    Op::MakeDir(MakeDir {
        path: path.to_owned(),
        attributes: Attributes::default(),
    })
}

pub fn export(name: &str, format: Format) -> Export {
    Export {
        name: name.to_owned(),
        format,
        exclude: Vec::new(),
        kernel: Vec::new(),
        initramfs: Vec::new(),
        cmdline: None,
        packages: None,
        cmdline_command: None,
        times: rootwright::plan::Times::Kept,
        served: rootwright::plan::Served::default(),
        texts: Vec::new(),
    }
}

/// What the stdlib makes of a diskless node, near enough.
pub fn debian_nfs() -> Plan {
    let apt = |argv: &[&str]| {
        Op::Run(Run {
            network: true,
            env: BTreeMap::from([("DEBIAN_FRONTEND".to_owned(), Text::from("noninteractive"))]),
            ..inside(argv)
        })
    };
    let sources = "Types: deb\nURIs: http://mirror.example.org/debian\nSuites: bookworm bookworm-updates\nComponents: main non-free-firmware\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\nTypes: deb\nURIs: http://mirror.example.org/debian-security\nSuites: bookworm-security\nComponents: main non-free-firmware\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n";
    let policy = "#!/bin/sh\n# No service starts while packages are installed.\nexit 101\n";
    let mut plan = plan(
        "recipes/debian-nfs.rhai",
        "Debian for diskless nodes: NFS root, every node writes to a tmpfs overlay.",
    )
    .option("release", "bookworm", false, "Debian release", &["bookworm", "trixie"])
    .option("hostname", "node", true, "the name every node starts with", &[])
    .option("authorized_key", "", false, "a public key that may log in as admin", &[])
    .root("root", ["debian", "bookworm", "amd64"], None)
    .need("mmdebstrap", "makes the root", "mmdebstrap")
    .need("systemd-nspawn", "runs commands inside of the root", "systemd-container")
    .need("zstd", "compresses the archive", "zstd")
    .need(
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "verifies the packages",
        "debian-archive-keyring",
    )
    .step_of(
        0,
        "bootstrap",
        "bootstrap debian bookworm",
        vec![
            action(host(&[
                "mmdebstrap", "--variant=apt", "--mode=root", "--format=directory", "--architectures=amd64",
                "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg",
                "--dpkgopt=force-unsafe-io", "--include=ca-certificates",
                "--skip=cleanup/apt,cleanup/reproducible", "bookworm", "$ROOT",
                "deb http://mirror.example.org/debian bookworm main",
            ])),
            about("all of the release, not only what mmdebstrap wrote", write("/etc/apt/sources.list.d/debian.sources", sources)),
            action(remove("/etc/apt/sources.list", true)),
            about("services stay off while packages install", write_as("/usr/sbin/policy-rc.d", Text::from(policy), Some(0o755))),
            action(apt(&["apt-get", "update"])),
        ],
    )
    .step_of(
        0,
        "install",
        "install linux-image-amd64, systemd-sysv, dbus, udev, iproute2, nfs-common, network-manager, procps, openssh-server, locales",
        vec![
            about("one initramfs is made, by the dracut step; not one per package", write_as("/etc/kernel/postinst.d/dracut", Text::from("#!/bin/sh\nexit 0\n"), Some(0o755))),
            action(apt(&[
                "apt-get", "install", "--yes", "--no-install-recommends", "-o", "Dpkg::Options::=--force-unsafe-io",
                "linux-image-amd64", "systemd-sysv", "dbus", "udev", "iproute2", "nfs-common", "network-manager",
                "procps", "openssh-server", "locales",
            ])),
        ],
    )
    .step(0, "write_file", "write /etc/motd", vec![write("/etc/motd", "This machine has no disk.\n")])
    .step(
        0,
        "nspawn_run",
        "run useradd",
        vec![Op::Run(inside(&["useradd", "--create-home", "--shell", "/bin/bash", "admin"]))],
    )
    .step(
        0,
        "set_password",
        "set the password of admin",
        vec![Op::Run(Run {
            stdin: Some(Text::from("admin:").concat(Text::secret("admin-password")).concat(Text::from("\n"))),
            ..inside(&["chpasswd", "--encrypted"])
        })],
    )
    .via("lib/site.rhai", 14)
    .step_of(
        0,
        "set_locale",
        "locale C.UTF-8, time zone Europe/Berlin",
        vec![
            action(write("/etc/default/locale", "LANG=C.UTF-8\n")),
            action(link("/etc/localtime", "../usr/share/zoneinfo/Europe/Berlin")),
            action(edit("/etc/locale.gen", "^# *(en_US.UTF-8 UTF-8)$", "$1")),
            Action {
                only_if: Some(command(&["test", "-x", "/usr/sbin/locale-gen"])),
                ..action(Op::Run(inside(&["locale-gen"])))
            },
        ],
    )
    .step(
        0,
        "nspawn_run",
        "run a script: a node that is like every other",
        vec![Op::Run(Run {
            cwd: Some("/root".to_owned()),
            ..inside_script(r#"# Made on first boot, never shared.
rm -f /etc/ssh/ssh_host_*
: >/etc/machine-id
for unit in apt-daily.timer apt-daily-upgrade.timer man-db.timer; do
    systemctl mask "$unit"
done
"#)
        })],
    )
    .step_of(
        0,
        "dracut",
        "dracut for <newest kernel in root>: nfs network-manager overlay-root",
        vec![
            action(Op::RequirePaths(RequirePaths {
                purpose: "an initramfs with an NFS root".to_owned(),
                paths: vec![
                    RequiredPath {
                        any_of: words(&["/usr/bin/dracut", "/usr/sbin/dracut"]),
                        package: "dracut".to_owned(),
                        why: "makes the initramfs".to_owned(),
                    },
                    RequiredPath {
                        any_of: words(&["/sbin/rpcbind", "/usr/sbin/rpcbind"]),
                        package: "rpcbind".to_owned(),
                        why: "the nfs module looks for it, NFSv4 or not".to_owned(),
                    },
                    RequiredPath {
                        any_of: words(&["/usr/bin/pgrep"]),
                        package: "procps".to_owned(),
                        why: String::new(),
                    },
                ],
            })),
            action(write("/etc/dracut.conf.d/90-rootwright.conf", r#"hostonly=no
hostonly_cmdline=no
add_dracutmodules+=" nfs network-manager overlay-root "
compress="zstd -3"
"#)),
            about("its exit status is 0 whatever happens", Op::Run(Run {
                env: BTreeMap::from([("TMPDIR".to_owned(), Text::from("/tmp"))]),
                verdict: Verdict {
                    fail_on: words(&["^dracut(-install)?: (ERROR|FAILED)", "Cannot find module directory"]),
                    ignore: words(&["installing 'tzdata'"]),
                    allow_failure: None,
                },
                ..inside_script(r#"kver=$(ls /lib/modules | sort -V | tail -n 1)
exec dracut --force --kver "$kver" "/boot/initrd.img-$kver"
"#)
            })),
        ],
    )
    .via("stdlib:diskless.rhai", 52)
    .step(
        0,
        "remove_path",
        "clean up",
        vec![
            remove("/usr/sbin/policy-rc.d", false),
            remove("/var/cache/apt/archives/*.deb", false),
            Op::Run(Run {
                verdict: Verdict {
                    allow_failure: Some("a root without a journal has nothing to rotate".to_owned()),
                    ..Verdict::default()
                },
                ..inside(&["journalctl", "--rotate"])
            }),
        ],
    )
    .step(
        0,
        "export",
        "export debian-bookworm",
        vec![Op::Export(Export {
            exclude: words(&["var/cache/apt/*", "var/lib/apt/lists/*"]),
            kernel: words(&["/boot/vmlinuz-{kver}", "/vmlinuz"]),
            initramfs: words(&["/boot/initrd.img-{kver}"]),
            cmdline: Some("root=nfs4:SERVER:PATH:vers=4.1,ro ip=dhcp rd.neednet=1 rootovl".to_owned()),
            packages: Some(command(&["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${Architecture}\\n"])),
            ..export("debian-bookworm", Format::Dir)
        })],
    )
    .done();
    plan.assumptions.push(Assumption {
        what: "mirror".to_owned(),
        value: "http://mirror.example.org/debian".to_owned(),
        from: "the host's package sources".to_owned(),
    });
    plan.inputs.push(Input::HostArchitecture {
        name: "x86_64".to_owned(),
    });
    plan.messages.push(Message {
        level: MessageLevel::Warn,
        text: "no authorized key was given: nobody can log in over ssh".to_owned(),
        calls: vec![frame("warn", "recipes/debian-nfs.rhai", 22)],
    });
    plan
}

/// Contents that a careless quoting would break.
pub const NASTY: &[&str] = &[
    "",
    "\n",
    "no line break at the end",
    "two\nlines",
    "two\nlines\n",
    "it's\n",
    "it's",
    r#""double" $HOME `id` $(id) \ !
"#,
    "EOF\n",
    "a\nEOF\nb\n",
    " EOF \nEND_2\n",
    "'EOF'",
    "-n",
    "--help\n",
    "-e\\n",
    "tab\tand\r\n",
    "\r",
    "nul\0byte\n",
    "\u{1b}[31mred\u{1b}[0m\n",
    "ünïcödé “quotes” ‘single’ – \u{202e}rtl\n",
    "trailing backslash\\",
    "trailing backslash\\\n",
    "*?[a-z]{a,b}~",
    "# shellcheck disable=all\n",
    "'",
    "''",
    "\\'",
    "a'b\"c$d`e\\f\n'g",
    "$ROOT/${ROOT}\n",
    "%s %d %%\n",
    "\\n\\0101\\",
    "\n\n\n",
    "line\n\n",
    "\u{feff}bom\n",
    "<<EOF\n",
    "a=b",
    "=",
    "!",
    "!!\n",
    "\u{2028}",
];

/// Every operation with such contents in every place that takes text.
pub fn nasty() -> Plan {
    let mut builder = plan("nasty recipe.rhai", r#"it's "nasty" $(id)"#)
        .root("a b'c", ["any", "one", "amd64"], None)
        .option("o", "a'b\n$(id)", true, "help", &[]);
    for (at, text) in NASTY.iter().enumerate() {
        // No argument and no path can hold a NUL.
        let word = text.replace('\0', "");
        let path = format!("/nasty/{at}/{}", word.replace('/', "_").trim_matches('.'));
        let env = BTreeMap::from([
            ("VALUE".to_owned(), Text::from(word.as_str())),
            ("PATH".to_owned(), Text::from(word.as_str())),
            (
                "HALF".to_owned(),
                Text::secret("it's").concat(Text::from(word.as_str())),
            ),
        ]);
        let digest = format!("{at:064x}");
        builder.plan.files.push(InputFile {
            digest: digest.clone(),
            path: word.clone(),
            name: word.clone(),
        });
        builder = builder.download(&word, &digest);
        let rooted = Text::of(Part::Root {}).concat(format!("{word}$ROOTX").into());
        let echo = [
            "echo".into(),
            word.as_str().into(),
            Argument::new(rooted).unwrap(),
        ];
        let echo: Command = echo.into_iter().collect();
        builder = builder.step_of(
            0,
            "nasty",
            text,
            vec![
                about(text, write(&path, text)),
                action(Op::AppendFile(AppendFile {
                    path: path.clone(),
                    content: Text::from(*text)
                        .concat(Text::secret("it's"))
                        .concat(Text::from(*text)),
                })),
                Action {
                    only_if: Some(command(&[&word, &word])),
                    ..action(Op::Run(Run {
                        env: env.clone(),
                        stdin: Some(Text::from(*text)),
                        verdict: Verdict {
                            fail_on: vec![regex::escape(&word)],
                            ignore: vec![regex::escape(&word)],
                            allow_failure: Some(text.to_string()),
                        },
                        ..Run::new(RunPlace::Host, echo)
                    }))
                },
                action(Op::Run(Run {
                    env,
                    user: Some(word.clone()),
                    cwd: Some(word.clone()),
                    binds: vec![Bind {
                        host: word.clone(),
                        path: word.clone(),
                        read_only: true,
                    }],
                    network: at % 2 == 0,
                    stdin: Some(Text::from(*text)),
                    verdict: Verdict {
                        allow_failure: Some(word.clone()),
                        ..Verdict::default()
                    },
                    ..inside(&[&word, &format!("{word}\n'{word}'"), &word])
                })),
                action(edit(&path, &regex::escape(&word), &word)),
                action(Op::CopyIn(CopyIn {
                    source: Source::File(digest.clone()),
                    path: path.clone(),
                    attributes: Attributes {
                        mode: Some(0o600),
                        owner: Some(word.clone()),
                        group: Some(word.clone()),
                    },
                })),
                action(dir(&path)),
                action(link(&path, &word)),
                action(remove(&path, at % 2 == 0)),
                action(Op::MovePath(MovePath {
                    from: path.clone(),
                    to: word.clone(),
                    missing_ok: at % 2 == 0,
                })),
                action(Op::SetMode(SetMode {
                    path: path.clone(),
                    mode: 0o4755,
                    recursive: at % 2 == 0,
                })),
                action(Op::SetOwner(SetOwner {
                    path: path.clone(),
                    owner: word.clone(),
                    group: Some(word.clone()),
                    recursive: at % 2 == 1,
                })),
                action(Op::RequirePaths(RequirePaths {
                    purpose: word.clone(),
                    paths: vec![RequiredPath {
                        any_of: vec![word.clone(), path.clone()],
                        package: word.clone(),
                        why: word.clone(),
                    }],
                })),
                action(Op::CopyIn(CopyIn {
                    source: Source::Download(digest.clone()),
                    path: path.clone(),
                    attributes: Attributes::default(),
                })),
                action(Op::Export(Export {
                    exclude: vec![word.clone()],
                    kernel: vec![word.clone()],
                    initramfs: vec![word.clone()],
                    cmdline: Some(word.clone()),
                    packages: Some(command(&[&word, &word])),
                    ..export(
                        &word,
                        if at % 2 == 0 {
                            Format::Dir
                        } else {
                            Format::Tar {
                                compression: Compression::Zstd,
                            }
                        },
                    )
                })),
                action(Op::ExpectBoot(ExpectBoot {
                    export: word.clone(),
                    via: Via::Direct,
                    commands: vec![word.clone()],
                    memory: None,
                    processors: 1,
                    timeout: 1,
                    programs: Vec::new(),
                })),
            ],
        );
    }
    builder.done()
}

pub fn digest(path: &Path) -> String {
    rootwright::plan::digest::digest_tree(path).unwrap()
}

/// Two roots with the same name, one of which branches off the other.
pub fn two_roots_of_one_name() -> Plan {
    plan("a.rhai", "")
        .root("x", ["any", "", ""], None)
        .root("x", ["any", "", ""], Some((0, 1)))
        .step(0, "write_file", "w", vec![write("/a", "a\n")])
        .step(1, "export", "e", vec![Op::Export(export("e", Format::Dir))])
        .done()
}
