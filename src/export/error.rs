//! What can go wrong with an export.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::diagnose::{CommandReport, Report};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "export::")]
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
    #[error(
        "line {number} of the list of packages is not `name<tab>version<tab>architecture`: `{line}`"
    )]
    PackageLine { number: usize, line: String },
    #[error("`{}` is an export of another form and stays as it is", path.display())]
    OtherForm {
        path: PathBuf,
        /// Whether it is a folder of versions.
        versions: bool,
    },
    #[error("`{}` is no export with versions", path.display())]
    NoVersions { path: PathBuf },
    #[error("`{}` has no {}", path.display(), wanted_version(version.as_deref()))]
    NoVersion {
        path: PathBuf,
        /// Absent: the one before the current.
        version: Option<String>,
        there: Vec<String>,
    },
    #[error("the version `{}` is there, and was made of something else", path.display())]
    VersionTaken { path: PathBuf },
    #[error("the version `{}` is in use and stays", path.display())]
    InUse { path: PathBuf, why: String },
    #[error("`{}` is no export", path.display())]
    NoExport { path: PathBuf, why: String },
    #[error("`{}` is of the format `{format}`, which is not unpacked to be looked at", path.display())]
    Packed { path: PathBuf, format: &'static str },
    #[error("the time that times are clamped to is not known: `{output}` is no number")]
    Time { output: String },
    #[error("the image's layers cannot be read")]
    Layers { error: io::Error },
    /// Of a command in the root, or of the root itself: it says more than we could.
    #[error("{0}")]
    Below(#[from] Report),
    #[error("the manifest of the export cannot be written")]
    Manifest { error: serde_json::Error },
}

impl From<Error> for Report {
    fn from(error: Error) -> Report {
        let report = Report::of(&error);
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
            Error::Io { error, .. } | Error::Layers { error } => because(report, &error),
            Error::Tool { command, cause, .. } => {
                let report = report.command(*command);
                match cause {
                    Some(DISK_FULL) => report.cause(DISK_FULL).help(MAKE_ROOM),
                    Some(cause) => report.cause(cause),
                    None => report,
                }
            }
            Error::PackageLine { .. } => report.help(
                "the distro module sets the command: it has to print nothing but such lines",
            ),
            Error::OtherForm { versions, .. } => report
                .cause(match versions {
                    true => "it holds versions, which nodes may run from",
                    false => "it is a single export, and versions would go beside its files",
                })
                .help("give the export another name, name another folder with `--out DIR`, or move it away"),
            Error::NoVersions { .. } => report
                .help("only exports of the format `nfs` have versions; `rootwright export ls` lists what is there"),
            Error::NoVersion { there, .. } => match there.is_empty() {
                true => report.cause("it has none at all"),
                false => report.cause(format!("there is {}", there.join(", "))),
            },
            Error::VersionTaken { .. } => report
                .cause("a version is never changed: nodes may run from it")
                .help("give it another `version`, or none: then it gets the next number"),
            Error::InUse { why, .. } => report.cause(why).help(
                "nodes that run from it would lose their root: boot them from another version first",
            ),
            Error::NoExport { why, .. } => report.cause(why),
            Error::Packed { .. } => report.help("name the recipe: its root is looked at instead"),
            Error::Below(report) => report,
            Error::Time { .. } => {
                report.help("the distro module sets the command: it has to print seconds since 1970")
            }
            Error::Manifest { error } => report.cause(error.to_string()),
        }
    }
}

impl Error {
    pub(super) fn out(path: &Path) -> impl Fn(io::Error) -> Error + Copy {
        move |error| Error::Out {
            path: path.to_owned(),
            error,
        }
    }

    /// What becomes of an input or output error.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> Error + Copy {
        move |error| Error::Io {
            doing,
            path: path.to_owned(),
            error,
        }
    }
}

fn wanted_version(version: Option<&str>) -> String {
    match version {
        Some(version) => format!("version `{version}`"),
        None => "version before the current one".to_owned(),
    }
}

pub const DISK_FULL: &str = "the disk is full";
const MAKE_ROOM: &str = "make room there, or name another folder with `--out DIR`: an export that is replaced needs its room twice until it is";

fn because(report: Report, error: &io::Error) -> Report {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOSPC) => report.cause(DISK_FULL).help(MAKE_ROOM),
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
