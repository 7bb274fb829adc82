//! A PID namespace for one command: what the command leaves running ends with it.
//!
//! This program starts itself again as the init of the namespace, then starts the command
//! beside it. So the command isn't PID 1, its orphans are reaped, and its exit status
//! reaches the build directly. When the init ends, the kernel kills all others.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;
use rustix::process::WaitOptions;
use rustix::thread::UnshareFlags;

/// Set for the init. Only PID 1 reads it.
const MARKER: &str = "ROOTWRIGHT_COMMAND_INIT";
/// What the init says once commands can start.
const READY: &str = "ready";
/// How long processes that outlive the command have to end: `cmd > >(tee log)`.
const GRACE: Duration = Duration::from_millis(100);
/// Bounds of the report, which has to fit into a pipe that nobody may be reading.
const MOST_NAMES: usize = 50;
const LONGEST_NAME: usize = 200;

/// The namespace of a command that runs.
pub struct PidNamespace {
    init: Child,
    /// Open while the command runs.
    hold: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
    /// The thread that started the command. It ends after the command: programs may ask
    /// for a signal when their parent thread is gone.
    parent: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

impl PidNamespace {
    /// Starts a command in a PID namespace, with a mount namespace for its /proc. Other
    /// mounts are shared with the build.
    ///
    /// # Errors
    /// If the kernel refuses the namespaces, or the command can't be started.
    pub fn spawn(mut command: Command) -> std::io::Result<(Self, Child)> {
        let (send, started) = mpsc::channel();
        let (done, wait) = mpsc::channel::<()>();
        // The namespaces are those of this thread and the children that it starts.
        let parent = std::thread::Builder::new()
            .name("command".to_owned())
            .spawn(move || {
                let result = spawn(&mut command);
                // It holds ends of pipes.
                drop(command);
                if send.send(result).is_ok() {
                    let _ = wait.recv();
                }
            })?;
        let lost = || std::io::Error::other("the thread that starts commands has panicked");
        let (mut namespace, child) = started.recv().map_err(|_| lost())??;
        namespace.parent = Some((done, parent));
        Ok((namespace, child))
    }

    /// Tells the init that the command has ended. [`PidNamespace::init`] ends soon after.
    pub fn command_has_ended(&mut self) {
        self.hold = None;
    }

    /// The init, to be waited for.
    pub fn init(&self) -> &Child {
        &self.init
    }

    /// Kills every process of the namespace.
    pub fn kill(&mut self) {
        // It may have ended.
        let _ = self.init.kill();
    }

    /// The command lines of the processes that had to be killed. The command has to be
    /// waited for first: the init can't end before.
    ///
    /// # Errors
    /// If the init can't be read from or waited for.
    pub fn end(mut self) -> std::io::Result<Vec<String>> {
        self.hold = None;
        let mut said = String::new();
        self.said.read_to_string(&mut said)?;
        self.init.wait()?;
        Ok(said.lines().map(str::to_owned).collect())
    }
}

impl Drop for PidNamespace {
    fn drop(&mut self) {
        self.kill();
        let _ = self.init.wait();
        if let Some((done, parent)) = self.parent.take() {
            drop(done);
            // With it goes the mount namespace.
            let _ = parent.join();
        }
    }
}

fn spawn(command: &mut Command) -> std::io::Result<(PidNamespace, Child)> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe for UnshareFlags::FILES alone, which is not among these"
    )]
    rustix::thread::unshare(UnshareFlags::NEWPID | UnshareFlags::NEWNS)?;
    let mut init = Command::new("/proc/self/exe")
        .arg0("rootwright-init")
        .env_clear()
        .env(MARKER, "1")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let (hold, Some(said)) = (init.stdin.take(), init.stdout.take()) else {
        return Err(std::io::ErrorKind::BrokenPipe.into());
    };
    // It ends with this where the command can't be started.
    let mut namespace = PidNamespace {
        init,
        hold,
        said: BufReader::new(said),
        parent: None,
    };
    let mut first = String::new();
    namespace.said.read_line(&mut first)?;
    match first.trim_end() {
        READY => Ok((namespace, command.spawn()?)),
        why => {
            let why = format!("cannot make a PID namespace for a command: {why}");
            Err(std::io::Error::other(why))
        }
    }
}

/// Runs the init of a command's namespace, if this process is one.
pub fn init() -> Option<ExitCode> {
    if std::process::id() != 1 || std::env::var_os(MARKER).is_none() {
        return None;
    }
    Some(match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    })
}

fn serve() -> std::io::Result<()> {
    let (ended, signal) = UnixStream::pair()?;
    ended.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, signal)?;
    // The build keeps its own /proc.
    rustix::mount::mount_change("/proc", MountPropagationFlags::PRIVATE)?;
    super::namespace::mount_proc()?;
    let mut out = std::io::stdout();
    writeln!(out, "{READY}")?;
    out.flush()?;
    let stdin = std::io::stdin();
    loop {
        reap();
        let mut fds = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(&ended, PollFlags::IN),
        ];
        match rustix::event::poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [stdin, _] = &fds;
        if !stdin.revents().is_empty() {
            break;
        }
        drain(&ended);
    }
    let over = Instant::now() + GRACE;
    while reap() {
        let left = over.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return report(&mut out);
        }
        let left = Timespec::try_from(left).unwrap_or_default();
        let mut fds = [PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&left)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        drain(&ended);
    }
    Ok(())
}

fn drain(mut signals: &UnixStream) {
    let mut bytes = [0; 64];
    while signals.read(&mut bytes).is_ok_and(|count| count > 0) {}
}

/// Waits for orphans that have ended; `true` if there are others.
fn reap() -> bool {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// Writes the command lines of all processes but this one.
fn report(out: &mut impl Write) -> std::io::Result<()> {
    let mut names = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let pid = entry.file_name();
        let Some(pid) = pid.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Empty for one that has ended and waits for its parent.
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace(['\0', '\n'], " ");
        let line = line.trim();
        if pid != 1 && !line.is_empty() {
            names.insert(pid, line.chars().take(LONGEST_NAME).collect::<String>());
        }
    }
    for name in names.values().take(MOST_NAMES) {
        writeln!(out, "{name}")?;
    }
    out.flush()
}
