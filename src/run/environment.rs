//! What a command line and its environment can hold.
//!
//! Sources: execve(2), "Limits on size of arguments and environment"; `env_value_is_valid` of
//! systemd's src/basic/env-util.c.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use crate::diagnose::Report;
use crate::plan::{Resolve, Run, Unresolved};

/// For all strings, with their ends and pointers. The kernel takes a quarter of the limit of
/// the stack; 8 MiB is what systemd-nspawn gives a command.
const MOST: usize = 2 << 20;

/// What rootwright and systemd-nspawn add.
const RESERVED: usize = 32 << 10;

/// Pages in one string, with its end.
const PAGES: usize = 32;

/// A command line and its environment.
pub struct Words {
    pub argv: Vec<String>,
    pub env: BTreeMap<String, OsString>,
}

#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "run::")]
enum WordsError {
    #[error("{0}")]
    Unresolved(#[from] Unresolved),
    #[error("the variable `{name}` cannot hold its value: it has a NUL byte")]
    Nul { name: String },
    #[error("the variable `{name}` cannot hold its value: it is not UTF-8 text")]
    NotUtf8 { name: String },
    #[error("the variable `{name}` is too long")]
    LongVariable { name: String, bytes: usize },
    #[error("an argument is too long")]
    LongArgument { bytes: usize },
    #[error("the arguments and variables of the command are too long")]
    Long { bytes: usize },
}

impl Words {
    /// What a command runs with.
    ///
    /// # Errors
    /// A report for what the kernel or systemd-nspawn wouldn't take.
    pub fn of(run: &Run, values: &dyn Resolve) -> Result<Words, Report> {
        Words::resolve(run, values).map_err(WordsError::report)
    }

    /// What the kernel or systemd-nspawn wouldn't take, before the command runs. A value that
    /// isn't known is no matter of this.
    pub fn refused(run: &Run, values: &dyn Resolve) -> Option<Report> {
        match Words::resolve(run, values) {
            Ok(_) | Err(WordsError::Unresolved(_)) => None,
            Err(error) => Some(error.report()),
        }
    }

    fn resolve(run: &Run, values: &dyn Resolve) -> Result<Words, WordsError> {
        let most = rustix::param::page_size().saturating_mul(PAGES);
        let mut words = Words {
            argv: run.command.resolve(values)?,
            env: BTreeMap::new(),
        };
        let pointer = size_of::<usize>();
        let mut all = RESERVED;
        for word in &words.argv {
            if word.len() >= most {
                return Err(WordsError::LongArgument { bytes: word.len() });
            }
            all += word.len() + 1 + pointer;
        }
        for (name, text) in &run.env {
            let value = text.resolve(values)?;
            let name = name.clone();
            // `NAME=value` and its end.
            let bytes = name.len() + 1 + value.len() + 1;
            if value.contains(&0) {
                return Err(WordsError::Nul { name });
            }
            if !run.place.is_host() && std::str::from_utf8(&value).is_err() {
                return Err(WordsError::NotUtf8 { name });
            }
            if bytes > most {
                let bytes = value.len();
                return Err(WordsError::LongVariable { name, bytes });
            }
            all += bytes + pointer;
            words.env.insert(name, OsString::from_vec(value));
        }
        match all > MOST {
            true => Err(WordsError::Long {
                bytes: all - RESERVED,
            }),
            false => Ok(words),
        }
    }
}

impl WordsError {
    fn report(self) -> Report {
        let report = Report::of(&self);
        let pages = rustix::param::page_size().saturating_mul(PAGES) >> 10;
        let whole = "give it to the command with `stdin`, or write it to a file with `root.write_file` and have the command read that";
        match self {
            WordsError::Unresolved(_) => report.help("pass its value: `--secret NAME=FILE`"),
            WordsError::Nul { .. } => report
                .cause("a NUL byte ends a variable")
                .help(whole),
            WordsError::NotUtf8 { .. } => report
                .cause("systemd-nspawn takes only UTF-8 text in variables")
                .help(whole),
            WordsError::LongVariable { bytes, .. } => report
                .cause(format!("its value has {bytes} bytes, and Linux takes {pages} KiB with the name"))
                .help(whole),
            WordsError::LongArgument { bytes } => report
                .cause(format!("it has {bytes} bytes, and Linux takes {pages} KiB"))
                .help("write it to a file with `root.write_file`, and name the file in the command"),
            WordsError::Long { bytes } => report
                .cause(format!("they have {bytes} bytes together, and Linux takes 2 MiB"))
                .help("write what is long to files with `root.write_file`, and have the command read those"),
        }
    }
}
