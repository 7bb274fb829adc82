//! The init of a PID namespace: starts the program, reaps what that leaves, and says how it
//! ended. When the init ends, the kernel kills all others.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;
use rustix::process::{Pid, Signal, WaitOptions};

use super::container;
use super::limits::{self, Limits};
use super::spec::{InitSpec, Outcome};
use crate::run::namespace;

/// What this program calls itself then.
pub const NAME: &str = "rootwright-init";
/// How long processes that outlive the program have to end: `cmd > >(tee log)`.
const GRACE: Duration = Duration::from_millis(100);
/// Bounds of what is said of processes that were left.
const MOST_NAMES: usize = 50;
const LONGEST_NAME: usize = 200;

/// Its arguments are the file for its [`Outcome`], an [`InitSpec`], and the program's command
/// line.
pub fn run() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let report = arguments.next().unwrap_or_default();
    let spec = arguments.next().unwrap_or_default();
    let Ok(spec) = serde_json::from_slice::<InitSpec>(spec.as_encoded_bytes()) else {
        return ExitCode::FAILURE;
    };
    let Ok(mut file) = fs::File::options().write(true).open(&report) else {
        return ExitCode::FAILURE;
    };
    // Nobody else is to write to it.
    let taken = fs::remove_file(&report);
    let outcome = taken.and_then(|()| serve(&spec, arguments.collect()));
    let outcome = outcome.unwrap_or_else(|error| Outcome::NotHeld(error.to_string()));
    outcome.write(&mut file)
}

fn serve(spec: &InitSpec, argv: Vec<OsString>) -> std::io::Result<Outcome> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if !matches!(spec, InitSpec::Container(container, _) if container.terminal) {
        // Nothing here types into the terminal that the build was started from.
        rustix::process::setsid()?;
    }
    let (ended, signal) = UnixStream::pair()?;
    ended.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, signal)?;
    let Some((program, arguments)) = argv.split_first() else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let mut command = Command::new(program);
    command.args(arguments);
    let started = match spec {
        InitSpec::Held => {
            namespace::mount_proc_in_user_namespace()?;
            limits::apply(Limits::HostTool)?;
            command.spawn()
        }
        InitSpec::Free => {
            // The build keeps its own /proc.
            rustix::mount::mount_change("/proc", MountPropagationFlags::PRIVATE)?;
            namespace::mount_proc()?;
            command.spawn()
        }
        InitSpec::Container(container, ids) => {
            let user = container::enter(container, ids)?;
            limits::apply(Limits::Root)?;
            user.spawn(&mut command, container)
        }
    };
    let child = match started {
        Ok(child) => Pid::from_child(&child),
        Err(error) => return Ok(Outcome::NotStarted(error.raw_os_error(), error.to_string())),
    };
    let mut reaped = Reaped {
        child,
        status: None,
    };
    while reaped.reap() && reaped.status.is_none() {
        wait(&ended, None)?;
    }
    let over = Instant::now() + GRACE;
    let mut left = Vec::new();
    while reaped.reap() {
        let time = over.saturating_duration_since(Instant::now());
        if time.is_zero() {
            left = others()?;
            break;
        }
        wait(&ended, Timespec::try_from(time).ok())?;
    }
    let status = reaped.status.ok_or(std::io::ErrorKind::NotFound)?;
    Ok(Outcome::Ended { status, left })
}

/// Waits until a child has ended, or for so long.
fn wait(mut ended: &UnixStream, time: Option<Timespec>) -> std::io::Result<()> {
    let mut fds = [PollFd::from_borrowed_fd(ended.as_fd(), PollFlags::IN)];
    match rustix::event::poll(&mut fds, time.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut bytes = [0; 64];
    while ended.read(&mut bytes).is_ok_and(|count| count > 0) {}
    Ok(())
}

struct Reaped {
    child: Pid,
    /// Of the program, as wait(2) has it.
    status: Option<i32>,
}

impl Reaped {
    /// Waits for processes that have ended; `true` if there are others.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((process, status))) if process == self.child => {
                    self.status = Some(status.as_raw());
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }
}

/// The command lines of all processes but this one.
fn others() -> std::io::Result<Vec<String>> {
    let mut names = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let pid = entry.file_name();
        let Some(pid) = pid.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Empty for one that has ended and waits for its parent.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace(['\0', '\n'], " ");
        let line = line.trim();
        if pid != 1 && !line.is_empty() {
            names.insert(pid, line.chars().take(LONGEST_NAME).collect::<String>());
        }
    }
    Ok(names.into_values().take(MOST_NAMES).collect())
}
