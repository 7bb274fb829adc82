//! Attacks: what somebody might do to the host, to other builds or to the reader of a report, done
//! for real. One file per attacker. Each test checks that the attack was attempted, and that it had
//! no effect.
//!
//! Those of libraries only make plans, and run with plain `cargo test`. The others build roots of
//! one static program (`tests/run attacks`).

mod attempt;
mod image;
mod library;
mod mirror;
mod neighbor;
mod package;
