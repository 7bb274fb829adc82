//! The integration tests, in tiers by what they need (docs/testing.md). Plain `cargo test` runs
//! `plan`; the other tiers are ignored there, because they need root privileges: `tests/run`
//! runs them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[macro_use]
mod support;

mod attacks;
mod boot;
mod distro;
mod plan;
mod tiny;
