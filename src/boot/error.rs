//! What keeps a node from being booted and looked at.

use std::path::PathBuf;

use super::console::Excerpt;
use crate::diagnose::{CommandReport, HintSet, Report};
use crate::plan::Transport;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "boot::")]
pub enum Error {
    #[error("the stdlib's table of machines cannot be read: {message}")]
    Table { message: String },
    #[error("nodes of the machine `{name}` cannot be booted here")]
    Machine { name: String, known: Vec<String> },
    #[error("the export {path} boots no node", path = path.display())]
    Bootless { path: PathBuf, why: String },
    #[error("the export {path} cannot be booted over `{via}`", path = path.display())]
    Via {
        path: PathBuf,
        via: &'static str,
        transport: Option<Transport>,
    },
    #[error("the export {path} has no `boot.ipxe`", path = path.display())]
    NoScript { path: PathBuf },
    #[error("`{name}` in {path} is not what rootwright wrote", path = path.display())]
    Script { path: PathBuf, name: &'static str },
    #[error(
        "the kernel command line would have {length} characters, and the machine takes {limit}"
    )]
    Cmdline { length: usize, limit: usize },
    #[error("a command for the node has {length} bytes, and {limit} is the most")]
    Command { length: usize, limit: usize },
    #[error("the path {path} cannot be served", path = path.display())]
    Path { path: PathBuf },
    #[error("`{program}` cannot be started")]
    Start {
        program: String,
        source: std::io::Error,
    },
    #[error("{what} cannot be served on this host")]
    Serve {
        what: &'static str,
        said: Vec<String>,
    },
    #[error("the node that boots from `{}` did not come up", .0.export)]
    NoAnswer(Box<Silence>),
    #[error("{0}")]
    Network(crate::run::Error),
    #[error("the boot of a node was interrupted")]
    Interrupted,
    #[error("a node cannot be booted")]
    Io(#[from] std::io::Error),
}

/// A node that never said how it is.
#[derive(Debug)]
pub struct Silence {
    /// The export's name.
    pub export: String,
    pub why: Why,
    /// How far it got.
    pub reached: Option<String>,
    pub seconds: f64,
    /// What its console said.
    pub excerpt: Excerpt,
    /// All of that.
    pub log: PathBuf,
    pub command: String,
    /// QEMU's, for known causes.
    pub program: String,
    /// The command that gives somebody the node's console.
    pub attend: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The console said that there is nothing to wait for.
    Died,
    /// QEMU ended.
    Ended,
    Timeout,
}

impl Error {
    pub(super) fn start(program: &str) -> impl FnOnce(std::io::Error) -> Self {
        let program = program.to_owned();
        move |source| Error::Start { program, source }
    }

    /// The error as a report; `hints` are the known causes.
    pub fn report(&self, hints: &HintSet) -> Report {
        let report = Report::of(self);
        match self {
            Error::Table { .. } | Error::Interrupted => report,
            Error::Machine { known, .. } => report.cause(format!("the stdlib's `boot/machines.toml` knows {}", known.join(", "))),
            Error::Bootless { why, .. } => report.cause(why.clone())
                .help("a node needs a kernel, `dracut` with the transport, and an export in the format `nfs`, `dir`, `squashfs`, `erofs` or `cpio`"),
            Error::Via { transport, .. } => match transport {
                Some(transport) => report
                    .cause(format!("its nodes get their root over `{}`", transport.name()))
                    .help(format!("`--via {}`, or `--via pxe`", transport.name())),
                None => report
                    .cause("the root is the initramfs itself")
                    .help("leave `--via` out, or `--via pxe`"),
            },
            Error::NoScript { .. } => report.cause("a `dir` export is served from where a calls wants it, so nothing is written for boot loaders")
                .help("export the root in the format `nfs`, `squashfs`, `erofs` or `cpio`"),
            Error::Script { .. } => report.cause("the kernel's line or its command line is another")
                .help("remove the export, and build it again"),
            Error::Cmdline { .. } => report.help("make `cmdline` of `dracut` shorter"),
            Error::Command { .. } => report.help("put a script into the root, and call that"),
            Error::Path { .. } => report.cause("nfs-ganesha takes no quotes and no backslashes in a path")
                .help("name another output folder"),
            Error::Start { source, program } => {
                let report = report.cause(source.to_string());
                match source.kind() {
                    std::io::ErrorKind::NotFound => report.help(format!("install `{program}`")),
                    _ => report,
                }
            }
            Error::Serve { said, .. } => {
                let known = hints.explain(&["ganesha.nfsd"], &said.join("\n"));
                match known.first() {
                    Some(known) => report.cause(&known.cause).help(&known.help),
                    None => report.cause(said.join("\n")),
                }
            }
            Error::NoAnswer(silence) => silence.report(report, hints),
            Error::Network(error) => error.report(hints),
            Error::Io(source) => report.cause(source.to_string()),
        }
    }
}

impl Silence {
    fn report(&self, report: Report, hints: &HintSet) -> Report {
        let tools = [self.program.as_str(), "dracut", "mount.nfs4"];
        let known = hints.explain(&tools, &self.excerpt.searched);
        let seconds = self.seconds;
        let mut report = report.command(CommandReport {
            command: self.command.clone(),
            place: "on the host".to_owned(),
            status: match self.why {
                Why::Died => format!("its console said after {seconds:.0} s that it is over"),
                Why::Ended => format!("QEMU ended after {seconds:.0} s"),
                Why::Timeout => format!("ended after {seconds:.0} s without an answer"),
            },
            lines: self.excerpt.shown.clone(),
            total_lines: self.excerpt.total,
            log: Some(self.log.clone()),
        });
        report = match (known.first(), &self.reached) {
            (Some(known), _) => report.cause(&known.cause).help(&known.help),
            (None, Some(reached)) => report.cause(format!("it got as far as: {reached}")),
            (None, None) => report.cause("its console has nothing that is known"),
        };
        if self.why == Why::Timeout {
            report = report.help(
                "an emulated processor is slow: give it longer with `--timeout SECONDS`, in a recipe with `timeout`",
            );
        }
        report
            .help("look around in the node, with its console on your terminal")
            .next(self.attend.clone())
    }
}
