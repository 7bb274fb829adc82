//! What can go wrong with files inside of a root.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::diagnose::{CommandReport, Report};
use crate::plan::{RequiredPath, Source, Unresolved};

/// Paths are inside of the root unless a field is called `source` or `host`. No field
/// holds what a file contains, but for `nearest`, a line of a file that all may read.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "files::")]
pub enum Error {
    #[error("the root `{host}` cannot be opened")]
    Root { host: PathBuf, error: io::Error },
    #[error("`{path}` is not an absolute path without a NUL byte")]
    Path { path: String },
    #[error("cannot {doing} `{path}`")]
    Io {
        /// A verb: `write`, `remove`.
        doing: &'static str,
        path: String,
        error: io::Error,
    },
    #[error("cannot {doing} `{path}`: there is no such file in the root")]
    Missing { doing: &'static str, path: String },
    #[error("cannot {doing} `{path}`: it is {what}")]
    Kind {
        doing: &'static str,
        path: String,
        /// `a directory`, `a socket`.
        what: &'static str,
    },
    #[error("the root has no {kind} `{name}`")]
    Account {
        /// `user` or `group`.
        kind: &'static str,
        name: String,
        /// The nearest name that the root has.
        nearest: Option<String>,
    },
    #[error("the pattern `{pattern}` is not a regular expression")]
    Pattern {
        pattern: String,
        error: regex::Error,
    },
    #[error("cannot edit `{path}`: it is not UTF-8 text")]
    NotText { path: String },
    #[error("the pattern `{pattern}` matches nothing in `{path}`")]
    NoMatch {
        pattern: String,
        path: String,
        /// Number and text of the line that is most like the pattern.
        nearest: Option<(usize, String)>,
    },
    #[error("`{host}` is not what it was when the plan was made")]
    Changed {
        host: String,
        planned: String,
        found: String,
    },
    #[error("cannot copy `{host}` into the root")]
    Source { host: String, error: io::Error },
    #[error("the root lacks {} for {purpose}", files(missing.len()))]
    Required {
        purpose: String,
        missing: Vec<RequiredPath>,
    },
    #[error("cannot fetch `{url}`: {why}")]
    Url { url: String, why: &'static str },
    #[error("cannot fetch `{url}`")]
    Download {
        url: String,
        cause: Option<&'static str>,
        command: Box<CommandReport>,
    },
    #[error("`{url}` has another digest than the recipe says")]
    Digest {
        url: String,
        expected: String,
        found: String,
    },
    #[error("cannot {doing} `{host}` in the store")]
    Store {
        doing: &'static str,
        host: PathBuf,
        error: io::Error,
    },
    #[error("{missing}")]
    #[strum(serialize = "secret")]
    Unresolved { missing: Unresolved },
    #[error("the plan lacks what is copied: {copied:?}")]
    NoSource { copied: Source },
    #[error("`{op}` is not an operation on files")]
    NotAFileOperation { op: &'static str },
}

fn files(count: usize) -> String {
    match count {
        1 => "a file".to_owned(),
        count => format!("{count} files"),
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Report {
        let report = Report::of(&error);
        match error {
            Error::Root { error, .. }
            | Error::Source { error, .. }
            | Error::Store { error, .. }
            | Error::Io { error, .. } => because(report, &error),
            Error::Path { .. } => report.help("write the path as seen inside of the root, from `/` on"),
            Error::Missing { .. } => report
                .help("a step before this one has to make it, often by installing the package that owns it"),
            Error::Account { nearest, kind, .. } => {
                let report = report.cause(match kind {
                    "user" => "owners are looked up in `/etc/passwd` of the root, not of the host",
                    _ => "groups are looked up in `/etc/group` of the root, not of the host",
                });
                let other = "make it in a step before this one, or give its number";
                report.did_you_mean(nearest.as_deref(), other)
            }
            Error::NotText { .. } => report.help("edit it with a command: `root.nspawn_run([\"sed\", …])`"),
            Error::Pattern { error, .. } => report.cause(error.to_string()),
            Error::NoMatch { nearest, .. } => match nearest {
                Some((number, line)) => {
                    report.help(format!("the nearest line is {number}: `{line}`"))
                }
                None => report,
            },
            Error::Changed { planned, found, .. } => report
                .cause(format!("its digest was {planned}, and is {found} now"))
                .help("build again: the plan is made anew"),
            Error::Required { missing, .. } => required(report, &missing),
            Error::Download { cause, command, .. } => {
                let report = report.command(*command);
                match cause {
                    Some(cause) => report.cause(cause),
                    None => report,
                }
            }
            Error::Digest {
                expected, found, ..
            } => report
                .cause(format!("sha256 {expected} is expected, the file has {found}"))
                .help("take the digest from the publisher's own list: the file may have been replaced by a newer one, or tampered with"),
            Error::Kind { .. }
            | Error::Url { .. }
            | Error::NotAFileOperation { .. }
            | Error::NoSource { .. } => report,
            Error::Unresolved { .. } => report.help("pass its value: `--secret NAME=FILE`"),
        }
    }
}

impl Error {
    /// Changes the line of a file that it shows, if it shows one.
    #[must_use]
    pub fn map_line(mut self, change: impl FnOnce(&str) -> String) -> Self {
        if let Error::NoMatch {
            nearest: Some((_, line)),
            ..
        } = &mut self
        {
            *line = change(line);
        }
        self
    }

    pub(super) fn kind(doing: &'static str, path: &Path, kind: FileType) -> Error {
        Error::Kind {
            doing,
            path: path.display().to_string(),
            what: match kind {
                FileType::RegularFile => "a file",
                FileType::Directory => "a directory",
                FileType::Symlink => "a symbolic link",
                FileType::Fifo => "a named pipe",
                FileType::Socket => "a socket",
                FileType::CharacterDevice | FileType::BlockDevice => "a device",
                FileType::Unknown => "a file of an unusual kind",
            },
        }
    }
}

/// The cause in words, and what helps where that is known.
fn because(report: Report, error: &io::Error) -> Report {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match errno {
        Some(Errno::NOSPC) => report
            .cause("the disk is full")
            .help("make room on the file system that holds the store and the output folder"),
        Some(Errno::DQUOT) => report.cause("the disk quota is used up"),
        Some(Errno::ROFS) => report.cause("the file system is read-only"),
        Some(Errno::ACCESS | Errno::PERM) => report
            .cause(format!("{error}"))
            .help("a file with the immutable attribute (`lsattr`) cannot be changed even by root"),
        Some(Errno::LOOP) => report.cause("its symbolic links lead in a circle, or too far"),
        Some(Errno::NOTDIR) => report.cause("a part of the path is a file, not a directory"),
        Some(Errno::NAMETOOLONG) => report.cause("a name in the path is too long"),
        Some(Errno::XDEV) => {
            report.cause("the path leads through a link that cannot be kept inside of the root")
        }
        _ => report.cause(error.to_string()),
    }
}

fn required(report: Report, missing: &[RequiredPath]) -> Report {
    let mut lines: Vec<String> = Vec::new();
    let mut packages: Vec<String> = Vec::new();
    for required in missing {
        let any_of: Vec<String> = required.any_of.iter().map(|p| format!("`{p}`")).collect();
        lines.push(format!("{}: {}", any_of.join(" or "), required.why));
        let package = format!("{:?}", required.package);
        if !required.package.is_empty() && !packages.contains(&package) {
            packages.push(package);
        }
    }
    let report = report.cause(lines.join("\n"));
    match packages.join(", ") {
        none if none.is_empty() => report,
        packages => report.help(format!(
            "install what brings them before: `root.install([{packages}]);`"
        )),
    }
}
