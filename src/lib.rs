//! rootwright evaluates image recipes, short Rhai scripts, to plans, and runs the plans.
//!
//! Data flows one way: [`script`] evaluates a recipe to a [`plan::Plan`], which is plain
//! data; [`plan::render`] prints it, [`run`] carries it out on layers kept by [`store`],
//! and [`export`] writes what leaves the machine. [`diagnose`] is the one shape of every
//! error. `docs/architecture.md` has the map.

pub mod cli;
pub mod diagnose;
pub mod export;
pub mod plan;
pub mod run;
pub mod script;
pub mod store;
