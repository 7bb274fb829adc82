//! Operations as command lines: the one place that says how systemd-nspawn, tar and cp
//! are called, for the runner and for the shell script alike.

use super::{Compression, Export, NspawnRun};

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
        let flag = if bind.read_only {
            "--bind-ro"
        } else {
            "--bind"
        };
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
