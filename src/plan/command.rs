//! Operations as command lines: the one place that says how systemd-nspawn, tar and cp
//! are called, for the runner and for the shell script alike.

use super::{Bind, Compression, Export, NspawnBoot, NspawnRun};

/// The flags that every container of rootwright has, and why.
const NSPAWN: &[&str] = &[
    "systemd-nspawn",
    "--quiet",
    // No system bus is needed: containers, CI and minimal hosts have none.
    "--register=no",
    "--keep-unit",
    // The host's name resolution is mounted over by us, without touching the image.
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--settings=no",
    // A step that fails is thrown away whole, so syncing within it buys nothing.
    "--suppress-sync=yes",
    "--machine=rootwright",
];

/// Variables of the host's environment that commands see: how the network is reached, and
/// the clock that makes a build repeatable. Commands in a root see them if they have the
/// network.
pub const PASSED_ON: &[&str] = &[
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "SOURCE_DATE_EPOCH",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
];

/// What a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One command, its output in pipes.
    Command,
    /// One command, on the caller's terminal.
    Interactive,
    /// The root's own init: [`BOOT_IN_ROOT`] adds the rest of the command line.
    Boot,
}

/// The command line of a container. Values of the environment aren't in it: nspawn takes
/// them from its own (`--setenv=NAME`), so that no secret shows in a process list.
#[derive(Clone, Debug)]
pub struct ContainerCommand<'a> {
    /// Where the root is mounted.
    pub root: &'a str,
    pub mode: Mode,
    pub network: bool,
    pub user: Option<&'a str>,
    pub cwd: Option<&'a str>,
    pub binds: &'a [Bind],
    /// Names of variables that the container takes from the environment of nspawn.
    pub env: Vec<&'a str>,
    /// The command; empty for a boot.
    pub argv: &'a [String],
}

impl<'a> ContainerCommand<'a> {
    pub fn new(run: &'a NspawnRun, mode: Mode, root: &'a str) -> Self {
        ContainerCommand {
            root,
            mode,
            network: run.network,
            user: run.user.as_deref(),
            cwd: run.cwd.as_deref(),
            binds: &run.binds,
            env: run.env.keys().map(String::as_str).collect(),
            argv: &run.argv,
        }
    }

    /// Passes on variables of the host, where the command has the network. Those that it
    /// sets itself stay.
    #[must_use]
    pub fn passing(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        if self.network {
            for name in names {
                if !self.env.contains(&name) {
                    self.env.push(name);
                }
            }
        }
        self
    }

    pub fn argv(&self) -> Vec<String> {
        let mut argv: Vec<String> = NSPAWN.iter().map(|&flag| flag.to_owned()).collect();
        // The command isn't PID 1, so signals have their usual meaning, zombies are reaped.
        let mode: &[&str] = match self.mode {
            Mode::Command => &["--console=pipe", "--as-pid2"],
            Mode::Interactive => &["--console=interactive", "--as-pid2"],
            Mode::Boot => &[],
        };
        argv.extend(mode.iter().map(|&flag| flag.to_owned()));
        argv.push(format!("--directory={}", self.root));
        if !self.network {
            argv.push("--private-network".to_owned());
        }
        // In a booted system the unit says these.
        if self.mode != Mode::Boot {
            argv.extend(self.user.map(|user| format!("--user={user}")));
            argv.extend(self.cwd.map(|cwd| format!("--chdir={cwd}")));
        }
        argv.extend(self.binds.iter().map(bind));
        argv.extend(self.env.iter().map(|name| format!("--setenv={name}")));
        if self.mode != Mode::Boot {
            argv.push("--".to_owned());
            argv.extend(self.argv.iter().cloned());
        }
        argv
    }
}

fn bind(bind: &Bind) -> String {
    let flag = if bind.read_only {
        "--bind-ro"
    } else {
        "--bind"
    };
    let host = bind.host.replace(':', "\\:");
    let path = bind.path.replace(':', "\\:");
    format!("{flag}={host}:{path}")
}

/// The whole command line that runs `run` in the root mounted at `root`.
pub fn nspawn_argv(run: &NspawnRun, root: &str) -> Vec<String> {
    ContainerCommand::new(run, Mode::Command, root).argv()
}

/// The command line that boots the root mounted at `root`, up to what [`BOOT_IN_ROOT`] adds.
pub fn nspawn_boot_argv(boot: &NspawnBoot, root: &str) -> Vec<String> {
    ContainerCommand::new(&boot.run, Mode::Boot, root).argv()
}

/// The shell functions that boot a root: `boot_in_root SECONDS ROOT ETC CONTROL NSPAWN…`,
/// the same for a build and for the plan's script. What happened is in files of CONTROL
/// then: `stage` (`no-init`, `boot`, `script`, `ended`, `down`, `again`), and `late` when
/// the time was over.
pub const BOOT_IN_ROOT: &str = include_str!("../preview/sh/prelude/boot_in_root.sh");

/// What `boot_in_root` finds in CONTROL, beside standard input: the command as a shell
/// script, and the unit that runs it.
pub fn boot_files(boot: &NspawnBoot) -> [(&'static str, String); 2] {
    let run = format!("exec {}\n", quote_all(&boot.run.argv));
    [("run", run), ("rootwright.service", boot_unit(&boot.run))]
}

/// Standard input of the command, as a file of CONTROL.
pub const BOOT_STDIN: &str = "stdin";

fn boot_unit(run: &NspawnRun) -> String {
    // In units `%` begins a specifier.
    let plain = |text: &str| text.replace('%', "%%");
    let mut unit = String::from(
        "[Unit]\nDescription=the recipe's script\nIgnoreOnIsolate=yes\n\
         SuccessAction=exit\nFailureAction=exit\n\
         [Service]\nExecStart=/bin/sh /run/rootwright/run\n\
         ExecStopPost=+/bin/sh /run/rootwright/watch ended\n\
         StandardOutput=file:/run/rootwright/output\nStandardError=inherit\n\
         TimeoutStopSec=10\n",
    );
    let mut line = |key: &str, value: &str| unit.push_str(&format!("{key}={value}\n"));
    match run.stdin {
        Some(_) => line(
            "StandardInput",
            &format!("file:/run/rootwright/{BOOT_STDIN}"),
        ),
        None => line("StandardInput", "null"),
    }
    match &run.user {
        Some(user) => line("User", &plain(user)),
        // As a command of nspawn_run has it; for a user systemd looks it up.
        None => line("Environment", "HOME=/root"),
    }
    if let Some(cwd) = &run.cwd {
        line("WorkingDirectory", &plain(cwd));
    }
    for name in run.env.keys() {
        line("PassEnvironment", name);
    }
    if run.network {
        // systemd leaves out those that it doesn't have.
        line("PassEnvironment", &PASSED_ON.join(" "));
    }
    unit
}

/// One argument, quoted for a POSIX shell only where it has to be.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,./:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A command line as one could paste it.
pub fn quote_all<S: AsRef<str>>(argv: &[S]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quote(word.as_ref())).collect();
    words.join(" ")
}

/// What a tree carries beyond names and contents. The form is pax: times below a second,
/// extended attributes and long names fit in no other.
const TAR_ATTRIBUTES: &[&str] = &[
    "--numeric-owner",
    "--acls",
    "--xattrs",
    "--xattrs-include=*",
];

/// Packs the tree at `root` into `file`, `-` being standard output. Members are named
/// `./etc/hosts`; the order, the headers' names and the absence of access and change
/// times make the same tree the same archive. An exclude pattern is anchored at the
/// root, its wildcards match within one path component (a leading dot too), and what it
/// matches is left out with all below it.
pub fn tar_argv(export: &Export, compression: Compression, root: &str, file: &str) -> Vec<String> {
    let mut argv = vec!["tar".to_owned(), "--create".to_owned()];
    argv.push(format!("--file={file}"));
    // A colon in the name would mean another machine, and a remote shell.
    argv.push("--force-local".to_owned());
    argv.push(format!("--directory={root}"));
    argv.push("--format=posix".to_owned());
    argv.push("--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime".to_owned());
    argv.push("--sort=name".to_owned());
    argv.push("--sparse".to_owned());
    // The later forms put tar's process number into the name of a file with holes.
    argv.push("--sparse-version=0.0".to_owned());
    argv.extend(TAR_ATTRIBUTES.iter().map(|&flag| flag.to_owned()));
    if let Some(clamp) = export.times.word() {
        argv.push(format!("--mtime=@{clamp}"));
        argv.push("--clamp-mtime".to_owned());
    }
    if let Some(program) = compression.argv() {
        argv.push(format!("--use-compress-program={}", program.join(" ")));
    }
    if !export.exclude.is_empty() {
        for flag in ["--anchored", "--wildcards", "--no-wildcards-match-slash"] {
            argv.push(flag.to_owned());
        }
    }
    for pattern in &export.exclude {
        let pattern = pattern.trim_start_matches("./").trim_matches('/');
        argv.push(format!("--exclude=./{pattern}"));
    }
    argv.push(".".to_owned());
    argv
}

/// Unpacks what [`tar_argv`] wrote to standard output into the empty directory `dest`.
pub fn untar_argv(dest: &str) -> Vec<String> {
    let mut argv = vec!["tar".to_owned(), "--extract".to_owned()];
    argv.push("--file=-".to_owned());
    argv.push(format!("--directory={dest}"));
    argv.push("--preserve-permissions".to_owned());
    argv.push("--same-owner".to_owned());
    // Hard links and attributes touch directories again after they are left.
    argv.push("--delay-directory-restore".to_owned());
    argv.extend(TAR_ATTRIBUTES.iter().map(|&flag| flag.to_owned()));
    argv
}

/// Copies the tree at `root` into the empty directory `dest`, which gets the attributes
/// of `root` itself. cp has no exclude patterns: with these, an export is the output of
/// [`tar_argv`] piped into [`untar_argv`], so that a pattern means the same everywhere.
pub fn copy_argv(root: &str, dest: &str) -> Vec<String> {
    [
        "cp",
        "--archive",
        // `--archive` alone ignores attributes that the target cannot hold: file
        // capabilities would be lost without a word.
        "--preserve=xattr",
        "--reflink=auto",
        "--",
        &format!("{}/.", root.trim_end_matches('/')),
        dest,
    ]
    .map(str::to_owned)
    .to_vec()
}
