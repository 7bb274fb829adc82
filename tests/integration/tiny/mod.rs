//! Builds of roots that hold one static program, with the real systemd-nspawn. Root privileges,
//! no network.

mod build;
mod export_boot;
mod export_bundles;
mod export_formats;
mod export_versions;
mod files_inside;
mod layers;
mod lint;
mod render;
mod resolver;
