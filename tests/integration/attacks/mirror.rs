//! Servers that send too much, too slowly, nothing, or somewhere else: a fetch ends within its
//! limits, and takes up a download that broke off where it ended.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rootwright::diagnose::Report;
use rootwright::plan::Download;
use rootwright::run::files::{self, FetchLimits};

use crate::support::serve::listen;

const LIMITS: FetchLimits = FetchLimits {
    bytes: 1 << 20,
    seconds: 4,
    idle_seconds: 2,
};

/// A server that answers each request with `answer`, which gets the number of the request and
/// its head. Gives its address, and how many requests there were.
fn serve(
    answer: impl Fn(usize, &str, &mut TcpStream) + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let requests = Arc::clone(&count);
    let port = listen(move |mut stream| {
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<String> = lines
            .map_while(Result::ok)
            .take_while(|l| !l.is_empty())
            .collect();
        let number = requests.fetch_add(1, Ordering::SeqCst);
        answer(number, &head.join("\n"), &mut stream);
    });
    (format!("http://127.0.0.1:{port}"), count)
}

fn fetch(url: &str, content: &[u8], stored: &Path) -> Result<(), Report> {
    let beside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(beside.path(), content).unwrap();
    let file = Download {
        sha256: files::sha256(beside.path()).unwrap(),
        url: url.to_owned(),
        calls: Vec::new(),
    };
    files::download(&file, stored, LIMITS).map_err(Report::from)
}

/// The fetch ends in time, with this cause, and leaves nothing.
fn is_ended(url: &str, cause: &str) {
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let report = fetch(url, b"x", &folder.path().join("stored")).unwrap_err();
    assert_eq!(report.code, "files::download");
    assert_eq!(report.cause.as_deref(), Some(cause), "{report:?}");
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

const TOO_LARGE: &str = "the file is larger than what is fetched at most";
const TOO_SLOW: &str = "the server did not answer in time, or took too long";

#[test]
#[ignore = "run with tests/run attacks"]
fn endless_files_are_not_taken() {
    let (said, _) = serve(|_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    is_ended(&said, TOO_LARGE);
    // It doesn't say how much comes.
    let (silent, _) = serve(|_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    is_ended(&silent, TOO_LARGE);
}

#[test]
#[ignore = "run with tests/run attacks"]
fn slow_and_silent_servers_are_left() {
    let (silent, _) = serve(|_, _, _| std::thread::sleep(Duration::from_secs(30)));
    is_ended(&silent, TOO_SLOW);
    let (slow, _) = serve(|_, _, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
        while stream.write_all(b"..").is_ok() {
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    is_ended(&slow, TOO_SLOW);
}

#[test]
#[ignore = "run with tests/run attacks"]
fn redirects_stay_on_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "x").unwrap();
    for target in [
        format!("file://{}", secret.display()),
        "ftp://127.0.0.1:1/x".to_owned(),
    ] {
        let (address, _) = serve(move |_, _, stream| {
            let _ = write!(
                stream,
                "HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
            );
        });
        is_ended(&address, "the server leads to another kind of address");
    }
}

#[test]
#[ignore = "run with tests/run attacks"]
fn what_broke_off_goes_on() {
    let content: Vec<u8> = (0..100_000u32).map(|number| (number % 251) as u8).collect();
    for ranges in [true, false] {
        let body = content.clone();
        let (address, count) = serve(move |number, head, stream| {
            let from = head
                .lines()
                .find_map(|line| line.strip_prefix("Range: bytes="))
                .and_then(|range| range.trim_end_matches('-').parse::<usize>().ok())
                .filter(|_| ranges)
                .unwrap_or(0);
            let status = match from {
                0 => "200 OK".to_owned(),
                from => format!(
                    "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
                    body.len() - 1,
                    body.len()
                ),
            };
            let rest = &body[from..];
            let sent = if number == 0 { &rest[..40_000] } else { rest };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
                rest.len()
            );
            let _ = stream.write_all(sent);
        });
        let folder = tempfile::tempdir().unwrap();
        let stored = folder.path().join("stored");
        fetch(&address, &content, &stored).unwrap();
        assert_eq!(std::fs::read(&stored).unwrap(), content, "{ranges}");
        assert!(count.load(Ordering::SeqCst) >= 2, "{ranges}");
    }
}
