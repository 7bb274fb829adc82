//! What a command leaves running when it has ended. A step is over with its command:
//! what goes on in the background would change the root after its layer is made, keeps
//! its mounts busy, and holds the pipe of the output open.

use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// How long processes have to end by themselves.
const GRACE: Duration = Duration::from_secs(2);

/// Whether a child of this process has ended; it stays to be waited for.
pub fn has_ended(pid: u32) -> bool {
    let Some(pid) = to_pid(pid) else { return true };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match rustix::process::waitid(WaitId::Pid(pid), options) {
        Ok(status) => status.is_some(),
        Err(rustix::io::Errno::INTR) => false,
        Err(_) => true,
    }
}

/// Waits until the command has ended, then ends what it has left: the processes of its
/// group, and those that hold its output open. Gives their command lines.
pub fn end(command: u32, output: BorrowedFd<'_>) -> Vec<String> {
    while !has_ended(command) {
        // It has closed its output and goes on.
        std::thread::sleep(Duration::from_millis(20));
    }
    let pipe = std::os::fd::AsRawFd::as_raw_fd(&output);
    let pipe = std::fs::read_link(format!("/proc/self/fd/{pipe}")).ok();
    let left = || -> Vec<Process> {
        processes()
            .filter(|process| process.is_of(command, pipe.as_deref()))
            .collect()
    };
    let mut found = left();
    if !found.is_empty() {
        // Some are about to end by themselves; and one that another step is just starting
        // has this process's files for a moment.
        std::thread::sleep(SETTLE);
        let before = std::mem::replace(&mut found, left());
        found.retain(|process| before.iter().any(|other| other.pid == process.pid));
    }
    let names = found.iter().map(|process| process.name.clone()).collect();
    for process in &found {
        process.signal(Signal::TERM);
    }
    let start = Instant::now();
    let mut still = found;
    while !still.is_empty() && start.elapsed() < GRACE {
        std::thread::sleep(Duration::from_millis(20));
        still = left();
    }
    for process in &still {
        process.signal(Signal::KILL);
    }
    names
}

/// After which a process that is still there counts as left behind.
const SETTLE: Duration = Duration::from_millis(50);

struct Process {
    pid: u32,
    name: String,
}

impl Process {
    fn is_of(&self, command: u32, pipe: Option<&Path>) -> bool {
        if self.pid == command || self.pid == std::process::id() {
            return false;
        }
        let Some((state, group)) = state_and_group(self.pid) else {
            return false;
        };
        // Nobody but its parent can do anything about one that has ended.
        !matches!(state, 'Z' | 'X') && (group == command || holds(self.pid, pipe))
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = to_pid(self.pid) {
            // It may have ended in between.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

/// All processes that /proc has: those of the build's own namespace.
fn processes() -> impl Iterator<Item = Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        Some(Process {
            pid,
            name: line.trim_end().to_owned(),
        })
    })
}

/// Of proc(5)'s `stat`, which has the program's name, in brackets, in front.
fn state_and_group(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let group = fields.nth(1)?.parse().ok()?;
    Some((state, group))
}

fn holds(pid: u32, pipe: Option<&Path>) -> bool {
    let Some(pipe) = pipe else { return false };
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == pipe))
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
