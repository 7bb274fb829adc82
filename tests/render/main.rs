//! The renderers over plans that are made by hand: what people read, what programs read,
//! and what a shell makes of it.

// Clippy takes only the functions marked #[test] for tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod exports;
mod json;
mod plans;
mod real;
mod same;
mod sh;
mod text;
