//! The tree of an export over NFSv4, in a network where nobody else is, by nfs-ganesha.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use fs_err as fs;

use super::Error;
use super::console::tail;
use crate::run::background::Background;
use crate::run::process::Process;

/// How long the server has until it listens.
const START_TIME: Duration = Duration::from_secs(20);
/// How often another port is tried: another process may take a free one first.
const TRIES: usize = 3;

/// A running server; ended when it is dropped.
pub struct Nfs {
    _server: Background,
    pub port: u16,
}

impl Nfs {
    /// Serves `tree` read-only as `/`, to this host alone. `folder` is for the server's own
    /// files.
    ///
    /// # Errors
    /// When it cannot be started, or does not listen in time.
    pub fn serve(program: &str, tree: &Path, folder: &Path) -> Result<Nfs, Error> {
        let path = tree.display().to_string();
        if path.contains(['"', '\\', '\n']) {
            return Err(Error::Path { path: tree.into() });
        }
        let recovery = folder.join("recovery");
        fs::create_dir_all(&recovery)?;
        let log = folder.join("nfs.log");
        for _ in 0..TRIES {
            let port = free_port()?;
            let configuration = folder.join("ganesha.conf");
            fs::write(&configuration, configure(&path, port, &recovery))?;
            let _ = fs::remove_file(&log);
            let pid = folder.join("ganesha.pid");
            let files = [("-f", &configuration), ("-L", &log), ("-p", &pid)];
            let files = files.map(|(flag, file)| [flag.to_owned(), file.display().to_string()]);
            let argv = [&[program.to_owned(), "-F".to_owned()], files.as_flattened()].concat();
            let server = Process::new(argv).start(Stdio::null());
            let mut server = server.map_err(Error::start(program))?;
            let start = Instant::now();
            while start.elapsed() < START_TIME && !server.has_ended() {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    // It listens all the same when it has nothing to serve.
                    let _server = server;
                    return match refused(&log) {
                        said if said.is_empty() => Ok(Nfs { port, _server }),
                        said => Err(Error::Serve { what: "NFS", said }),
                    };
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let (what, said) = ("NFS", tail(&log));
        Err(Error::Serve { what, said })
    }
}

/// What was tried: version 4 alone needs neither rpcbind nor a bus. No `Bind_addr`: where
/// there is a loopback alone it takes none, and where nothing else is it needs none.
fn configure(path: &str, port: u16, recovery: &Path) -> String {
    let recovery = recovery.display();
    format!(
        "NFS_CORE_PARAM {{ Protocols = 4; NFS_Port = {port}; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }}\n\
         NFSv4 {{ Graceless = true; RecoveryRoot = \"{recovery}\"; Only_Numeric_Owners = true; Delegations = false; }}\n\
         NFS_KRB5 {{ Active_krb5 = false; }}\n\
         EXPORT {{ Export_Id = 1; Path = \"{path}\"; Pseudo = /; Access_Type = RO; Squash = No_Root_Squash; SecType = sys; Protocols = 4; Transports = TCP; FSAL {{ Name = VFS; }} }}\n"
    )
}

/// What the server's log has against the export.
fn refused(log: &Path) -> Vec<String> {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let against = |line: &&str| line.contains(" init_export_root :EXPORT :CRIT :");
    text.lines().filter(against).map(str::to_owned).collect()
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
