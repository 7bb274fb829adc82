//! Tasks that wait for each other, several at a time.

use std::any::Any;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, PoisonError};

struct State<E> {
    ready: BTreeSet<usize>,
    /// How many of its needs a task still waits for.
    waits: Vec<usize>,
    running: usize,
    failed: Vec<(usize, E)>,
    panicked: Option<Box<dyn Any + Send>>,
}

impl<E> State<E> {
    fn stops(&self) -> bool {
        !self.failed.is_empty() || self.panicked.is_some()
    }
}

/// Runs `work` for every task, each after the tasks that it needs, at most `jobs` at a
/// time; of those that could start, the one that comes first in the list does. After a
/// failure no further task starts, and those that run come to their end.
///
/// Returns the tasks that failed.
///
/// # Panics
/// If a task panics: as that task, once the others that run have ended.
pub fn run_all<E: Send>(
    needs: &[BTreeSet<usize>],
    jobs: usize,
    work: impl Fn(usize) -> Result<(), E> + Sync,
) -> Vec<(usize, E)> {
    let waits: Vec<usize> = needs.iter().map(BTreeSet::len).collect();
    let ready = (0..needs.len())
        .filter(|task| waits.get(*task) == Some(&0))
        .collect();
    let state = Mutex::new(State {
        ready,
        waits,
        running: 0,
        failed: Vec::new(),
        panicked: None,
    });
    let changed = Condvar::new();
    let worker = || {
        let mut guard = state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if guard.stops() {
                break;
            }
            let Some(task) = guard.ready.pop_first() else {
                if guard.running == 0 {
                    break;
                }
                guard = changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            guard.running += 1;
            drop(guard);
            // The other workers wait for this one: it must not end before it has told them.
            let result = catch_unwind(AssertUnwindSafe(|| work(task)));
            guard = state.lock().unwrap_or_else(PoisonError::into_inner);
            guard.running -= 1;
            match result {
                Ok(Ok(())) => {
                    for (other, needs) in needs.iter().enumerate() {
                        if needs.contains(&task)
                            && let Some(waits) = guard.waits.get_mut(other)
                        {
                            *waits -= 1;
                            if *waits == 0 {
                                guard.ready.insert(other);
                            }
                        }
                    }
                }
                Ok(Err(error)) => guard.failed.push((task, error)),
                Err(panic) => guard.panicked = Some(panic),
            }
            changed.notify_all();
        }
        changed.notify_all();
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.min(needs.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(panic) = state.panicked {
        resume_unwind(panic);
    }
    state.failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn needs(lists: &[&[usize]]) -> Vec<BTreeSet<usize>> {
        lists
            .iter()
            .map(|list| list.iter().copied().collect())
            .collect()
    }

    #[test]
    fn a_task_runs_after_all_that_it_needs() {
        let needs = needs(&[&[], &[0], &[0], &[1, 2], &[]]);
        let order = Mutex::new(Vec::new());
        let failed = run_all(&needs, 3, |task| {
            order.lock().map(|mut order| order.push(task)).ok();
            Ok::<(), ()>(())
        });
        assert!(failed.is_empty());
        let order = order.into_inner().unwrap_or_default();
        assert_eq!(order.len(), 5);
        let place = |task| order.iter().position(|other| *other == task);
        for (task, needs) in needs.iter().enumerate() {
            assert!(needs.iter().all(|need| place(*need) < place(task)));
        }
    }

    #[test]
    fn no_more_than_the_jobs_run_at_once_and_that_many_do() {
        let needs = needs(&[&[], &[], &[], &[], &[], &[]]);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        run_all(&needs, 2, |_| {
            let running = now.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(running, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(30));
            now.fetch_sub(1, Ordering::SeqCst);
            Ok::<(), ()>(())
        });
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn nothing_starts_after_a_failure() {
        let needs = needs(&[&[], &[0], &[1]]);
        let ran = AtomicUsize::new(0);
        let failed = run_all(&needs, 2, |task| {
            ran.fetch_add(1, Ordering::SeqCst);
            if task == 1 { Err("broken") } else { Ok(()) }
        });
        assert_eq!(failed, [(1, "broken")]);
        assert_eq!(ran.load(Ordering::SeqCst), 2);
    }

    #[test]
    #[allow(clippy::panic, reason = "that is what is tested")]
    fn a_panic_ends_the_run_and_is_passed_on() {
        let needs = needs(&[&[], &[], &[0]]);
        let ran = Mutex::new(BTreeSet::new());
        let result = catch_unwind(AssertUnwindSafe(|| {
            run_all(&needs, 2, |task| {
                ran.lock().map(|mut ran| ran.insert(task)).ok();
                if task == 0 {
                    panic!("broken");
                }
                Ok::<(), ()>(())
            })
        }));
        let message = result.err().and_then(|panic| panic.downcast::<&str>().ok());
        assert_eq!(message.as_deref(), Some(&"broken"));
        assert!(!ran.into_inner().unwrap_or_default().contains(&2));
    }
}
