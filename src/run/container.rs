//! Containers: what a root has to lend while a command runs in it, and the command lines.

use std::path::Path;

use super::Error;
use super::mount::{Covered, MappedBind, Mounted};
use super::mount_points::MountPoints;
use super::process::{Process, passed_on};
use super::resolver::Resolver;
use super::sandbox;
use super::stack::{ConfinedRoot, OpenRoot};
use super::user_namespace::{COUNT, UserNamespace, first};
use crate::plan::command::{ContainerCommand, Mode};
use crate::plan::{Bind, Downloads, Run};
use crate::store::owners::in_namespace;
use crate::store::{Downloaded, Offers, Store};

/// What is changed in a root for the time of a command.
#[derive(Clone, Copy, Default)]
pub struct Setup<'a> {
    /// Whether the root gets the host's DNS.
    pub network: bool,
    /// What systemd-nspawn makes mount points for.
    pub binds: &'a [Bind],
    /// Folders of the root that package managers download to.
    pub downloads: &'a [Downloads],
    /// What each of them starts with; nothing where an entry is missing.
    pub offers: &'a [Offers],
}

impl<'a> Setup<'a> {
    pub fn of(run: &'a Run) -> Self {
        Setup {
            // A command of the host has the host's own, and its paths where they are.
            network: run.network && !run.place.is_host(),
            binds: if run.place.is_host() { &[] } else { &run.binds },
            downloads: &run.downloads,
            offers: &[],
        }
    }

    /// Prepares the root, calls `work`, and puts the root back, whatever `work` does.
    ///
    /// # Errors
    /// Those of `work`, then those of changing the root.
    pub fn around<T>(
        self,
        root: &OpenRoot,
        store: &Store,
        folder: &Path,
        work: impl FnOnce(&Lent<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let lent = Lent::new(self, root, store, folder)?;
        let result = work(&lent);
        match (result, lent.release()) {
            (Err(error), Err(also)) => {
                tracing::warn!("{also}");
                Err(error)
            }
            (result, released) => result.and_then(|value| released.map(|()| value)),
        }
    }
}

/// A root as a command finds it. The changes are undone in the order of the fields: an error
/// or a panic drops them.
pub struct Lent<'a> {
    covers: Vec<Cover>,
    binds: Vec<MappedBind>,
    confined: ConfinedRoot<'a>,
    points: MountPoints,
    resolver: Option<Resolver>,
}

/// A folder of the root under a folder of downloads. The mounts go first.
struct Cover {
    mount: Covered,
    overlay: Option<Mounted>,
    downloaded: Downloaded,
}

impl Cover {
    fn new(
        downloads: &Downloads,
        offers: &Offers,
        ids: Option<&UserNamespace>,
        (root, store, folder): (&Path, &Store, &Path),
    ) -> Result<Self, Error> {
        let downloaded = store.downloaded(downloads, offers, folder);
        let downloaded = downloaded.map_err(Error::store)?;
        let new = downloaded.new_files();
        let overlay = match downloaded.offered() {
            Some(offered) => {
                let folder = downloaded.folder();
                Some(Mounted::overlay(&[offered], &new, folder, ids)?)
            }
            None => None,
        };
        let mount = match &overlay {
            // Its owners are mapped already.
            Some(overlay) => Covered::over(root, &downloads.path, overlay.path(), None)?,
            None => Covered::over(root, &downloads.path, &new, ids)?,
        };
        Ok(Cover {
            mount,
            overlay,
            downloaded,
        })
    }

    fn release(self) -> Result<(), Error> {
        let uncovered = self.mount.uncover();
        drop(self.overlay);
        // Also after a failure: what was downloaded is whole.
        self.downloaded.keep();
        uncovered
    }
}

impl<'a> Lent<'a> {
    fn new(
        setup: Setup<'_>,
        root: &'a OpenRoot,
        store: &Store,
        folder: &Path,
    ) -> Result<Self, Error> {
        can_be_read(root.path())?;
        let resolver = match setup.network {
            true => Resolver::lend(root.path(), &root.upper())?,
            false => None,
        };
        let points = MountPoints::of(root.path(), setup.binds)?;
        for downloads in setup.downloads {
            Covered::prepare(root.path(), &downloads.path)?;
        }
        let confined = root.confine()?;
        let ids = confined.ids();
        let binds = setup.binds.iter();
        let binds = binds.map(|bind| MappedBind::of(bind, ids, folder));
        let binds = binds.collect::<Result<_, _>>()?;
        let covers = setup.downloads.iter().enumerate().map(|(at, downloads)| {
            let offers = setup.offers.get(at).unwrap_or(&Offers::None);
            Cover::new(downloads, offers, ids, (root.path(), store, folder))
        });
        let covers = covers.collect::<Result<_, _>>()?;
        Ok(Lent {
            covers,
            binds,
            confined,
            points,
            resolver,
        })
    }

    /// Undoes everything; the first error of several is returned.
    fn release(self) -> Result<(), Error> {
        let Lent {
            covers,
            binds,
            confined,
            mut points,
            resolver,
        } = self;
        let mut result = Ok(());
        for cover in covers.into_iter().rev() {
            result = result.and(cover.release());
        }
        drop(binds);
        let confined = confined.release();
        let points = points.remove();
        let resolver = resolver.map_or(Ok(()), |mut resolver| resolver.restore());
        result.and(confined).and(points).and(resolver)
    }

    /// Whether root in the root is another user on the host.
    pub fn is_held(&self) -> bool {
        self.confined.ids().is_some()
    }

    /// The command line of a container in the root, with the host's proxies where the command
    /// has the network.
    pub fn argv(&self, run: &Run, mode: Mode, root: &Path, argv: &[String]) -> Vec<String> {
        let root = root.display().to_string();
        let binds = self.binds();
        let ids = self.is_held().then_some((first(), COUNT));
        command(run, mode, &root, argv).held(ids, &binds).argv()
    }

    /// A command in the root: systemd-nspawn with it, or, where that can't run, the command in a
    /// container of our own.
    pub fn process(&self, run: &Run, mode: Mode, root: &Path, argv: &[String]) -> Process {
        if !in_namespace() {
            return Process::new(self.argv(run, mode, root, argv)).makes_own_namespaces();
        }
        let place = root.display().to_string();
        let names = command(run, mode, &place, argv).env;
        Process::new(argv).in_container(sandbox::Container {
            root: root.to_owned(),
            network: run.network,
            user: run.user.clone(),
            cwd: run.cwd.clone(),
            binds: self.binds(),
            env: names.into_iter().map(str::to_owned).collect(),
            terminal: mode == Mode::Interactive,
        })
    }

    fn binds(&self) -> Vec<Bind> {
        self.binds.iter().map(|bind| bind.bind.clone()).collect()
    }
}

/// A container with the host's proxies, where the command has the network.
fn command<'a>(
    run: &'a Run,
    mode: Mode,
    root: &'a str,
    argv: &'a [String],
) -> ContainerCommand<'a> {
    let names = passed_on().map(|(name, _)| name);
    ContainerCommand::new(run, mode, root, argv).passing(names)
}

/// Refuses a root in which systemd-nspawn reads something that never ends.
fn can_be_read(root: &Path) -> Result<(), Error> {
    let path = "/etc/machine-id";
    let inside =
        pathrs::Root::open(root).map_err(|error| Error::store(std::io::Error::other(error)))?;
    // A root may have none, or a link that leads nowhere.
    let Ok(found) = inside.resolve(path) else {
        return Ok(());
    };
    let kind = rustix::fs::fstat(&found).map_err(|error| Error::store(error.into()))?;
    match rustix::fs::FileType::from_raw_mode(kind.st_mode) {
        rustix::fs::FileType::RegularFile => Ok(()),
        _ => Err(Error::NotAFile { path }),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::plan::RunPlace;

    struct LentRoot {
        folder: tempfile::TempDir,
        root: OpenRoot,
        store: Store,
    }

    impl LentRoot {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let root = OpenRoot::of_folder().unwrap();
            std::fs::create_dir_all(root.path().join("etc")).unwrap();
            std::fs::write(root.path().join("etc/resolv.conf"), "own").unwrap();
            let store = Store::open(&folder.path().join("store")).unwrap();
            LentRoot {
                folder,
                root,
                store,
            }
        }

        fn path(&self) -> &Path {
            self.root.path()
        }

        fn around(
            &self,
            setup: Setup<'_>,
            work: impl FnOnce() -> Result<(), Error>,
        ) -> Result<(), Error> {
            setup.around(&self.root, &self.store, self.folder.path(), |_| work())
        }

        fn is_as_before(&self) {
            let names = |path: &Path| {
                let entries = std::fs::read_dir(path).unwrap();
                let names = entries.map(|entry| entry.unwrap().file_name());
                names.collect::<Vec<_>>()
            };
            assert_eq!(names(self.path()), ["etc"]);
            assert_eq!(names(&self.path().join("etc")), ["resolv.conf"]);
            let text = std::fs::read_to_string(self.path().join("etc/resolv.conf"));
            assert_eq!(text.unwrap(), "own");
        }
    }

    fn bind() -> Bind {
        Bind {
            host: "/etc".to_owned(),
            path: "/srv/data".to_owned(),
            read_only: true,
        }
    }

    #[test]
    fn a_root_is_put_back_after_success_failure_and_panic() {
        let root = LentRoot::new();
        let binds = [bind()];
        let setup = Setup {
            network: true,
            binds: &binds,
            ..Setup::default()
        };
        // As systemd-nspawn does it.
        let mount = || std::fs::create_dir_all(root.path().join("srv/data")).unwrap();
        let worked = root.around(setup, || {
            mount();
            Ok(())
        });
        assert!(worked.is_ok());
        root.is_as_before();
        let failed = root.around(setup, || {
            mount();
            Err(Error::Interrupted)
        });
        assert!(matches!(failed, Err(Error::Interrupted)));
        root.is_as_before();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            root.around(setup, || {
                mount();
                panic!("broken");
            })
        }));
        assert!(panicked.is_err());
        root.is_as_before();
    }

    #[test]
    fn a_root_is_put_back_when_it_cannot_be_prepared_whole() {
        let root = LentRoot::new();
        let downloads = [Downloads {
            // A file is in the way.
            path: "/etc/resolv.conf/x".to_owned(),
            pool: "test".to_owned(),
            suffix: ".deb".to_owned(),
            check: None,
        }];
        let setup = Setup {
            network: true,
            downloads: &downloads,
            ..Setup::default()
        };
        let failed = root.around(setup, || panic!("nothing runs"));
        assert!(matches!(failed, Err(Error::Downloads { .. })));
        root.is_as_before();
    }

    #[test]
    fn a_proxy_is_named_once_and_only_with_the_network() {
        let mut run = Run::new(RunPlace::Root, ["true"].into_iter().collect());
        run.env = [("http_proxy".to_owned(), "x".into())].into();
        run.network = true;
        let set = |run: &Run| -> Vec<String> {
            let names = ["http_proxy", "no_proxy"];
            let argv = ContainerCommand::new(run, Mode::Boot, "/r", &[]).passing(names);
            let flags = argv.argv().into_iter();
            flags.filter(|flag| flag.starts_with("--setenv")).collect()
        };
        assert_eq!(set(&run), ["--setenv=http_proxy", "--setenv=no_proxy"]);
        run.network = false;
        assert_eq!(set(&run), ["--setenv=http_proxy"]);
    }
}
