//! A server of files over HTTP, which remembers what it was asked for. It is a proxy, too: whatever
//! host it is asked for is its own folder.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub struct Server {
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn start(folder: PathBuf) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&log);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, log) = (folder.clone(), Arc::clone(&noted));
                std::thread::spawn(move || {
                    // A client that goes away in the middle is no failure of the test.
                    let _ = answer(stream, &folder, &log);
                });
            }
        });
        Server { port, log }
    }

    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

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

fn answer(mut stream: TcpStream, folder: &Path, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    // A proxy is asked for a whole address: in the log, the host stands before the path.
    let asked = request.split(' ').nth(1).unwrap_or("/");
    let whole = asked.strip_prefix("http://");
    let path = whole.unwrap_or(asked).trim_start_matches('/').to_owned();
    let file = match whole.and_then(|whole| whole.split_once('/')) {
        Some((_, file)) => file.to_owned(),
        None => path.clone(),
    };
    match std::fs::read(folder.join(&file)) {
        Ok(bytes) => {
            log.lock().unwrap().push(path);
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                bytes.len()
            )?;
            stream.write_all(&bytes)
        }
        Err(_) => write!(
            stream,
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
    }
}
