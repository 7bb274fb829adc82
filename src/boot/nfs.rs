//! The tree of an export over NFSv4, in a network where nobody else is, by nfs-ganesha.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;

use super::Error;
use super::console::tail;

/// How long the server has until it listens.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often another port is tried: another process may take a free one first.
const TRIES: usize = 3;

/// A running server; ended when it is dropped.
pub struct Nfs {
    child: Child,
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
            fs::write(
                &configuration,
                configure(&path, port, &recovery.display().to_string()),
            )?;
            let _ = fs::remove_file(&log);
            let mut child = Command::new(program)
                .arg("-F")
                .arg("-f")
                .arg(&configuration)
                .arg("-L")
                .arg(&log)
                .arg("-p")
                .arg(folder.join("ganesha.pid"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|source| Error::start(program, source))?;
            let start = Instant::now();
            while start.elapsed() < PATIENCE {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                    let nfs = Nfs { child, port };
                    // It listens all the same when it has nothing to serve.
                    return match refused(&log) {
                        said if said.is_empty() => Ok(nfs),
                        said => Err(Error::Serve { what: "NFS", said }),
                    };
                }
                if child.try_wait()?.is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            end(&mut child);
        }
        Err(Error::Serve {
            what: "NFS",
            said: tail(&log),
        })
    }
}

impl Drop for Nfs {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// What was tried: version 4 alone needs neither rpcbind nor a bus. No `Bind_addr`: where
/// there is a loopback alone it takes none, and where nothing else is it needs none.
fn configure(path: &str, port: u16, recovery: &str) -> String {
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

/// It is asked first, and may take its time.
fn end(child: &mut Child) {
    if let Some(pid) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        if child.try_wait().ok().flatten().is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}
