//! What can go wrong with a library before anything of it is used.

use std::path::PathBuf;
use std::time::Duration;

use crate::diagnose::Report;

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "library::")]
pub enum Error {
    #[error("`{address}` is no address of a library: it is {why}")]
    Address {
        address: String,
        why: &'static str,
        help: &'static str,
    },
    #[error("libraries are fetched with git, and there is no git here")]
    NoGit,
    #[error("`git {what}` failed")]
    Git { what: String, said: Vec<String> },
    #[error("git took longer than {} s", limit.as_secs())]
    #[strum(serialize = "git_time")]
    TooLong { limit: Duration },
    #[error("git answers in words that rootwright does not know")]
    #[strum(serialize = "git_answer")]
    Listing,
    #[error("{0}")]
    Files(#[from] std::io::Error),
    #[error("no folder for libraries can be written to")]
    NoShelf { tried: Vec<PathBuf> },
    #[error("`{}` is a link to `{}`, which is outside of the library or nowhere", link.display(), target.display())]
    Link { link: PathBuf, target: PathBuf },
    #[error("the name `{}` leaves the library's folder", path.display())]
    #[strum(serialize = "name_inside")]
    Name { path: PathBuf },
    #[error("it has {files} files with {} MiB", bytes >> 20)]
    TooLarge { files: usize, bytes: u64 },
    #[error("there is no module in it")]
    NoModule,
    #[error("rootwright.lock does not pin what rootwright.toml asks for")]
    NotPinned,
    #[error("rootwright.toml takes no `[libraries.{{NAME}}]` below what is in it")]
    Unwritable,
    #[error("the tag `{tag}` has moved: it was {pinned}, and is {found} now")]
    MovedTag {
        tag: String,
        pinned: String,
        found: String,
    },
    #[error("its history was rewritten: {pinned}, which is pinned, is not in it any more")]
    Rewritten { pinned: String },
    #[error("the files of {commit} have the digest {found}, and {pinned} is pinned")]
    Digest {
        commit: String,
        found: String,
        pinned: String,
    },
}

impl Error {
    /// For people, in the name of the library.
    pub fn report(&self, name: &str) -> Report {
        let message = match self {
            Error::Address { .. } => self.to_string(),
            _ => format!("the library `{name}` cannot be used: {self}"),
        };
        let report = Report::new(<&str>::from(self), message);
        match self {
            Error::Address { help, .. } => report.help(*help),
            Error::NoGit => report.help("install the package `git`; a library that is in `vendor/` or was fetched before needs none"),
            Error::Git { said, .. } => {
                let last: Vec<&str> = said.iter().rev().take(4).rev().map(String::as_str).collect();
                report
                    .cause(last.join("\n"))
                    .help("look at the address and the tag, branch or revision in rootwright.toml, and whether `git ls-remote` reaches it")
            }
            Error::TooLong { .. } => report.help("whether it answers at all: `git ls-remote ADDRESS`"),
            Error::Listing => report.help("what git is it? `git --version`; 2.30 and newer are known to work"),
            Error::Files(_) => report.help("the store and the folder for temporary files need room"),
            Error::NoShelf { tried } => {
                let tried: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
                report
                    .cause(format!("tried {}", tried.join(", ")))
                    .help("give `--store` a folder that you may write to, or set XDG_CACHE_HOME")
            }
            Error::Link { .. } | Error::Name { .. } => {
                report.help("a library's files stay within it; tell whoever maintains it")
            }
            Error::TooLarge { .. } => report.help("a library is scripts and small files, 10000 of them and 64 MiB at most; large ones are for `fetch`"),
            Error::NoModule => report.help("modules are files that end with `.rhai`"),
            Error::NotPinned => report.help(format!("`rootwright update {name}` fetches it and pins it")),
            Error::Unwritable => report.help("write `libraries` there as tables: [libraries.NAME]"),
            Error::MovedTag { .. } => report
                .help(format!("tags of releases do not move: ask whoever maintains it, and look at what changed; if that is right, `rootwright update {name} --accept-rewritten`")),
            Error::Rewritten { .. } => report
                .help(format!("ask whoever maintains it, and look at what changed; if that is right, `rootwright update {name} --accept-rewritten`")),
            Error::Digest { .. } => report
                .help(format!("rootwright.lock was changed, or the repository lies; if you trust what is there now, `rootwright update {name} --accept-rewritten`")),
        }
    }
}
