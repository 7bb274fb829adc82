//! Commands: started, their output streamed, logged and judged.

use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::ExitStatus;

use super::leftover;
use super::output::{KEPT_BYTES, KEPT_LINES, Kept, Lines, Log};
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
    /// Its status and its output say so.
    pub success: bool,
    /// Its status says so.
    pub exited_well: bool,
    /// See [`how_it_ended`].
    pub status: String,
    /// Lines that the scan marks as failures.
    pub matched: Vec<String>,
    pub output: Vec<String>,
}

/// How a process ended: `exit status 1`, `signal 9 (SIGKILL)`.
pub fn how_it_ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => match signal_hook::low_level::signal_name(signal) {
            Some(name) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        },
        (None, None) => "no status".to_owned(),
    }
}

/// Variables of the host's environment that commands see: how the network is reached, and
/// the clock that makes a build repeatable.
pub const PASSED_ON: &[&str] = &[
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
    env.insert("TMPDIR".into(), super::namespace::TEMPORARY.into());
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
    let (from, to) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let mut expression = duct::cmd(program, arguments)
        .full_env(env)
        .dir("/")
        .before_spawn(|command| {
            // Its children are found by this when it has ended.
            command.process_group(0);
            Ok(())
        })
        .unchecked();
    expression = if command.with_errors {
        expression.stderr_to_stdout()
    } else {
        expression.stderr_file(errors.reopen()?)
    };
    expression = match command.stdin {
        Some(text) => expression.stdin_bytes(secrets.reveal(text)),
        None => expression.stdin_null(),
    }
    .stdout_file(to);
    let mut log = Log::open(log);
    let shown = crate::plan::command::quote_all(command.argv);
    log.line(&format!("$ {}", secrets.redact(&shown)));

    let handle = expression.start()?;
    // With it goes this process's own end of the pipe for writing.
    drop(expression);
    let pid = handle.pids().first().copied().unwrap_or_default();
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
    let mut output = Kept::default();
    let mut matched = Vec::new();
    let mut line = |bytes: &[u8], log: &mut Log| {
        let text = String::from_utf8_lossy(bytes);
        // A progress bar writes its line again and again: the last state is the line.
        let line = text
            .trim_end_matches(['\n', '\r'])
            .rsplit('\r')
            .next()
            .unwrap_or_default();
        let line = secrets.redact(line);
        log.line(&line);
        if matched.len() < KEPT_LINES
            && fail_on.iter().any(|p| p.is_match(&line))
            && !ignore.iter().any(|p| p.is_match(&line))
        {
            matched.push(line.clone());
        }
        see(&line);
        output.push(line);
    };
    let mut lines = Lines::new(from);
    while lines.read(|| leftover::has_ended(pid))? {
        lines.take(&mut |bytes| line(bytes, &mut log));
    }
    lines.rest(&mut |bytes| line(bytes, &mut log));
    // A process that the command left behind would go on in a root whose step is done.
    let left = leftover::end(pid, lines.pipe());
    let status = handle.wait()?.status;
    if !command.with_errors {
        let bytes = std::fs::read(errors.path())?;
        for line in String::from_utf8_lossy(&bytes).lines() {
            log.line(&secrets.redact(line));
        }
    }
    let words = how_it_ended(status);
    log.line(&format!("# {words}"));
    for process in &left {
        let process = secrets.redact(process);
        log.line(&format!(
            "# it left a process in the background, which was ended: {process}"
        ));
    }
    let cut = output.cut;
    if cut > 0 && !command.with_errors {
        return Err(std::io::Error::other(format!(
            "a value of more than {KEPT_BYTES} bytes or {KEPT_LINES} lines is not taken"
        )));
    }
    Ok(Ended {
        success: status.success() && matched.is_empty(),
        exited_well: status.success(),
        status: words,
        matched,
        output: output.into_lines(),
    })
}
