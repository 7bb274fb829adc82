//! What keeps two things from being compared.

use std::io;
use std::path::PathBuf;

use crate::diagnose::{Report, nearest};

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "diff::")]
pub enum Error {
    #[error("`{}` is in no git repository", recipe.display())]
    NoRepository { recipe: PathBuf, why: String },
    #[error("git knows no revision `{revision}`")]
    NoRevision {
        revision: String,
        known: Vec<String>,
    },
    #[error("there is no `{}` at `{revision}`", recipe.display())]
    NotInRevision { recipe: PathBuf, revision: String },
    #[error("git cannot give the files of `{revision}`")]
    Git { revision: String, why: String },
    #[error("`{}` cannot be read", path.display())]
    Read { path: PathBuf, error: io::Error },
}

impl From<Error> for Report {
    fn from(error: Error) -> Report {
        let report = Report::of(&error);
        match error {
            Error::NoRepository { why, .. } => report
                .cause(why)
                .help("a revision is one of the repository that the recipe is in"),
            Error::NoRevision { revision, known } => report.did_you_mean(
                nearest(&revision, known.iter().map(String::as_str)),
                "a branch, a tag or a commit: `git log` shows them",
            ),
            Error::NotInRevision { revision, .. } => report.help(format!(
                "`git ls-tree -r --name-only {revision}` shows what is there"
            )),
            Error::Git { why, .. } => report.cause(why),
            Error::Read { error, .. } => report.unreadable(&error),
        }
    }
}
