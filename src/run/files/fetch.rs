//! Downloads: from the network into the store once, by digest.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::error::Error;
use super::file_content::sha256;
use crate::diagnose::CommandReport;
use crate::plan::{Download, command};
use crate::run::how_it_ended;
use crate::run::process::Process;

/// What a server may take of the store's disk and of the build's time.
#[derive(Clone, Copy, Debug)]
pub struct FetchLimits {
    pub bytes: u64,
    pub seconds: u64,
    /// How long nothing may come.
    pub idle_seconds: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        FetchLimits {
            bytes: 16 << 30,
            seconds: 2 * 60 * 60,
            idle_seconds: 60,
        }
    }
}

/// How often a download that broke off is taken up where it ended.
const TRIES: u64 = 4;

/// Downloads and verifies a file, unless the store has it.
///
/// # Errors
/// When it can't be downloaded within the limits or stored, or has another digest.
pub fn download(file: &Download, stored: &Path, limits: FetchLimits) -> Result<(), Error> {
    let expected = &file.sha256;
    if expected.len() != 64 || !expected.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Error::Url {
            url: file.url.clone(),
            why: "`sha256` is not 64 hexadecimal digits",
        });
    }
    let dir = stored.parent().unwrap_or(Path::new("/"));
    let failed = |doing| {
        let host = stored.to_owned();
        move |error| Error::Store { doing, host, error }
    };
    // A stored file that went bad is fetched again.
    if stored.is_file() && sha256(stored).map_err(failed("read"))? == *expected {
        return Ok(());
    }
    fs::create_dir_all(dir).map_err(failed("make"))?;
    let partial = tempfile::NamedTempFile::with_prefix_in(".partial-", dir);
    let partial = partial.map_err(failed("make"))?;
    get(&file.url, partial.path(), limits)?;
    let found = sha256(partial.path()).map_err(failed("read"))?;
    if found != *expected {
        return Err(Error::Digest {
            url: file.url.clone(),
            expected: expected.clone(),
            found,
        });
    }
    partial
        .persist(stored)
        .map_err(|error| failed("write")(error.error))?;
    Ok(())
}

/// Brackets and braces in an address are themselves.
const CURL: &str = "curl --fail --location --silent --show-error --globoff --connect-timeout 30 \
     --speed-limit 1 --continue-at -";

fn get(url: &str, to: &Path, limits: FetchLimits) -> Result<(), Error> {
    let scheme = url.split("://").next().unwrap_or_default();
    // From http a server may lead to https, and nobody to another scheme.
    let redirects = match scheme {
        "https" => "=https",
        "http" | "file" => "=http,https",
        _ => "",
    };
    if redirects.is_empty() || !url.contains("://") {
        return Err(Error::Url {
            url: url.to_owned(),
            why: "only `https://`, `http://` and `file://` are known",
        });
    }
    let to = to.display().to_string();
    let bounds = [
        limits.bytes.to_string(),
        limits.seconds.to_string(),
        limits.idle_seconds.to_string(),
    ];
    let [bytes, seconds, idle] = bounds.each_ref().map(String::as_str);
    let only = format!("={scheme}");
    let own = [
        ["--proto", &only],
        ["--proto-redir", redirects],
        ["--max-filesize", bytes],
        ["--max-time", seconds],
        ["--speed-time", idle],
        ["--output", &to],
        ["--url", url],
    ];
    let argv: Vec<&str> = CURL.split_whitespace().chain(own.concat()).collect();
    let quoted = command::quote_all(&argv);
    let failed = |cause, status: String, said: &str| Error::Download {
        url: url.to_owned(),
        cause,
        command: Box::new(CommandReport {
            command: quoted.clone(),
            place: "on the host".to_owned(),
            status,
            total_lines: said.lines().count(),
            lines: said.lines().map(str::to_owned).collect(),
            log: None,
        }),
    };
    // A server need not say how much it sends, and curl believes it.
    let most = format!("--fsize={bytes}");
    let start = Instant::now();
    let mut tries = 0;
    loop {
        let process = Process::new(["prlimit", &most, "--"].iter().chain(&argv));
        let process = process.writes(&to).reads_url(url);
        let output = process.capture(1 << 20).map_err(|error| {
            let cause = (error.kind() == io::ErrorKind::NotFound)
                .then_some("the host has no `prlimit`: install the package `util-linux`");
            failed(cause, error.to_string(), "")
        })?;
        let status = output.ended.status;
        if status.success() {
            return Ok(());
        }
        tries += 1;
        if status.code() == Some(NO_RANGES) {
            fs::File::create(&to).map_err(|error| failed(None, error.to_string(), ""))?;
        }
        let over = start.elapsed().as_secs() >= limits.seconds;
        if over || tries == TRIES || !status.code().is_some_and(passes) {
            let cause = match status.signal() {
                // Sent to a process that makes a file too large; see signal(7).
                Some(signal) if signal == Signal::XFSZ.as_raw() => Some(TOO_LARGE),
                _ => status.code().and_then(cause),
            };
            return Err(failed(cause, how_it_ended(status), &output.stderr()));
        }
        std::thread::sleep(Duration::from_secs(tries));
    }
}

const TOO_LARGE: &str = "the file is larger than what is fetched at most";

/// The server gives whole files only.
const NO_RANGES: i32 = 33;

/// Whether another try may end differently: the connection broke off, or nobody was there.
fn passes(status: i32) -> bool {
    matches!(status, 5..=7 | 18 | 28 | NO_RANGES | 35 | 52 | 55 | 56 | 92)
}

/// curl's exit statuses, from its manual.
fn cause(status: i32) -> Option<&'static str> {
    Some(match status {
        1 => "the server leads to another kind of address",
        5 => "the name of the proxy cannot be resolved",
        6 => "the name of the server cannot be resolved: is there a network?",
        7 => "the server does not take the connection",
        22 => "the server does not give the file out",
        23 => "the file cannot be written: the disk of the store may be full",
        18 => "the server ended in the middle of the file",
        28 => "the server did not answer in time, or took too long",
        35 | 51 | 58 | 60 => "the server's certificate is not trusted",
        37 => "there is no such file, or it cannot be read",
        63 => TOO_LARGE,
        127 => "the host has no `curl`: install the package `curl`",
        _ => return None,
    })
}
