//! Threads that scripts are evaluated in.

use super::reports;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::limits;
use crate::diagnose::Report;

/// Does `work` in such a thread, and waits for it.
///
/// # Errors
/// When the thread doesn't start.
pub fn run<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> Result<T, Report> {
    std::thread::scope(|scope| start(scope, name, work).map(join))
}

/// What a thread's work returned; a panic goes on in this thread.
pub fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    let result = thread.join();
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Starts a thread with a stack that the limits on scripts fit in, twice: a test of a recipe
/// evaluates recipes in its own thread.
///
/// # Errors
/// When the thread doesn't start.
pub fn start<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, Report> {
    Builder::new()
        .name(name.to_owned())
        .stack_size(2 * limits::STACK_BYTES)
        .spawn_scoped(scope, work)
        .map_err(|error| {
            let message = format!("cannot start the interpreter's thread: {error}");
            reports::thread(message)
        })
}
