//! A server of files over HTTP, which remembers what it was asked for.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

pub struct Server {
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves the files of a folder.
    pub fn start(folder: PathBuf) -> Server {
        Server::finding(move |path| Some(folder.join(path)))
    }

    /// Serves the files that `find` names. Whoever takes the server for a proxy asks it for
    /// whole addresses, which are in the log as they came; `find` gets the path in them.
    pub fn finding(find: impl Fn(&str) -> Option<PathBuf> + Send + Sync + 'static) -> Server {
        Server::new(find, None)
    }

    /// Serves the files of a folder to whoever sends this `Authorization`.
    pub fn asking(folder: PathBuf, authorization: &'static str) -> Server {
        Server::new(move |path| Some(folder.join(path)), Some(authorization))
    }

    fn new(
        find: impl Fn(&str) -> Option<PathBuf> + Send + Sync + 'static,
        authorization: Option<&'static str>,
    ) -> Server {
        let log = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&log);
        let port = listen(move |stream| {
            // A client that goes away in the middle is no failure of the test.
            let _ = answer(stream, &find, authorization, &noted);
        });
        Server { port, log }
    }

    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What was sent, in the order of the requests.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// How many files were sent whose names end so.
    pub fn served(&self, ending: &str) -> usize {
        self.log()
            .iter()
            .filter(|path| path.ends_with(ending))
            .count()
    }
}

/// Listens on a port of this machine, and serves each connection in its own thread. Returns
/// the port.
pub fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Answers one request after the other, until the client goes.
fn answer(
    mut stream: TcpStream,
    find: &impl Fn(&str) -> Option<PathBuf>,
    authorization: Option<&str>,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        let mut sent = None;
        while reader.read_line(&mut header)? > 2 {
            if let Some((name, value)) = header.split_once(": ")
                && name.eq_ignore_ascii_case("authorization")
            {
                sent = Some(value.trim().to_owned());
            }
            header.clear();
        }
        if authorization.is_some() && sent.as_deref() != authorization {
            write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
            )?;
            continue;
        }
        let asked = request.split(' ').nth(1).unwrap_or("/").trim_matches('/');
        let found = find(&path(asked)).and_then(|file| std::fs::read(file).ok());
        match found {
            Some(bytes) => {
                log.lock().unwrap().push(asked.to_owned());
                let length = bytes.len();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
                )?;
                if !request.starts_with("HEAD ") {
                    stream.write_all(&bytes)?;
                }
            }
            None => write!(
                stream,
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            )?,
        }
    }
}

/// The path in what was asked for: of an address what is behind the host.
fn path(asked: &str) -> String {
    let path = match asked.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => asked,
    };
    // apt and curl write these of what names of packages have.
    [("%2b", "+"), ("%2B", "+"), ("%7e", "~"), ("%7E", "~")]
        .iter()
        .fold(path.to_owned(), |path, (code, sign)| {
            path.replace(code, sign)
        })
}

/// An address at which nothing answers. It is not the servers' own: apt takes all ports of a
/// machine for dead when one is.
pub fn dead_uri() -> String {
    // Free when it is closed again; the kernel gives out others before it comes back to it.
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
