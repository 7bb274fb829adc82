//! A step's commands: their output goes to the log and to the person who watches, without
//! secrets, and decides together with the status whether they have failed.

use std::path::Path;

use super::output::{KEPT_BYTES, KEPT_LINES, Kept, Lines, Log};
use super::process::{Process, Stream, how_it_ended};
use super::secrets::Secrets;
use crate::plan::Verdict;

/// A command of a step.
pub struct Command<'a> {
    pub process: Process,
    /// The command line for the log, still with secrets.
    pub shown: String,
    pub verdict: &'a Verdict,
    /// Whether standard error is part of the output. If not, it goes to the log alone, and
    /// an output that is too long is an error.
    pub with_errors: bool,
}

/// How a command ended.
pub struct Ended {
    /// Its status and its output say so.
    pub success: bool,
    /// Its status says so.
    pub exited_well: bool,
    /// See [`how_it_ended`].
    pub status: String,
    /// Lines that the scan marks as failures.
    pub matched: Vec<String>,
    pub output: Vec<String>,
    /// Standard error, where it is no part of the output.
    pub errors: Vec<String>,
}

/// Runs a command and waits for it. `see` gets every line.
///
/// # Errors
/// If the command can't be started, or its output can't be read.
pub fn run(
    command: Command<'_>,
    secrets: &Secrets,
    log: &Path,
    see: &mut dyn FnMut(&str),
) -> std::io::Result<Ended> {
    let mut log = Log::open(log);
    log.line(&format!("$ {}", secrets.redact(&command.shown)));
    let patterns = |list: &[String]| -> Vec<regex::Regex> {
        // The patterns were checked when the plan was made.
        list.iter()
            .filter_map(|pattern| regex::Regex::new(pattern).ok())
            .collect()
    };
    let fail_on = patterns(&command.verdict.fail_on);
    let ignore = patterns(&command.verdict.ignore);
    let (mut output, mut complaints) = (Kept::default(), Kept::default());
    let mut matched = Vec::new();
    let mut line = |stream: Stream, bytes: &[u8], log: &mut Log| {
        let text = String::from_utf8_lossy(bytes);
        // A progress bar writes its line again and again: the last state is the line.
        let line = text
            .trim_end_matches(['\n', '\r'])
            .rsplit('\r')
            .next()
            .unwrap_or_default();
        log.line(line);
        if stream == Stream::Err {
            complaints.push(line.to_owned());
            return;
        }
        if matched.len() < KEPT_LINES
            && fail_on.iter().any(|p| p.is_match(line))
            && !ignore.iter().any(|p| p.is_match(line))
        {
            matched.push(line.to_owned());
        }
        see(line);
        output.push(line.to_owned());
    };
    let process = match command.with_errors {
        true => command.process.merge_errors(),
        false => command.process,
    };
    let new = || (secrets.redactor(), Lines::default());
    let (mut out, mut errors) = (new(), new());
    let ended = process.run(&mut |stream, bytes| {
        let (redactor, lines) = match stream {
            Stream::Out => &mut out,
            Stream::Err => &mut errors,
        };
        // Before lines are cut: a secret may have several, or be longer than a line may be.
        let bytes = redactor.add(bytes);
        lines.add(&bytes, &mut |bytes| line(stream, bytes, &mut log));
    })?;
    for (stream, (redactor, mut lines)) in [(Stream::Out, out), (Stream::Err, errors)] {
        let mut line = |bytes: &[u8]| line(stream, bytes, &mut log);
        lines.add(&redactor.end(), &mut line);
        lines.end(&mut line);
    }
    let status = how_it_ended(ended.status);
    log.line(&format!("# {status}"));
    for process in &ended.left {
        let process = secrets.redact(process);
        log.line(&format!(
            "# it left a process in the background, which was ended: {process}"
        ));
    }
    if output.cut > 0 && !command.with_errors {
        return Err(std::io::Error::other(format!(
            "a value of more than {KEPT_BYTES} bytes or {KEPT_LINES} lines is not taken"
        )));
    }
    let exited_well = ended.status.success();
    Ok(Ended {
        success: exited_well && matched.is_empty(),
        exited_well,
        status,
        matched,
        output: output.into_lines(),
        errors: complaints.into_lines(),
    })
}
