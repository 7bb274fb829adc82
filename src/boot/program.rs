//! A program that runs beside this one: QEMU, a server.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Error;

/// How long a program has to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ended when it is dropped.
pub struct Program(Child);

impl Program {
    /// Starts it without input and output.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(argv: &[String], errors: Stdio) -> Result<Program, Error> {
        let [program, arguments @ ..] = argv else {
            return Err(std::io::Error::from(std::io::ErrorKind::InvalidInput).into());
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(errors).spawn();
        child.map(Program).map_err(Error::start(program))
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().ok().flatten().is_some()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        let start = Instant::now();
        while !self.has_ended() {
            if start.elapsed() > PATIENCE {
                let _ = self.0.kill();
                let _ = self.0.wait();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
