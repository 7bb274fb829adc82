//! Nodes that boot in QEMU. Root privileges and a Debian mirror.

mod debian;
mod derivatives;
mod diskless;
mod nodes;
