//! Whether the store's file system can be used for overlay mounts.

use super::Findings;
use crate::diagnose::HintSet;
use crate::run::{Error, Mounted, user_namespace};
use crate::store::Store;

/// Mounts an overlay in the private mount namespace, as commands will see it.
pub fn check(store: &Store, findings: &mut Findings) {
    let mount = || -> Result<(), Error> {
        let work = store.work().map_err(Error::store)?;
        let (lower, upper) = (work.path().join("lower"), work.path().join("upper"));
        for folder in [&lower, &upper] {
            fs_err::create_dir(folder).map_err(Error::store)?;
        }
        let ids = user_namespace::current()?;
        Mounted::overlay(&[lower], &upper, work.path(), ids.as_deref()).map(drop)
    };
    let failed = mount().err();
    let report = failed.map(|error| error.report(&HintSet::default()));
    findings.add("overlays on the store's file system", report);
}
