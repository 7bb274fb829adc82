//! Which owners of files this process tells apart: in a user namespace only those of its map.

use std::fs;

/// The user who builds without being root, in the namespace of that build: the ID after the 65,536
/// that roots have.
pub const USER: u32 = 65_536;

/// What the kernel says of an owner that the namespace does not know.
pub const UNKNOWN: u32 = 65_534;

/// Whether this process is in a user namespace that is not the host's own.
pub fn in_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let fields: Vec<&str> = map.split_whitespace().collect();
    // user_namespaces(7): the map of the initial one.
    !fields.is_empty() && fields != ["0", "0", "4294967295"]
}
