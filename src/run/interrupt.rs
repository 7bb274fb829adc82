//! Ctrl-C: the running command ends with all its children, then the build.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Error;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How long commands have to end by themselves.
const GRACE: Duration = Duration::from_secs(5);

/// Whether the build was asked to end.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// The signals that ask this process to end, handled from now on.
pub(super) fn termination_signals() -> Result<Signals, Error> {
    Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::namespace("handle signals"))
}

/// Watches for signals; PID 1 would ignore them without a handler.
///
/// # Errors
/// When the handlers cannot be set up.
pub fn watch() -> Result<(), Error> {
    let mut signals = termination_signals()?;
    std::thread::spawn(move || {
        for _ in signals.forever() {
            if INTERRUPTED.swap(true, Ordering::SeqCst) {
                continue;
            }
            std::thread::spawn(|| {
                signal_all(Signal::TERM);
                std::thread::sleep(GRACE);
                signal_all(Signal::KILL);
            });
        }
    });
    Ok(())
}

/// Signals every process of the PID namespace but its first, which this is: kill(2) with -1
/// for a PID.
fn signal_all(signal: Signal) {
    // There may be none.
    let _ = rustix::process::kill_process_group(Pid::INIT, signal);
}
