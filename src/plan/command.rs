//! Operations as command lines: the one place that says how systemd-nspawn is called,
//! for the runner and for the shell script alike.

use super::NspawnRun;

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
    "--console=pipe",
    // The command is not PID 1, so signals have their usual meaning, zombies are reaped.
    "--as-pid2",
    // A step that fails is thrown away whole, so syncing within it buys nothing.
    "--suppress-sync=yes",
    "--machine=rootwright",
];

/// The whole command line that runs `run` in the root mounted at `root`. Values of the
/// environment are not in it: nspawn takes them from its own (`--setenv=NAME`), so that
/// no secret shows in a process list.
pub fn nspawn_argv(run: &NspawnRun, root: &str) -> Vec<String> {
    let mut argv: Vec<String> = NSPAWN.iter().map(|&flag| flag.to_owned()).collect();
    argv.push(format!("--directory={root}"));
    if !run.network {
        argv.push("--private-network".to_owned());
    }
    if let Some(user) = &run.user {
        argv.push(format!("--user={user}"));
    }
    if let Some(cwd) = &run.cwd {
        argv.push(format!("--chdir={cwd}"));
    }
    for bind in &run.binds {
        let flag = if bind.read_only { "--bind-ro" } else { "--bind" };
        let host = bind.host.replace(':', "\\:");
        let path = bind.path.replace(':', "\\:");
        argv.push(format!("{flag}={host}:{path}"));
    }
    argv.extend(run.env.keys().map(|name| format!("--setenv={name}")));
    argv.push("--".to_owned());
    argv.extend(run.argv.iter().cloned());
    argv
}

/// One argument, quoted for a POSIX shell only where it has to be.
pub fn quote(word: &str) -> String {
    // A NUL cannot stand in an argument at all; scripts are refused before it gets here.
    shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), |quoted| quoted.into_owned())
}

/// A command line as one could paste it.
pub fn quote_all<S: AsRef<str>>(argv: &[S]) -> String {
    let words: Vec<String> = argv.iter().map(|word| quote(word.as_ref())).collect();
    words.join(" ")
}
