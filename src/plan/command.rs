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

/// Flags of a container that runs one command.
const RUN: &[&str] = &[
    "--console=pipe",
    // The command is not PID 1, so signals have their usual meaning, zombies are reaped.
    "--as-pid2",
];

/// The whole command line that runs `command`, the words of `run`'s, in the root mounted at
/// `root`. Values of the
/// environment are not in it: nspawn takes them from its own (`--setenv=NAME`), so that
/// no secret shows in a process list.
pub fn nspawn_argv(run: &Run, root: &str, command: &[String]) -> Vec<String> {
    let mut argv: Vec<String> = NSPAWN
        .iter()
        .chain(RUN)
        .map(|&flag| flag.to_owned())
        .collect();
    argv.extend(place(run, root));
    if let Some(user) = &run.user {
        argv.push(format!("--user={user}"));
    }
    if let Some(cwd) = &run.cwd {
        argv.push(format!("--chdir={cwd}"));
    }
    argv.extend(surroundings(run));
    argv.push("--".to_owned());
    argv.extend(command.iter().cloned());
    argv
}

/// The command line that boots the root mounted at `root`, up to what [`BOOT_IN_ROOT`] adds.
pub fn nspawn_boot_argv(run: &Run, root: &str) -> Vec<String> {
    let mut argv: Vec<String> = NSPAWN.iter().map(|&flag| flag.to_owned()).collect();
    argv.extend(place(run, root));
    argv.extend(surroundings(run));
    argv
}

fn place(run: &Run, root: &str) -> Vec<String> {
    let mut argv = vec![format!("--directory={root}")];
    argv.extend((!run.network).then(|| "--private-network".to_owned()));
    argv
}

fn surroundings(run: &Run) -> Vec<String> {
    let bind = |bind: &Bind| {
        let flag = if bind.read_only {
            "--bind-ro"
        } else {
            "--bind"
        };
        let host = bind.host.replace(':', "\\:");
        let path = bind.path.replace(':', "\\:");
        format!("{flag}={host}:{path}")
    };
    let env = run.env.keys().map(|name| format!("--setenv={name}"));
    run.binds.iter().map(bind).chain(env).collect()
}

/// The shell functions that boot a root: `boot_in_root SECONDS ROOT ETC CONTROL NSPAWN…`,
/// the same for a build and for the plan's script. What happened is in files of CONTROL
/// then: `stage` (`no-init`, `boot`, `script`, `ended`, `down`, `again`), and `late` when
/// the time was over.
pub const BOOT_IN_ROOT: &str = include_str!("../preview/sh/prelude/boot_in_root.sh");

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
