//! The files of an export over HTTP, on a port of the loopback.

use std::io::Read;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err as fs;
use tiny_http::{Method, Response, Server, StatusCode};

use super::Error;

/// Threads that answer: a node asks for one or two files at a time.
const WORKERS: usize = 4;

/// A running server; ended when it is dropped.
pub struct Http {
    server: Arc<Server>,
    pub port: u16,
    sent: Arc<AtomicU64>,
}

impl Http {
    /// Serves the regular files of `folder`, and no folder below it.
    ///
    /// # Errors
    /// When no port can be taken.
    pub fn serve(folder: &Path) -> Result<Http, Error> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| Error::Serve {
            what: "HTTP",
            said: vec![error.to_string()],
        };
        let server = Server::http((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = server.server_addr().to_ip().map_or(0, |at| at.port());
        let http = Http {
            server: Arc::new(server),
            port,
            sent: Arc::default(),
        };
        for _ in 0..WORKERS {
            let (server, sent) = (Arc::clone(&http.server), Arc::clone(&http.sent));
            let folder = folder.to_owned();
            std::thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    let file = match request.method() {
                        Method::Get | Method::Head => find(&folder, request.url()),
                        _ => None,
                    };
                    // Whoever went away meanwhile misses nothing.
                    let _ = match file.and_then(|path| fs::File::open(path).ok()) {
                        Some(file) => request.respond(response(file, Arc::clone(&sent))),
                        None => request.respond(Response::empty(404)),
                    };
                }
            });
        }
        Ok(http)
    }

    /// Bytes of files that were sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        for _ in 0..WORKERS {
            self.server.unblock();
        }
    }
}

fn response(file: fs::File, sent: Arc<AtomicU64>) -> Response<Counted> {
    let length = file.metadata().map(|metadata| metadata.len());
    let length = length.ok().and_then(|length| length.try_into().ok());
    let counted = Counted { file, sent };
    let response = Response::new(StatusCode(200), Vec::new(), counted, length, None);
    // Firmware waits for the end of what comes in chunks.
    response.with_chunked_threshold(usize::MAX)
}

fn find(folder: &Path, url: &str) -> Option<PathBuf> {
    let name = url.trim_start_matches('/').split('?').next()?;
    let plain = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
    let path = folder.join(name);
    let is_file = |metadata: std::fs::Metadata| metadata.is_file();
    (plain && path.symlink_metadata().is_ok_and(is_file)).then_some(path)
}

struct Counted {
    file: fs::File,
    sent: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.sent.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpStream;

    fn ask(port: u16, request: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    #[test]
    fn files_come_whole_with_their_length_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let image = vec![b'x'; 300_000];
        std::fs::write(folder.path().join("image"), &image).unwrap();
        std::fs::create_dir(folder.path().join("root")).unwrap();
        std::fs::write(folder.path().join("root/shadow"), "s").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let http = Http::serve(folder.path()).unwrap();
        let get = |url: &str| {
            let request = format!("GET {url} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            String::from_utf8_lossy(&ask(http.port, &request)).into_owned()
        };
        let answer = get("/image?x");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("Content-Length: 300000"), "{head}");
        assert_eq!(body.len(), 300_000);
        assert_eq!(http.sent(), 300_000);
        for url in "/root/shadow /root /link /../etc/passwd / /.image".split(' ') {
            assert!(get(url).starts_with("HTTP/1.1 404"), "{url}");
        }
    }
}
