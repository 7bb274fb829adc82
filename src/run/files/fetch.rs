//! Downloads: from the network into the store once, by digest.

use std::io;
use std::path::Path;

use std::fs;

use super::content::sha256;
use super::error::Error;
use crate::diagnose::CommandReport;
use crate::plan::{Download, command};
use crate::run::how_it_ended;
use crate::run::process::Process;

/// Downloads and verifies a file, unless the store has it.
///
/// # Errors
/// When it cannot be downloaded or stored, or has another digest.
pub fn download(file: &Download, stored: &Path) -> Result<(), Error> {
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
    get(&file.url, partial.path())?;
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

/// Brackets and braces in an address are themselves. A server that stops answering ends the
/// fetch, not the patience of the reader.
const CURL: &str = "curl --fail --location --retry 3 --silent --show-error --globoff \
     --proto https,http,file --proto-redir https,http \
     --connect-timeout 30 --speed-time 60 --speed-limit 1";

fn get(url: &str, to: &Path) -> Result<(), Error> {
    let scheme = url.split("://").next().unwrap_or_default();
    if !["https", "http", "file"].contains(&scheme) || !url.contains("://") {
        return Err(Error::Url {
            url: url.to_owned(),
            why: "only `https://`, `http://` and `file://` are known",
        });
    }
    let to = to.display().to_string();
    let file = ["--output", &to, "--url", url];
    let argv: Vec<&str> = CURL.split(' ').chain(file).collect();
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
    let output = Process::new(argv).capture(1 << 20).map_err(|error| {
        let cause = (error.kind() == io::ErrorKind::NotFound)
            .then_some("the host has no `curl`: install the package `curl`");
        failed(cause, error.to_string(), "")
    })?;
    let status = output.ended.status;
    match status.success() {
        true => Ok(()),
        false => {
            let cause = status.code().and_then(cause);
            Err(failed(cause, how_it_ended(status), &output.stderr()))
        }
    }
}

/// curl's exit statuses, from its manual.
fn cause(status: i32) -> Option<&'static str> {
    Some(match status {
        5 => "the name of the proxy cannot be resolved",
        6 => "the name of the server cannot be resolved: is there a network?",
        7 => "the server does not take the connection",
        22 => "the server does not give the file out",
        23 => "the file cannot be written: the disk of the store may be full",
        28 => "the server did not answer in time",
        35 | 51 | 58 | 60 => "the server's certificate is not trusted",
        37 => "there is no such file, or it cannot be read",
        _ => return None,
    })
}
