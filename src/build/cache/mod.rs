//! The decision whether a step runs: the keys of its layer, what the store has, and why a
//! layer is not there.

mod inputs;
mod reason;
mod resolve;

pub use inputs::{Archives, Refresh, Versions, archive_digest};
pub use resolve::{Prepared, preview, remembered_keys};
