//! The init of a PID namespace: starts the program, reaps what that leaves, and says how it
//! ended. When the init ends, the kernel kills all others.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, OpenTreeFlags};
use rustix::process::{Pid, Signal, WaitOptions};

use super::super::mount::attach;
use super::super::namespace;
use super::limits;
use super::spec::Outcome;

/// What this program calls itself then.
pub const NAME: &str = "rootwright-init";
/// How long processes that outlive the program have to end: `cmd > >(tee log)`.
const GRACE: Duration = Duration::from_millis(100);
/// Bounds of what is said of processes that were left.
const MOST_NAMES: usize = 50;
const LONGEST_NAME: usize = 200;

/// Its arguments are the file for its [`Outcome`], whether it is held, and the program's command
/// line.
pub fn run() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let report = arguments.next().unwrap_or_default();
    let held = arguments.next().is_some_and(|word| word == "held");
    let Ok(mut file) = fs::File::options().write(true).open(&report) else {
        return ExitCode::FAILURE;
    };
    // Nobody else is to write to it.
    let taken = fs::remove_file(&report);
    let outcome = taken.and_then(|()| serve(held, arguments.collect()));
    let outcome = outcome.unwrap_or_else(|error| Outcome::NotHeld(error.to_string()));
    let written = serde_json::to_vec(&outcome).map(|said| file.write_all(&said));
    match written {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn serve(held: bool, argv: Vec<OsString>) -> std::io::Result<Outcome> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // Nothing here types into the terminal that the build was started from.
    rustix::process::setsid()?;
    let (ended, signal) = UnixStream::pair()?;
    ended.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, signal)?;
    match held {
        true => {
            mount_own_proc()?;
            limits::apply()?;
        }
        false => {
            // The build keeps its own /proc.
            rustix::mount::mount_change("/proc", MountPropagationFlags::PRIVATE)?;
            namespace::mount_proc()?;
        }
    }
    let Some((program, arguments)) = argv.split_first() else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let child = match Command::new(program).args(arguments).spawn() {
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

/// Mounts the /proc of this PID namespace. Which programs of other machines the kernel runs stays
/// to be seen in it: a user namespace that mounts that anew has a list of its own, an empty one.
fn mount_own_proc() -> std::io::Result<()> {
    let binfmt = "/proc/sys/fs/binfmt_misc";
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let listed = rustix::mount::open_tree(rustix::fs::CWD, binfmt, clone);
    namespace::mount_proc_alone()?;
    if let Ok(listed) = listed {
        // Without it there are none.
        let _ = attach(listed.as_fd(), binfmt.as_ref());
    }
    Ok(())
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
