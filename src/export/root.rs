//! The root that is exported, as this process and as programs find it.

use std::fmt;
use std::path::Path;

use super::error::Error;
use crate::diagnose::HintSet;
use crate::run::stack::OpenRoot;

/// A root that is exported.
#[derive(Clone, Copy)]
pub struct ExportRoot<'a> {
    /// Where it is.
    pub path: &'a Path,
    pub(super) mounted: Option<&'a OpenRoot>,
}

impl<'a> ExportRoot<'a> {
    pub fn mounted(root: &'a OpenRoot) -> Self {
        ExportRoot {
            path: root.path(),
            mounted: Some(root),
        }
    }

    /// A tree that lies in a folder.
    pub fn folder(path: &'a Path) -> Self {
        ExportRoot {
            path,
            mounted: None,
        }
    }

    /// Calls `work`, which runs programs, while the root is theirs; see [`OpenRoot::confine`].
    pub(super) fn held<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let Some(root) = self.mounted else {
            return work();
        };
        let report = |error: crate::run::Error| Error::from(error.report(&HintSet::default()));
        let confined = root.confine().map_err(report)?;
        let result = work();
        let released = confined.release().map_err(report);
        result.and_then(|value| released.map(|()| value))
    }
}

impl fmt::Debug for ExportRoot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExportRoot").field(&self.path).finish()
    }
}
