//! dnf, zypper, pacman and apk for real, against repositories that are made on the spot and
//! signed with throw-away keys: roots are made, packages installed, upgraded and removed, and what
//! goes wrong is held to its report. Needs root privileges and the tools themselves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod apk;
mod bench;
mod distro;
mod dnf;
mod pacman;
mod zypper;
