//! The tools of the host that write exports.

use std::path::Path;

use duct::Expression;

use super::Error;
use crate::diagnose::CommandReport;
use crate::plan::tool::{ToolPart, ToolWord};
use crate::plan::{Export, Times, command};

/// As many lines of a tool's complaints as an error shows.
const SHOWN: usize = 20;

/// What the parts of a tool's command line stand for.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    pub export: &'a Export,
    pub root: &'a Path,
    /// Where there is no copy, the root itself.
    pub tree: &'a Path,
    pub output: &'a Path,
}

impl Places<'_> {
    pub fn argv(&self, words: &[ToolWord]) -> Vec<String> {
        words.iter().map(|word| self.word(word)).collect()
    }

    fn word(&self, word: &ToolWord) -> String {
        let path = |path: &Path| path.display().to_string();
        let parts = word.0.iter().map(|part| match part {
            ToolPart::Literal(text) => text.clone(),
            ToolPart::Root => path(self.root),
            ToolPart::Tree => path(self.tree),
            ToolPart::Output => path(self.output),
            ToolPart::Time => seconds(self.export).unwrap_or_default().to_string(),
        });
        parts.collect()
    }
}

/// The time of the image; exports whose root decides it are asked before (`with_time`).
fn seconds(export: &Export) -> Option<u64> {
    match export.times {
        Times::Until { seconds } => Some(seconds),
        Times::Kept | Times::Newest { .. } => None,
    }
}

/// A command line as an expression. Messages are in English, so that a cause is known.
pub fn expression(argv: &[String]) -> Expression {
    let (program, arguments) = argv.split_first().map_or(("", argv), |(p, a)| (p, a));
    duct::cmd(program, arguments).env("LC_ALL", "C")
}

/// Gives tools the time of the image: mksquashfs and mkfs.erofs by the common name, e2fsprogs
/// before 1.47.1 by its own.
pub fn dated(export: &Export, expression: Expression) -> Expression {
    match seconds(export) {
        Some(seconds) => expression
            .env("SOURCE_DATE_EPOCH", seconds.to_string())
            .env("E2FSPROGS_FAKE_TIME", seconds.to_string()),
        None => expression.env_remove("SOURCE_DATE_EPOCH"),
    }
}

/// Packs the root with one tool, whose messages are complaints.
pub fn pack(places: &Places<'_>, words: &[ToolWord]) -> Result<(), Error> {
    let argv = places.argv(words);
    let pack = dated(places.export, expression(&argv));
    run("pack the root into", places.output, &pack, &[&argv])
}

/// Runs a command, and returns what it prints.
pub fn output(doing: &'static str, path: &Path, argv: &[String]) -> Result<String, Error> {
    let file = tempfile::NamedTempFile::new().map_err(|error| Error::Io {
        doing,
        path: path.to_owned(),
        error,
    })?;
    run(
        doing,
        path,
        &expression(argv).stdout_path(file.path()),
        &[argv],
    )?;
    let bytes = std::fs::read(file.path()).map_err(|error| Error::Io {
        doing,
        path: path.to_owned(),
        error,
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// As [`run`], for a tool whose standard error is no list of complaints.
pub fn run_noisy(
    doing: &'static str,
    path: &Path,
    expression: &Expression,
    argvs: &[&[String]],
) -> Result<(), Error> {
    run_with(doing, path, expression, argvs, false)
}

/// Runs `expression`, of which `argvs` are the parts of a pipe.
pub fn run(
    doing: &'static str,
    path: &Path,
    expression: &Expression,
    argvs: &[&[String]],
) -> Result<(), Error> {
    run_with(doing, path, expression, argvs, true)
}

fn run_with(
    doing: &'static str,
    path: &Path,
    expression: &Expression,
    argvs: &[&[String]],
    complain: bool,
) -> Result<(), Error> {
    let quoted: Vec<String> = argvs.iter().map(|argv| command::quote_all(argv)).collect();
    let failed = |status: String, stderr: &str| {
        let lines: Vec<&str> = stderr.lines().collect();
        Error::Tool {
            doing,
            path: path.to_owned(),
            command: Box::new(CommandReport {
                command: quoted.join(" | "),
                place: "on the host".to_owned(),
                status,
                lines: lines
                    .iter()
                    .take(SHOWN)
                    .map(|&line| line.to_owned())
                    .collect(),
                total_lines: lines.len(),
                log: None,
            }),
            cause: cause(stderr),
        }
    };
    let output = expression
        .stdin_null()
        .stdout_null()
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(|error| failed(error.to_string(), ""))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(failed(crate::run::how_it_ended(output.status), &stderr));
    }
    // What a format cannot hold is documented, and no news.
    let known = |line: &&str| !line.contains("posix_acl") && !line.trim().is_empty();
    for line in stderr.lines().filter(known).filter(|_| complain) {
        tracing::warn!("{line}");
    }
    Ok(())
}

fn cause(stderr: &str) -> Option<&'static str> {
    let known = [
        ("No space left on device", super::error::DISK_FULL),
        ("Disk quota exceeded", "the disk quota is used up"),
        ("Read-only file system", "the file system is read-only"),
        (
            "Operation not supported",
            "the file system of the output folder cannot hold the attributes of the root's files",
        ),
        (
            "setting attributes",
            "the file system of the output folder cannot hold the attributes of the root's files",
        ),
    ];
    known
        .iter()
        .find(|(pattern, _)| stderr.contains(pattern))
        .map(|(_, cause)| *cause)
}
