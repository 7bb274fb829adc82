//! How systemd-nspawn is called, for the runner and for the shell script alike.

use super::{Bind, Run};

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

/// What systemd-nspawn gives to a container beyond what a command needs. What is left, and
/// why:
/// - `CHOWN`, `DAC_OVERRIDE`, `FOWNER`, `FSETID`: packages have files of several owners, and
///   without `FSETID` bits for the group are lost without a word
/// - `SETUID`, `SETGID`: maintainer scripts and apt work as other users of the root
/// - `SETFCAP`: programs such as ping have capabilities
/// - `SYS_CHROOT`: dracut and tools with a `--root` option change theirs
/// - `KILL`: a script ends a service that it has started as another user
const NOT_FOR_COMMANDS: &[&str] = &[
    "AUDIT_CONTROL",
    "AUDIT_WRITE",
    "DAC_READ_SEARCH",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "SETPCAP",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_PTRACE",
    "SYS_RESOURCE",
    "SYS_TTY_CONFIG",
];

/// The same for an init, which mounts, sets limits and shuts down (`SYS_ADMIN`,
/// `SYS_RESOURCE`, `SYS_BOOT`, …) on behalf of its services.
const NOT_FOR_BOOTS: &[&str] = &["AUDIT_CONTROL", "MKNOD", "NET_RAW", "SYS_PTRACE"];

/// System calls that no container makes, beside those that systemd-nspawn refuses: they reach
/// what is the kernel's and not the root's.
const REFUSED_CALLS: &str =
    "~@keyring @module @raw-io @reboot @swap @clock bpf io_uring_setup perf_event_open userfaultfd";

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
    /// The root's own init: [`SHELL_RUNTIME`] adds the rest of the command line.
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
    /// The host's first ID for the container's, and how many there are; `None` where root in
    /// the container is root.
    pub ids: Option<(u32, u32)>,
    /// The command; empty for a boot.
    pub argv: &'a [String],
}

impl<'a> ContainerCommand<'a> {
    pub fn new(run: &'a Run, mode: Mode, root: &'a str, argv: &'a [String]) -> Self {
        ContainerCommand {
            root,
            mode,
            network: run.network,
            user: run.user.as_deref(),
            cwd: run.cwd.as_deref(),
            binds: &run.binds,
            env: run.env.keys().map(String::as_str).collect(),
            ids: None,
            argv,
        }
    }

    /// In a user namespace, with these in the place of the command's own binds.
    #[must_use]
    pub fn held(mut self, ids: Option<(u32, u32)>, binds: &'a [Bind]) -> Self {
        self.ids = ids;
        self.binds = binds;
        self
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
        let mut argv = self.mode.argv();
        argv.push(format!("--directory={}", self.root));
        if let Some((first, count)) = self.ids {
            argv.push(format!("--private-users={first}:{count}"));
            // The mounted root's files have such owners.
            argv.push("--private-users-ownership=off".to_owned());
        }
        if !self.network {
            argv.push("--private-network".to_owned());
        }
        argv.extend(self.flags());
        if self.mode != Mode::Boot {
            argv.push("--".to_owned());
            argv.extend(self.argv.iter().cloned());
        }
        argv
    }

    /// The flags for what is around the command: user, working directory, binds, variables.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        // In a booted system the unit says these.
        if self.mode != Mode::Boot {
            flags.extend(self.user.map(|user| format!("--user={user}")));
            flags.extend(self.cwd.map(|cwd| format!("--chdir={cwd}")));
        }
        flags.extend(self.binds.iter().map(bind));
        flags.extend(self.env.iter().map(|name| format!("--setenv={name}")));
        flags
    }
}

impl Mode {
    /// How every command line of the mode begins.
    pub fn argv(self) -> Vec<String> {
        // The command isn't PID 1, so signals have their usual meaning, zombies are reaped.
        let own: &[&str] = match self {
            Mode::Command => &["--console=pipe", "--as-pid2"],
            Mode::Interactive => &["--console=interactive", "--as-pid2"],
            Mode::Boot => &[],
        };
        let dropped = match self {
            Mode::Command | Mode::Interactive => NOT_FOR_COMMANDS,
            Mode::Boot => NOT_FOR_BOOTS,
        };
        let dropped: Vec<String> = dropped.iter().map(|name| format!("CAP_{name}")).collect();
        let mut argv: Vec<String> = NSPAWN.iter().chain(own).map(|&flag| flag.into()).collect();
        argv.push(format!("--drop-capability={}", dropped.join(",")));
        argv.push(format!("--system-call-filter={REFUSED_CALLS}"));
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

/// The shell functions of the plan's script. A build boots roots with one of them, too:
/// `boot_in_root SECONDS ROOT ETC CONTROL NSPAWN…`. What happened is in files of CONTROL
/// then: `stage` (`no-init`, `boot`, `script`, `ended`, `down`, `again`), and `late` when
/// the time was over.
pub const SHELL_RUNTIME: &str = include_str!("../preview/sh/runtime.sh");

/// What `boot_in_root` finds in CONTROL, beside standard input: the command as a shell
/// script, and the unit that runs it.
pub fn boot_files(run: &Run) -> [(&'static str, String); 2] {
    // Inside the root nothing stands for something else.
    let script = format!("exec {}\n", run.command.shown());
    [("run", script), ("rootwright.service", boot_unit(run))]
}

/// Standard input of the command, as a file of CONTROL.
pub const BOOT_STDIN: &str = "stdin";

fn boot_unit(run: &Run) -> String {
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

/// Whether a shell takes a word as it is.
pub fn is_bare(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+,./:@%".contains(c);
    !word.is_empty() && word.chars().all(plain)
}

/// One argument between single quotes.
pub fn in_quotes(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// One argument, quoted for a POSIX shell only where it has to be.
pub fn quote(word: &str) -> String {
    match is_bare(word) {
        true => word.to_owned(),
        false => in_quotes(word),
    }
}

/// A command line as one could paste it.
pub fn quote_all<S: AsRef<str>>(argv: &[S]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quote(word.as_ref())).collect();
    words.join(" ")
}
