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
                        Some(file) => {
                            let length = file.metadata().map(|metadata| metadata.len());
                            let length =
                                length.ok().and_then(|length| usize::try_from(length).ok());
                            let counted = Counted {
                                file,
                                sent: Arc::clone(&sent),
                            };
                            request.respond(Response::new(
                                StatusCode(200),
                                Vec::new(),
                                counted,
                                length,
                                None,
                            ))
                        }
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

fn find(folder: &Path, url: &str) -> Option<PathBuf> {
    let name = url.trim_start_matches('/').split('?').next()?;
    let plain = !name.is_empty() && !name.contains('/') && !name.starts_with('.');
    let path = folder.join(name);
    (plain
        && path
            .symlink_metadata()
            .is_ok_and(|metadata| metadata.is_file()))
    .then_some(path)
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
