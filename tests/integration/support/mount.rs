//! Mounts that tests make.

use std::path::{Path, PathBuf};

/// A mount that is gone when the test ends, whichever way.
pub struct Mount(pub PathBuf);

impl Mount {
    /// Mounts a file system without a device.
    pub fn new(at: PathBuf, kind: &str, options: &str) -> Mount {
        std::fs::create_dir_all(&at).unwrap();
        let mount = duct::cmd!("mount", "-t", kind, "-o", options, "none", &at);
        mount.run().unwrap();
        Mount(at)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = duct::cmd!("umount", &self.0).run();
    }
}
