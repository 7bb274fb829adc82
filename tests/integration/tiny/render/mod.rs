//! Shell scripts of plans, run for real: they make what the runner makes.

pub mod drift;
mod exports;
mod real;
mod same;
mod sh;
