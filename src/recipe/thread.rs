//! Threads that scripts are evaluated in.

use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::limits;
use crate::diagnose::Report;

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
            Report::new("script::thread", message)
        })
}
