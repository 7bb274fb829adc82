//! rootwright evaluates image recipes, short Rhai scripts, to plans, and runs the plans.
//!
//! Data flows one way: [`recipe`] evaluates a recipe to a [`plan::Plan`], which is plain
//! data; [`preview`] prints it, [`build`] runs it on layers kept by
//! [`store`], and [`export`] writes what leaves the machine. [`diagnose`] is the shape of
//! every error. `docs/architecture.md` has the map.

// What else panics on input; the three that Cargo.toml denies hold for tests as well.
#![deny(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented,
    clippy::get_unwrap
)]

pub mod boot;
pub mod build;
pub mod cli;
pub mod diagnose;
pub mod diff;
pub mod export;
pub mod lint;
pub mod plan;
pub mod preview;
pub mod project;
pub mod recipe;
pub mod reference;
pub mod run;
pub mod store;
