//! Commands: started, their output streamed, logged and judged.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use fs_err as fs;

use super::secrets::Secrets;
use crate::plan::{OutputScan, Text};

/// A command line with all that it runs with.
pub struct Command<'a> {
    pub argv: &'a [String],
    pub env: &'a BTreeMap<String, Text>,
    pub stdin: Option<&'a Text>,
    pub scan: &'a OutputScan,
    /// Whether standard error is part of the output; for a value that is asked for it is
    /// not, and goes to the log alone.
    pub with_errors: bool,
}

/// How a command ended.
pub struct Ended {
    pub success: bool,
    /// `exit status 1`, `signal 9`.
    pub status: String,
    /// Lines that the scan marks as failures.
    pub matched: Vec<String>,
    pub output: Vec<String>,
}

/// Lines of output that are kept in memory; the log has them all.
const KEPT_LINES: usize = 20_000;

/// Variables of the host's environment that commands see: how the network is reached, and
/// the clock that makes a build repeatable.
const PASSED_ON: &[&str] = &[
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SOURCE_DATE_EPOCH",
];

/// Where programs of the host are found.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a command in a clean environment and waits for it. `see` gets every line.
///
/// # Errors
/// When the command cannot be started, or its output not be read or logged.
pub fn run(
    command: &Command<'_>,
    secrets: &Secrets,
    log: &Path,
    see: &mut dyn FnMut(&str),
) -> std::io::Result<Ended> {
    let mut env: BTreeMap<String, String> = PASSED_ON
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    env.insert("PATH".into(), PATH.into());
    env.insert("HOME".into(), "/root".into());
    env.insert("LC_ALL".into(), "C.UTF-8".into());
    env.insert("LANG".into(), "C.UTF-8".into());
    for (name, value) in command.env {
        env.insert(name.clone(), secrets.reveal(value));
    }
    let (program, arguments) = command
        .argv
        .split_first()
        .ok_or(std::io::ErrorKind::InvalidInput)?;
    let errors = tempfile::NamedTempFile::new()?;
    let mut expression = duct::cmd(program, arguments)
        .full_env(env)
        .dir("/")
        .unchecked();
    expression = if command.with_errors {
        expression.stderr_to_stdout()
    } else {
        expression.stderr_file(errors.reopen()?)
    };
    expression = match command.stdin {
        Some(text) => expression.stdin_bytes(secrets.reveal(text)),
        None => expression.stdin_null(),
    };
    let mut log = fs::File::options().create(true).append(true).open(log)?;
    let shown = crate::plan::command::quote_all(command.argv);
    writeln!(log, "$ {}", secrets.redact(&shown))?;

    let handle = expression.reader()?;
    let patterns = |list: &[String]| -> Vec<regex::Regex> {
        // The patterns were checked when the plan was made.
        list.iter()
            .filter_map(|pattern| regex::Regex::new(pattern).ok())
            .collect()
    };
    let (fail_on, ignore) = (
        patterns(&command.scan.fail_on),
        patterns(&command.scan.ignore),
    );
    let mut output = Vec::new();
    let mut matched = Vec::new();
    let mut reader = BufReader::new(&handle);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&bytes);
        // A progress bar writes its line again and again: the last state is the line.
        let line = text
            .trim_end_matches(['\n', '\r'])
            .rsplit('\r')
            .next()
            .unwrap_or_default();
        let line = secrets.redact(line);
        writeln!(log, "{line}")?;
        if fail_on.iter().any(|p| p.is_match(&line)) && !ignore.iter().any(|p| p.is_match(&line)) {
            matched.push(line.clone());
        }
        see(&line);
        if output.len() < KEPT_LINES {
            output.push(line);
        }
    }
    if !command.with_errors {
        for line in std::fs::read_to_string(errors.path())?.lines() {
            writeln!(log, "{}", secrets.redact(line))?;
        }
    }
    let status = match handle.try_wait()? {
        Some(ended) => ended.status,
        None => {
            return Err(std::io::Error::other(
                "the command closed its output and went on",
            ));
        }
    };
    use std::os::unix::process::ExitStatusExt;
    let words = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no status".to_owned(),
    };
    writeln!(log, "# {words}")?;
    Ok(Ended {
        success: status.success() && matched.is_empty(),
        status: words,
        matched,
        output,
    })
}
