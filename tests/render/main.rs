//! The renderers over plans that are made by hand: what people read, what programs read,
//! and what a shell makes of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod json;
mod plans;
mod real;
mod same;
mod sh;
mod text;
