//! Containers: what a root has to lend while a command runs in it, and the command lines.

use std::path::Path;

use super::Error;
use super::mount::Covered;
use super::mount_points::Points;
use super::process::passed_on;
use super::resolver::Resolver;
use crate::plan::command::{ContainerCommand, Mode};
use crate::plan::{Bind, Downloads, Run, RunPlace};
use crate::store::{Downloaded, Store};

/// What is changed in a root for the time of a command.
#[derive(Clone, Copy, Default)]
pub struct Setup<'a> {
    /// Whether the root gets the host's DNS.
    pub network: bool,
    /// What systemd-nspawn makes mount points for.
    pub binds: &'a [Bind],
    /// Folders of the root that hold what other builds have downloaded.
    pub downloads: &'a [Downloads],
}

impl<'a> Setup<'a> {
    pub fn of(run: &'a Run) -> Self {
        Setup {
            // A command of the host has the host's own.
            network: run.network && run.place != RunPlace::Host,
            binds: &run.binds,
            downloads: &run.downloads,
        }
    }

    /// Prepares the root, calls `work`, and puts the root back, whatever `work` does.
    ///
    /// # Errors
    /// Those of `work`, then those of changing the root.
    pub fn around<T>(
        self,
        root: &Path,
        store: &Store,
        folder: &Path,
        work: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let guards = Guards::new(self, root, store, folder)?;
        let result = work();
        let released = guards.release();
        match (result, released) {
            (Ok(value), Ok(())) => Ok(value),
            (Ok(_), Err(error)) => Err(error),
            (Err(error), Ok(())) => Err(error),
            (Err(error), Err(also)) => {
                tracing::warn!("{also}");
                Err(error)
            }
        }
    }
}

/// The changes that are in force, in the order in which they are undone: an error or a
/// panic drops them.
struct Guards {
    covers: Vec<Cover>,
    points: Option<Points>,
    resolver: Option<Resolver>,
}

/// A folder of the root under a folder of downloads. The mount goes first.
struct Cover {
    mount: Covered,
    downloaded: Downloaded,
}

impl Guards {
    fn new(setup: Setup<'_>, root: &Path, store: &Store, folder: &Path) -> Result<Self, Error> {
        let mut guards = Guards {
            covers: Vec::new(),
            points: None,
            resolver: None,
        };
        if setup.network {
            guards.resolver = Resolver::lend(root)?;
        }
        guards.points = Some(Points::of(root, setup.binds)?);
        for downloads in setup.downloads {
            let downloaded = store.downloaded(downloads, folder).map_err(Error::store)?;
            let mount = Covered::over(root, &downloads.path, downloaded.path())?;
            guards.covers.push(Cover { mount, downloaded });
        }
        Ok(guards)
    }

    /// Undoes everything; the first error of several is returned.
    fn release(mut self) -> Result<(), Error> {
        let mut result = Ok(());
        while let Some(cover) = self.covers.pop() {
            let uncovered = cover.mount.uncover();
            // Also after a failure: what was downloaded is whole.
            cover.downloaded.keep();
            result = result.and(uncovered);
        }
        let points = self.points.take().map_or(Ok(()), Points::remove);
        let resolver = self.resolver.take().map_or(Ok(()), Resolver::restore);
        result.and(points).and(resolver)
    }
}

/// The command line of a container, with the host's proxies where the command has the
/// network.
pub fn argv(run: &Run, mode: Mode, root: &Path, argv: &[String]) -> Vec<String> {
    let root = root.display().to_string();
    let names = passed_on().map(|(name, _)| name);
    ContainerCommand::new(run, mode, &root, argv)
        .passing(names)
        .argv()
}
