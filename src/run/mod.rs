//! (to come)

pub mod files;
