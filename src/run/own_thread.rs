//! Work with other IDs than this process has: the kernel keeps them for each thread.

/// Calls `work` in a thread that ends with the call, and the IDs that it has taken with it. What
/// it starts keeps them.
pub fn in_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
