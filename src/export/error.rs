//! What can go wrong with an export.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::diagnose::{CommandReport, Report};
use crate::run::files;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{name}` cannot be the name of an export: {why}")]
    Name { name: String, why: &'static str },
    #[error("two exports are called `{name}`")]
    Twice { name: String },
    #[error("the output folder `{}` cannot be used", path.display())]
    Out { path: PathBuf, error: io::Error },
    #[error("`{}` was not made by rootwright and stays as it is", path.display())]
    Foreign {
        path: PathBuf,
        /// What it is: `a file`, `a folder without manifest.json`.
        what: &'static str,
    },
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        error: io::Error,
    },
    #[error("cannot {doing} `{}`", path.display())]
    Tool {
        doing: &'static str,
        path: PathBuf,
        command: Box<CommandReport>,
        /// What of the output says why.
        cause: Option<&'static str>,
    },
    #[error("the list of packages cannot be read: {report}")]
    Packages { report: Box<Report> },
    #[error(
        "line {number} of the list of packages is not `name<tab>version<tab>architecture`: `{line}`"
    )]
    PackageLine { number: usize, line: String },
    #[error("{error}")]
    Root { error: files::Error },
    #[error("the manifest of the export cannot be written")]
    Manifest { error: serde_json::Error },
}

impl From<Error> for Report {
    fn from(error: Error) -> Report {
        let report = Report::new(error.code(), error.to_string());
        match error {
            Error::Name { .. } => {
                report.help("a name is one folder below the output folder, such as `node-12`")
            }
            Error::Twice { .. } => {
                report.help("the second would replace the first: give one of them another name")
            }
            Error::Out { error, .. } => {
                because(report, &error).help("name another folder with `--out DIR`")
            }
            Error::Foreign { what, .. } => report
                .cause(format!("it is {what}, and rootwright replaces only its own exports"))
                .help("move it away, give the export another name, or name another folder with `--out DIR`"),
            Error::Io { error, .. } => because(report, &error),
            Error::Tool { command, cause, .. } => {
                let report = report.command(*command);
                match cause {
                    Some(cause) => report.cause(cause),
                    None => report,
                }
            }
            // The command's own report says more than we could.
            Error::Packages { report: inner } => *inner,
            Error::PackageLine { .. } => report.help(
                "the distro module sets the command: it has to print nothing but such lines",
            ),
            Error::Root { error } => error.into(),
            Error::Manifest { error } => report.cause(error.to_string()),
        }
    }
}

impl Error {
    fn code(&self) -> &'static str {
        match self {
            Error::Name { .. } => "export::name",
            Error::Twice { .. } => "export::twice",
            Error::Out { .. } => "export::out",
            Error::Foreign { .. } => "export::foreign",
            Error::Io { .. } => "export::io",
            Error::Tool { .. } => "export::tool",
            Error::Packages { .. } => "export::packages",
            Error::PackageLine { .. } => "export::package_line",
            Error::Root { .. } => "export::root",
            Error::Manifest { .. } => "export::manifest",
        }
    }
}

fn because(report: Report, error: &io::Error) -> Report {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC) => report
            .cause("the disk is full")
            .help("make room there: an export that is replaced needs its room twice until it is"),
        Some(Errno::DQUOT) => report.cause("the disk quota is used up"),
        Some(Errno::ROFS) => report.cause("the file system is read-only"),
        Some(Errno::NOTDIR | Errno::EXIST) => report.cause("it is a file, not a folder"),
        Some(Errno::BUSY) => report.cause("something is mounted on it"),
        Some(Errno::PERM) => report.cause("the operation is not permitted").help(
            "a folder with the immutable attribute (`lsattr`) cannot be changed even by root",
        ),
        _ => report.cause(error.to_string()),
    }
}
