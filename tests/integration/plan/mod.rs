//! Evaluating, previewing, checking, and the text of the command line: no root privileges, no
//! network, seconds.

mod architecture;
pub mod cli;
pub mod completions;
mod diff;
pub mod distros;
mod docs;
mod everyday;
pub mod expect_boot;
mod function_lookup;
mod hints;
mod imports;
mod isolation;
mod libraries;
pub mod lint;
mod properties;
mod reference;
mod render;
mod repository;
pub mod script;
mod sources;
mod stdlib;
mod stdlib_paths;
mod suite;
mod terminal;
mod test_command;
