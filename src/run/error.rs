//! What can go wrong while a plan runs.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::boot_failure::BootFailure;
use crate::diagnose::{CommandReport, Frame, HintSet, Report, Trouble};
use crate::plan::{Key, Step};
use crate::store::{CHANGED, OpenError};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "run::")]
pub enum Error {
    #[error("cannot {what}: {source}")]
    Namespace {
        what: &'static str,
        source: std::io::Error,
    },
    /// What holds the commands of a build cannot be made.
    #[error("cannot {what}: {source}")]
    Confinement {
        what: String,
        source: std::io::Error,
    },
    #[error("the process that started this one is gone")]
    Orphaned,
    #[error("interrupted")]
    Interrupted,
    #[error("the store cannot be used: {source}")]
    Store { source: std::io::Error },
    #[error(transparent)]
    OpenStore(#[from] OpenError),
    #[error("the layer `{}` of the store cannot be used", key.short())]
    Layer { key: Key },
    #[error("cannot mount the root's layers: {source}")]
    Overlay { source: std::io::Error },
    #[error("cannot give the root the host's name resolution: {message}")]
    Resolver { message: String },
    #[error("cannot cover `{path}` of the root with the folder of downloads: {message}")]
    Downloads { path: String, message: String },
    #[error("cannot run a command in the root: its `{path}` is not a file")]
    NotAFile { path: &'static str },
    #[error("cannot start `{program}`: {source}")]
    Start {
        program: String,
        source: std::io::Error,
        calls: Vec<Frame>,
    },
    #[error("{}", failure.headline())]
    Command {
        failure: Box<CommandFailure>,
        calls: Vec<Frame>,
    },
    #[error("{report}")]
    Step { report: Report, calls: Vec<Frame> },
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        error.report(&HintSet::default()).into()
    }
}

/// A command that failed, with what it said.
#[derive(Clone, Debug, Default)]
pub struct CommandFailure {
    /// The number of the step.
    pub step: usize,
    /// As it was asked for, quoted for a shell.
    pub command: String,
    /// Whether it ran inside of the root.
    pub in_root: bool,
    /// Whether it is a shell script that the recipe wrote, of more than one program.
    pub script: bool,
    /// The programs whose known failures apply.
    pub tools: Vec<String>,
    pub status: String,
    /// Whether the status is that of a success, which the output belies.
    pub exited_well: bool,
    /// Lines that a pattern of the step marks as failures.
    pub matched: Vec<String>,
    /// Lines in which a booted system says what is wrong with it.
    pub told: Vec<String>,
    pub output: Vec<String>,
    pub log: PathBuf,
    pub kept: Option<PathBuf>,
    /// What went wrong with the root's own system, where the command was to run in that.
    pub boot: Option<BootFailure>,
}

impl CommandFailure {
    fn headline(&self) -> String {
        let (step, status) = (self.step, &self.status);
        if let Some(boot) = &self.boot {
            return format!("step {step} failed: {boot}");
        }
        // Which line of a script it was that failed is not known.
        let what = match self.tools.first() {
            Some(tool) if !self.script => format!("`{tool}`"),
            _ => "the script".to_owned(),
        };
        let contradiction = match self.exited_well {
            true => ", but its output says that it failed",
            false => "",
        };
        format!("step {step} failed: {what} ended with {status}{contradiction}")
    }
}

/// How many lines of the output's end a report shows, and how many that look like errors.
const TAIL: usize = 6;
const ERRORS: usize = 10;

impl Error {
    pub fn store(source: std::io::Error) -> Self {
        Error::Store { source }
    }

    /// What becomes of an error of the kernel's.
    pub(super) fn namespace<E: Into<std::io::Error>>(what: &'static str) -> impl Fn(E) -> Self {
        move |error| Error::Namespace {
            what,
            source: error.into(),
        }
    }

    pub(super) fn resolver(error: impl ToString) -> Self {
        Error::Resolver {
            message: error.to_string(),
        }
    }

    pub(super) fn downloads<E: ToString>(path: &str) -> impl Fn(E) -> Self {
        move |error| Error::Downloads {
            path: path.to_owned(),
            message: error.to_string(),
        }
    }

    pub(super) fn in_step(report: Report, step: &Step, calls: &[Frame]) -> Self {
        Error::Step {
            report,
            calls: place(step, calls),
        }
    }

    /// The error, with the step that it belongs to where it has none.
    pub fn at(self, step: &Step, inner: &[Frame]) -> Self {
        match self {
            Error::Step { report, calls } if calls.is_empty() => Error::Step {
                report,
                calls: place(step, inner),
            },
            other => other,
        }
    }

    /// The error as a report; `hints` are the known causes.
    pub fn report(&self, hints: &HintSet) -> Report {
        let report = Report::of(self);
        match self {
            Error::Namespace { source, .. } => match source.kind() {
                std::io::ErrorKind::PermissionDenied => report
                    .cause("this process may not make namespaces: it lacks CAP_SYS_ADMIN")
                    .help("run it as root; in a container, give that `--privileged`, or at least CAP_SYS_ADMIN and no seccomp filter"),
                // mount(2): only a mount point's propagation can be changed.
                std::io::ErrorKind::InvalidInput => report
                    .cause("`/` is no mount point, as in a chroot of a plain directory")
                    .help("mount the directory on itself before the chroot (`mount --bind DIR DIR`), or enter it with systemd-nspawn"),
                _ => report,
            },
            Error::Confinement { source, .. } => confinement_report(report, source),
            Error::Orphaned
            | Error::Interrupted
            | Error::Resolver { .. }
            | Error::Downloads { .. } => report,
            Error::NotAFile { path } => report
                .cause("systemd-nspawn reads it, and would wait for a pipe for ever")
                .help(format!("remove it in a step before this one: `root.remove_path(\"{path}\");`")),
            Error::Store { source } => with_disk_help(report, source)
                .help("`--store DIR` keeps the layers elsewhere"),
            Error::Layer { key } => report
                .cause(format!("layers/{key}: {CHANGED}"))
                .help("somebody has changed it, or the disk is failing: remove it and the layers above it, and the next build makes them again")
                .next(format!("rootwright cache rm {key}")),
            Error::OpenStore(OpenError::Io(source)) => with_disk_help(report, source)
                .help("`--store DIR` keeps the layers elsewhere"),
            Error::OpenStore(error) => {
                let report = report
                    .cause("a user who can write to a store can put files into the roots that are built from it")
                    .help("look at what is in it; or keep the layers elsewhere with `--store DIR`");
                error.cure().into_iter().fold(report, Report::next)
            }
            Error::Overlay { source } => with_disk_help(report, source)
                .help("the store has to be on a file system that overlayfs can write to, such as ext4, xfs or btrfs; another overlay is none"),
            Error::Start { source, program, calls } => {
                let report = report.trace(calls.clone());
                match source.kind() {
                    std::io::ErrorKind::NotFound => {
                        report.help(format!("install `{program}` on this host"))
                    }
                    _ => report,
                }
            }
            Error::Command { failure, calls } => {
                command_report(report, failure, hints).trace(calls.clone())
            }
            Error::Step { report, calls } => {
                let mut report = report.clone();
                if report.trace.is_empty() {
                    report.trace = calls.clone();
                }
                report
            }
        }
    }
}

/// The step's own call, then the calls from there to the operation.
pub fn place(step: &Step, calls: &[Frame]) -> Vec<Frame> {
    step.calls.iter().chain(calls).cloned().collect()
}

/// Why commands cannot be kept from being root on this host.
fn confinement_report(report: Report, source: &std::io::Error) -> Report {
    let report = match source.kind() {
        // open_tree(2) and mount_setattr(2): the kernel, or the file system, maps no owners.
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::Unsupported => report
            .cause("the kernel or the file system of the store has no mounts with mapped owners, which keep commands from being root on this host")
            .help("use Linux 5.19 or later, and a store on ext4, xfs, btrfs or tmpfs (`--store DIR`)"),
        // user_namespaces(7): a limit of none.
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => report
            .cause("this host allows no user namespaces, which keep commands from being root on it")
            .next("sysctl user.max_user_namespaces=65536"),
        std::io::ErrorKind::PermissionDenied => report
            .cause("this process may not make user namespaces with IDs of their own, as in a container that is one itself")
            .help("run it on the host, or in a container with the host's user namespace"),
        _ => report,
    };
    report.help("`--unconfined` lets everything that the recipe runs be root on this host: for recipes, packages and images that you trust as yourself")
}

fn with_disk_help(report: Report, source: &std::io::Error) -> Report {
    match source.kind() {
        std::io::ErrorKind::StorageFull => report.cause("the disk is full"),
        std::io::ErrorKind::ReadOnlyFilesystem => report.cause("the file system is read-only"),
        _ => report,
    }
}

fn command_report(report: Report, failure: &CommandFailure, hints: &HintSet) -> Report {
    let tools: Vec<&str> = failure.tools.iter().map(String::as_str).collect();
    let known = hints.explain(&tools, &failure.output.join("\n"));
    let lines = lines_that_matter(failure, known.first().map_or(&[], |known| &known.lines));
    let place = match failure.in_root {
        true => "in the root",
        false => "on the host",
    };
    let mut report = report.command(CommandReport {
        command: failure.command.clone(),
        place: place.to_owned(),
        status: failure.status.clone(),
        lines,
        total_lines: failure.output.len(),
        log: Some(failure.log.clone()),
    });
    if let Some(first) = known.first() {
        report = report.cause(first.cause.clone()).help(first.help.clone());
    } else if let Some(boot) = &failure.boot {
        if let Some(cause) = boot.cause(&failure.output) {
            report = report.cause(cause);
        }
        report = report.help(boot.help());
    } else if failure.in_root && failure.status == "exit status 255" && !says_why(failure) {
        // The init of systemd-nspawn, the command's parent, reports every signal so.
        report = report
            .cause("a signal may have ended the command: systemd-nspawn reports that as 255")
            .help("where the machine has run out of memory, the kernel's log says which process it ended: `dmesg`");
    }
    if let Some(kept) = &failure.kept {
        let kept = kept.display();
        report = report.next(format!(
            "ls {kept}/fs    # what the failed step had changed"
        ));
    }
    report
}

/// The lines that explain a failure, in the order of the output: those of the known cause,
/// those that the step's patterns or their own look mark as errors, and the last ones.
fn lines_that_matter(failure: &CommandFailure, known: &[String]) -> Vec<String> {
    let output = &failure.output;
    let marked = output.iter().filter(|line| failure.matched.contains(line));
    let told = output.iter().filter(|line| failure.told.contains(line));
    let errors = output.iter().filter(|line| looks_like_error(line));
    // The end of what the command itself said.
    let own = output.iter().filter(|line| !failure.told.contains(line));
    let tail = own.rev().take(TAIL);
    let mut wanted: BTreeSet<&String> = known
        .iter()
        .chain(marked.take(ERRORS))
        .chain(told.take(ERRORS))
        .chain(errors.take(ERRORS))
        .chain(tail)
        .filter(|line| !line.trim().is_empty())
        .collect();
    // Each once, where it comes first.
    let shown = output.iter().filter(|line| wanted.remove(line));
    shown.cloned().collect()
}

/// Whether the end of the output is a message of the program itself: `setfiles` and
/// `ssh-keygen` also end with 255.
fn says_why(failure: &CommandFailure) -> bool {
    let end = failure.output.iter().rev().take(TAIL);
    // `setfiles: …`, `/usr/sbin/setfiles:  …`
    let by_name = |line: &str| {
        let name = line.split_once(": ").map(|(name, _)| name);
        name.is_some_and(|name| !name.is_empty() && !name.contains(char::is_whitespace))
    };
    const REFUSALS: &[&str] = &["invalid", "unknown", "denied", "not permitted", "usage:"];
    let refused = |line: &str| has_any(line, REFUSALS);
    end.into_iter()
        .any(|line| looks_like_error(line) || refused(line) || by_name(line))
}

fn looks_like_error(line: &str) -> bool {
    let words = [
        "error:",
        "error ",
        "failed",
        "fatal",
        "cannot ",
        "no such",
        "not found",
        "unable to",
    ];
    line.starts_with("E: ") || has_any(line, &words)
}

/// Whether a line has one of the words, in whichever case.
fn has_any(line: &str, words: &[&str]) -> bool {
    let line = line.to_lowercase();
    words.iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended_with_255(output: &[&str]) -> String {
        let failure = CommandFailure {
            in_root: true,
            tools: vec!["setfiles".to_owned()],
            status: "exit status 255".to_owned(),
            output: output.iter().map(|&line| line.to_owned()).collect(),
            ..CommandFailure::default()
        };
        let report = command_report(Report::default(), &failure, &HintSet::default());
        report.cause.clone().unwrap_or_default()
    }

    #[test]
    fn a_signal_is_named_only_where_the_program_gives_no_reason() {
        for output in [&[][..], &["unpacking 1 of 2"]] {
            assert!(ended_with_255(output).contains("signal"), "{output:?}");
        }
        for output in [
            &["/etc/selinux/contexts: line 1 has invalid context"][..],
            &["unknown key type rsa9"],
            &["Saving key \"/x/y\" failed: No such file or directory"],
            &["setfiles: something of its own"],
            &["/usr/sbin/setfiles:  something of its own", "usage: …"],
        ] {
            assert_eq!(ended_with_255(output), "", "{output:?}");
        }
    }
}
