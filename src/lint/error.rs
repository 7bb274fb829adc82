//! What keeps a root from being looked at, as opposed to what is wrong with it.

use std::io;
use std::path::PathBuf;

use crate::diagnose::Report;
use crate::run::files;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "lint::")]
pub enum Error {
    #[error("`{}` cannot be looked at", path.display())]
    Root { path: PathBuf, error: files::Error },
    #[error("`{path}` in the root cannot be read")]
    Read { path: String, error: io::Error },
    #[error("the stdlib's `{file}` is no table of lints")]
    Table { file: String, why: String },
    #[error("the lint `{lint}` has a check that makes no sense")]
    Check { lint: String, why: &'static str },
    #[error("two lints are named `{lint}`")]
    Twice { lint: String },
    #[error("there is no lint `{name}`")]
    NoLint { name: String, near: Option<String> },
}

impl From<Error> for Report {
    fn from(error: Error) -> Report {
        let report = Report::of(&error);
        match error {
            Error::Root { error, .. } => report
                .cause(error.to_string())
                .help("name a directory that is a root, a recipe, or an export"),
            Error::Read { error, .. } => report.unreadable(&error),
            Error::Table { why, .. } => report
                .cause(why)
                .help("docs/lint.md has the fields of a lint and its checks"),
            Error::Check { why, .. } => report
                .cause(why)
                .help("docs/lint.md has the fields of a check"),
            Error::Twice { .. } => report.help("give one of them another name"),
            Error::NoLint { near, .. } => {
                report.did_you_mean(near.as_deref(), "`rootwright lint --list` has them all")
            }
        }
    }
}
