//! Bounds on what a script may use: it can end in an error, never in a hang, a crash or
//! a filled memory. Every limit is set explicitly, since Rhai's defaults differ between
//! debug and release builds.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rhai::Engine;

/// Bytes of one script file. Parsing cannot be interrupted, so its input is bounded.
pub const SCRIPT_BYTES: u64 = 1 << 20;
/// The interpreter recurses on the stack; its thread gets this much address space.
pub const STACK_BYTES: usize = 512 << 20;

const OPERATIONS: u64 = 20_000_000;
pub const CALL_LEVELS: usize = 100;
const EXPRESSION_DEPTH: usize = 100;
const STRING_BYTES: usize = 4 << 20;
const ELEMENTS: usize = 100_000;
const VARIABLES: usize = 2_000;
const FUNCTIONS: usize = 1_000;
const MODULES: usize = 500;

/// Wall-clock time of one evaluation; `capture` does not count.
const TIME: Duration = Duration::from_secs(5);
/// How much resident memory one evaluation may add; what runs beside it counts, too.
const MEMORY_BYTES: u64 = 512 << 20;
/// How many operations go by between two looks at the clock. One operation can make at
/// most one string of `STRING_BYTES`.
const CHECK_EVERY: u64 = 64;
/// How long goes by between two looks at the memory, which take longer. No script fills
/// more than some fifty MiB in that time.
const MEMORY_EVERY: Duration = Duration::from_millis(5);

/// Why an evaluation was ended from outside; the engine carries it to the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    #[error("the script ran for more than {} s", TIME.as_secs())]
    Time,
    #[error("the script used more than {} MiB", MEMORY_BYTES >> 20)]
    Memory,
    #[error("the script took more than {OPERATIONS} operations")]
    Operations,
}

/// The budget of one evaluation, over all the engine calls that it is made of.
#[derive(Debug)]
pub struct Budget {
    deadline: Cell<Instant>,
    memory_at_start: u64,
    memory_seen: Cell<Instant>,
    operations: Cell<u64>,
}

impl Default for Budget {
    fn default() -> Self {
        let now = Instant::now();
        Budget {
            deadline: Cell::new(now + TIME),
            memory_at_start: resident_bytes(),
            memory_seen: Cell::new(now),
            operations: Cell::new(0),
        }
    }
}

impl Budget {
    /// Does not count the time that `work` takes: what `capture` builds is not the script.
    pub fn pause<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.deadline.set(self.deadline.get() + start.elapsed());
        result
    }

    /// Counts one operation.
    pub fn spend(&self) -> Option<Exceeded> {
        let count = self.operations.get() + 1;
        self.operations.set(count);
        if !count.is_multiple_of(CHECK_EVERY) {
            return None;
        }
        let now = Instant::now();
        if count > OPERATIONS {
            Some(Exceeded::Operations)
        } else if now > self.deadline.get() {
            Some(Exceeded::Time)
        } else if self.is_full(now) {
            Some(Exceeded::Memory)
        } else {
            None
        }
    }

    fn is_full(&self, now: Instant) -> bool {
        if now.duration_since(self.memory_seen.get()) < MEMORY_EVERY {
            return false;
        }
        self.memory_seen.set(now);
        resident_bytes().saturating_sub(self.memory_at_start) > MEMORY_BYTES
    }
}

/// Sets every limit that the engine keeps itself.
pub fn apply(engine: &mut Engine) {
    engine
        .set_max_operations(OPERATIONS)
        .set_max_call_levels(CALL_LEVELS)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH)
        .set_max_string_size(STRING_BYTES)
        .set_max_array_size(ELEMENTS)
        .set_max_map_size(ELEMENTS)
        .set_max_variables(VARIABLES)
        .set_max_functions(FUNCTIONS)
        .set_max_modules(MODULES);
}

/// Resident memory of this process, in bytes; 0 where the kernel does not say.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size() as u64
}
