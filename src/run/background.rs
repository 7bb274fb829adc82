//! A program that runs beside this one: QEMU, a server.

use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;

use super::process::{Process, pidfd, signal_group};

/// How long a program has to end after it is asked to.
const TERMINATION_TIME: Duration = Duration::from_secs(3);

/// A running program. Dropping it ends the program and all that it has started.
#[derive(Debug)]
pub struct Background(Child);

impl Process {
    /// Starts the program without input and output.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(&self, errors: Stdio) -> std::io::Result<Background> {
        let mut command = self.command()?;
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(errors).process_group(0);
        command.spawn().map(Background)
    }
}

impl Background {
    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().ok().flatten().is_some()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        signal_group(&self.0, Signal::TERM);
        if let Ok(process) = pidfd(&self.0) {
            let time = Timespec::try_from(TERMINATION_TIME).ok();
            let _ = rustix::event::poll(&mut [PollFd::new(&process, PollFlags::IN)], time.as_ref());
        }
        signal_group(&self.0, Signal::KILL);
        let _ = self.0.wait();
    }
}
