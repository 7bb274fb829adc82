//! Package managers, with real repositories and with repositories that the tests make and sign.
//! Root privileges; some tests need a Debian mirror.

mod auth;
mod bootstraps;
mod cold_builds;
pub mod derivatives;
mod doctor;
mod downloads;
mod failures;
#[cfg(target_arch = "x86_64")]
mod foreign;
mod keyrings;
mod lint;
mod nspawn_boot;
mod package_managers;
mod scripts;
mod tutorial;
