//! Work on many scripts, on all of the machine's cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::thread;
use crate::diagnose::Report;

/// Does `work` with each of `items` on as many threads as there are cores, in which there is
/// room to evaluate recipes, and gives `tell` what comes out in the order of `items`, as it
/// comes. A thread keeps what it has compiled.
///
/// # Errors
/// When no thread can be started.
pub fn each<I, O>(
    items: &[I],
    work: impl Fn(&I) -> O + Sync,
    mut tell: impl FnMut(O),
) -> Result<(), Report>
where
    I: Sync,
    O: Send,
{
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let (done, results) = mpsc::channel();
    std::thread::scope(|scope| {
        let (mut workers, mut failed) = (Vec::new(), None);
        for _ in 0..cores.min(items.len()) {
            let done = done.clone();
            let (next, work) = (&next, &work);
            let spawned = thread::start(scope, "scripts", move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else {
                        break;
                    };
                    if done.send((index, work(item))).is_err() {
                        break;
                    }
                }
            });
            match spawned {
                Ok(worker) => workers.push(worker),
                Err(report) => failed = Some(report),
            }
        }
        drop(done);
        let mut waiting = std::collections::BTreeMap::new();
        let mut told = 0;
        for (index, result) in results {
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&told) {
                tell(result);
                told += 1;
            }
        }
        let none = workers.is_empty() && !items.is_empty();
        workers.into_iter().for_each(thread::join);
        match failed {
            Some(report) if none => Err(report),
            _ => Ok(()),
        }
    })
}
