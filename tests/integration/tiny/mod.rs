//! Builds of roots that hold one static program, with the real systemd-nspawn, and what needs a tool
//! that `tests/run` installs: shells, shellcheck, a browser. Root privileges, no network.

mod build;
mod bundles;
mod completions;
mod confinement;
mod diff;
mod distros;
mod expect_boot;
mod export_boot;
mod export_bundles;
mod export_formats;
mod export_versions;
mod files_inside;
mod layers;
pub mod lint;
mod preflight;
mod processes;
mod reference_page;
pub mod render;
mod resolver;
mod rootless;
mod secret_bytes;
mod secrets_and_captures;
