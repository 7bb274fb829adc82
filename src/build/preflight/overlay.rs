//! Whether the store's file system can be used for overlay mounts.

use super::Findings;
use crate::diagnose::HintSet;
use crate::run::{Error, Mounted};
use crate::store::Store;

/// Mounts an overlay in the private mount namespace.
pub fn check(store: &Store, findings: &mut Findings) {
    let mount = || -> Result<(), Error> {
        let work = store.work().map_err(Error::store)?;
        let (lower, upper) = (work.path().join("lower"), work.path().join("upper"));
        for folder in [&lower, &upper] {
            fs_err::create_dir(folder).map_err(Error::store)?;
        }
        Mounted::overlay(&[lower], &upper, work.path()).map(drop)
    };
    let failed = mount().err();
    let report = failed.map(|error| error.report(&HintSet::default()));
    findings.add("overlays on the store's file system", report);
}
