//! dnf, zypper, pacman and apk for real, against repositories that are made on the spot and
//! signed with throw-away keys: roots are made, packages installed, upgraded and removed, and what
//! goes wrong is held to its report. Needs root privileges and the tools themselves.

mod apk;
mod bench;
mod distro;
mod dnf;
mod pacman;
mod zypper;
