//! A root as a mounted tree: layers below, a fresh one on top.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, UnmountFlags,
};
use rustix::thread::CapabilitiesSecureBits;

use super::own_thread::in_own_thread;
use super::resolver::handle_path;
use super::user_namespace::{UserNamespace, first};
use super::{Error, detached};
use crate::plan::Bind;
use crate::store::owners::in_namespace;

/// A mounted root; unmounted when it is dropped.
pub struct Mounted {
    path: PathBuf,
    /// The layer on top.
    upper: PathBuf,
    /// Where the kernel keeps its index of hard links.
    index: PathBuf,
}

impl Mounted {
    /// Where the root is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Mounts `lower` (the lowest first) with `upper`, which is in `folder`, on top, on
    /// another folder below `folder`. Without a layer below, an empty folder is. With `ids`
    /// the root's files belong to the IDs of that namespace, else to those on disk.
    ///
    /// # Errors
    /// When the kernel refuses the overlay, or the file system to map owners.
    pub fn overlay(
        lower: &[PathBuf],
        upper: &Path,
        folder: &Path,
        ids: Option<&UserNamespace>,
    ) -> Result<Self, Error> {
        let (work, target) = (folder.join("work"), folder.join("root"));
        fs::create_dir_all(&target).map_err(Error::store)?;
        let empty = folder.join("empty");
        let lower = match lower {
            [] => {
                fs::create_dir_all(&empty).map_err(Error::store)?;
                std::slice::from_ref(&empty)
            }
            lower => lower,
        };
        let overlay = Overlay {
            lower,
            upper,
            work: &work,
            target: &target,
            links: &folder.join("l"),
        };
        let start = Instant::now();
        loop {
            // A folder that a mount without syncs has worked in is not taken again.
            match fs::remove_dir_all(&work) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::store(error));
                }
                _ => fs::create_dir(&work).map_err(Error::store)?,
            }
            let mounted = match ids {
                Some(ids) if ids.shifts() => overlay.mount_mapped(folder, ids)?,
                _ => overlay.mount(),
            };
            match mounted {
                Ok(()) => break,
                // A layer that was committed a moment ago may still be held by the mount
                // that it was made in.
                Err(rustix::io::Errno::BUSY) if start.elapsed() < HELD_FOR => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => {
                    let source = error.into();
                    return Err(Error::Overlay { source });
                }
            }
        }
        Ok(Mounted {
            path: target,
            upper: upper.to_owned(),
            index: work.join("index"),
        })
    }

    /// Completes the hard links of the layer on top. A write to one name of a file of a
    /// lower layer is seen under its other names while the root is mounted, by the
    /// kernel's index, which is no part of the layer: those names go up as well.
    ///
    /// # Errors
    /// When the tree cannot be read, or a file not be copied up.
    pub fn settle(&self) -> std::io::Result<()> {
        let indexed = fs::read_dir(&self.index).map_or(0, Iterator::count);
        if indexed == 0 {
            return Ok(());
        }
        let mut names: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
        for entry in walkdir::WalkDir::new(&self.path).same_file_system(true) {
            let entry = entry?;
            if entry.file_type().is_file() {
                let metadata = entry.metadata()?;
                if metadata.nlink() > 1 {
                    names
                        .entry(metadata.ino())
                        .or_default()
                        .push(entry.into_path());
                }
            }
        }
        let is_up = |path: &PathBuf| {
            let relative = path.strip_prefix(&self.path).unwrap_or(path);
            self.upper.join(relative).symlink_metadata().is_ok()
        };
        for paths in names.values().filter(|paths| paths.iter().any(is_up)) {
            for path in paths.iter().filter(|path| !is_up(path)) {
                // Its own mode once more: the kernel copies the name up, as a link.
                let mode = fs::symlink_metadata(path)?.permissions();
                fs::set_permissions(path, mode)?;
            }
        }
        Ok(())
    }
}

/// Options of an overlay. A directory of a lower layer can be renamed, as package managers do it;
/// every layer holds whole files; hard links stay links.
const OPTIONS: &[(&str, &str)] = &[("redirect_dir", "on"), ("metacopy", "off"), ("index", "on")];

/// Those where the build is rootless: the overlay's own notes are attributes that a user may write
/// (`userxattr`, Linux 5.11), with which the kernel renames no directory of a lower layer. Programs
/// that it tells so copy it.
const ROOTLESS_OPTIONS: &[(&str, &str)] = &[("metacopy", "off"), ("index", "on")];
const USER_ATTRIBUTES: &str = "userxattr";

fn options() -> &'static [(&'static str, &'static str)] {
    match in_namespace() {
        true => ROOTLESS_OPTIONS,
        false => OPTIONS,
    }
}

/// No call to sync reaches the disk, whoever makes it: a step that fails is thrown away
/// whole, and a layer is written out when it is committed. Linux 5.10 brought it.
const WITHOUT_SYNCS: &str = "volatile";

/// How long a layer may still be held by the mount that it was made in.
const HELD_FOR: Duration = Duration::from_secs(10);

/// An overlay that is to be mounted.
struct Overlay<'a> {
    /// The lowest first.
    lower: &'a [PathBuf],
    upper: &'a Path,
    work: &'a Path,
    target: &'a Path,
    /// A folder for the links of the old call.
    links: &'a Path,
}

impl Overlay<'_> {
    /// Mounts it over copies of its folders that are seen through the map of `ids`. `upper`
    /// and `work` are in `folder`.
    fn mount_mapped(
        &self,
        folder: &Path,
        ids: &UserNamespace,
    ) -> Result<rustix::io::Result<()>, Error> {
        let places = folder.join("mapped");
        let map = |number: usize, source: &Path| {
            let place = places.join(number.to_string());
            fs::create_dir_all(&place).map_err(Error::store)?;
            let mapped = ids.mapped(source).map_err(|source| Error::Confinement {
                what: "map the owners of the root's files".to_owned(),
                source,
            })?;
            MappedFolder::attach(&mapped, place)
        };
        // The overlay keeps its own copies: these are detached once it is mounted.
        let top = map(0, folder)?;
        let layers = self.lower.iter().enumerate();
        let layers = layers.map(|(number, layer)| map(number + 1, layer));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let lower: Vec<PathBuf> = layers.iter().map(|layer| layer.0.clone()).collect();
        let inside = |path: &Path| top.0.join(path.strip_prefix(folder).unwrap_or(path));
        let (upper, work) = (inside(self.upper), inside(self.work));
        let overlay = Overlay {
            lower: &lower,
            upper: &upper,
            work: &work,
            ..*self
        };
        Ok(as_owner(|| overlay.mount()))
    }

    fn mount(&self) -> rustix::io::Result<()> {
        use rustix::io::Errno;
        match self.mount_new() {
            // `lowerdir+` came with Linux 6.5.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            other => return other,
        }
        match self.mount_old(WITHOUT_SYNCS) {
            Err(Errno::INVAL) => self.mount_old("rw"),
            other => other,
        }
    }

    fn mount_new(&self) -> rustix::io::Result<()> {
        let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        let fd = context.as_fd();
        // The kernel takes the topmost first.
        for layer in self.lower.iter().rev() {
            rustix::mount::fsconfig_set_string(fd, "lowerdir+", layer)?;
        }
        rustix::mount::fsconfig_set_string(fd, "upperdir", self.upper)?;
        rustix::mount::fsconfig_set_string(fd, "workdir", self.work)?;
        for (option, value) in options() {
            rustix::mount::fsconfig_set_string(fd, *option, *value)?;
        }
        if in_namespace() {
            rustix::mount::fsconfig_set_flag(fd, USER_ATTRIBUTES)?;
        }
        rustix::mount::fsconfig_set_flag(fd, WITHOUT_SYNCS)?;
        rustix::mount::fsconfig_create(fd)?;
        let mount =
            rustix::mount::fsmount(fd, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        detached::attach(mount.as_fd(), self.target)
    }

    /// The old call takes all options on one page. Short links stand for the layers there,
    /// which also lets their paths hold any character.
    fn mount_old(&self, extra: &str) -> rustix::io::Result<()> {
        let io = |error: std::io::Error| {
            let code = error.raw_os_error().unwrap_or(0);
            rustix::io::Errno::from_raw_os_error(code)
        };
        let links = self.links;
        let _ = fs::remove_dir_all(links);
        fs::create_dir(links).map_err(io)?;
        let link = |name: &str, path: &Path| {
            std::os::unix::fs::symlink(path, links.join(name)).map_err(io)
        };
        link("u", self.upper)?;
        link("w", self.work)?;
        let opened = fs::File::open(links).map_err(io)?;
        let base = format!(
            "/proc/self/fd/{}",
            std::os::fd::AsRawFd::as_raw_fd(opened.file())
        );
        let mut names = Vec::new();
        for (number, layer) in self.lower.iter().rev().enumerate() {
            link(&number.to_string(), layer)?;
            names.push(format!("{base}/{number}"));
        }
        let mut options = format!(
            "{extra},lowerdir={},upperdir={base}/u,workdir={base}/w",
            names.join(":")
        );
        for (option, value) in self::options() {
            options.push_str(&format!(",{option}={value}"));
        }
        if in_namespace() {
            options.push_str(&format!(",{USER_ATTRIBUTES}"));
        }
        let options = CString::new(options).map_err(|_| rustix::io::Errno::INVAL)?;
        rustix::mount::mount(
            "overlay",
            self.target,
            "overlay",
            MountFlags::empty(),
            Some(options.as_c_str()),
        )
    }
}

/// A folder seen through a map of owners, until this is dropped.
struct MappedFolder(PathBuf);

impl MappedFolder {
    fn attach(mapped: &OwnedFd, place: PathBuf) -> Result<Self, Error> {
        let failed = |error: rustix::io::Errno| Error::store(error.into());
        detached::attach(mapped.as_fd(), &place).map_err(failed)?;
        // A copy receives what is mounted in the original, and hands on what is unmounted.
        let private = MountPropagationFlags::PRIVATE;
        rustix::mount::mount_change(&place, private).map_err(failed)?;
        Ok(MappedFolder(place))
    }
}

impl Drop for MappedFolder {
    fn drop(&mut self) {
        // The namespace takes it down at the end in any case.
        let _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
    }
}

/// A path of the host that is seen in a root, with mapped owners.
pub struct MappedBind {
    /// With the path to mount from.
    pub bind: Bind,
    /// The mount goes before the folder that it is on.
    _mapped: Option<(MappedFolder, tempfile::TempDir)>,
}

impl MappedBind {
    /// Owners stay unchanged if the path's file system can't map them: what belongs to root there
    /// then belongs to nobody in the root.
    ///
    /// # Errors
    /// When there is no place for the mount.
    pub fn of(bind: &Bind, ids: Option<&UserNamespace>, work: &Path) -> Result<Self, Error> {
        let mut bind = bind.clone();
        let source = PathBuf::from(&bind.host);
        let Some(Ok(mapped)) = ids.map(|ids| ids.mapped(&source)) else {
            let _mapped = None;
            return Ok(MappedBind { bind, _mapped });
        };
        let folder = tempfile::TempDir::with_prefix_in("bind-", work).map_err(Error::store)?;
        let place = folder.path().join("mapped");
        match source.is_dir() {
            true => fs::create_dir(&place),
            false => fs::File::create(&place).map(drop),
        }
        .map_err(Error::store)?;
        bind.host = place.display().to_string();
        let _mapped = Some((MappedFolder::attach(&mapped, place)?, folder));
        Ok(MappedBind { bind, _mapped })
    }
}

/// Calls `work` as the owner of mapped files: what overlayfs makes for itself belongs to the user
/// who mounts it, and this process's own ID isn't in the map.
fn as_owner(work: impl FnOnce() -> rustix::io::Result<()> + Send) -> rustix::io::Result<()> {
    let owned = move || {
        // Else the kernel takes the capabilities that concern files.
        rustix::thread::set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
        nix::unistd::setfsgid(first().into());
        nix::unistd::setfsuid(first().into());
        work()
    };
    in_own_thread(owned)
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // The namespace takes it down at the end in any case.
        let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
    }
}

/// A folder of a root, covered by a folder of the host until this is dropped.
/// [`Covered::uncover`] says whether that worked.
#[must_use]
pub struct Covered {
    target: Option<PathBuf>,
    /// As the plan has it.
    path: String,
}

impl Covered {
    /// Makes the folder `path`, resolved inside `root`, if it is missing.
    ///
    /// # Errors
    /// When the path leads nowhere.
    pub fn prepare(root: &Path, path: &str) -> Result<(), Error> {
        let inside = pathrs::Root::open(root).map_err(Error::downloads(path))?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let folder = inside.mkdir_all(path, &mode);
        folder.map(drop).map_err(Error::downloads(path))
    }

    /// Covers `path`, resolved inside `root`, with a folder whose files belong to the IDs
    /// of `ids`.
    ///
    /// # Errors
    /// When the path leads nowhere, or the mount is refused.
    pub fn over(
        root: &Path,
        path: &str,
        with: &Path,
        ids: Option<&UserNamespace>,
    ) -> Result<Self, Error> {
        let inside = pathrs::Root::open(root).map_err(Error::downloads(path))?;
        let folder = inside.resolve(path).map_err(Error::downloads(path))?;
        let target = handle_path(&folder).map_err(Error::store)?;
        let copy = match ids {
            Some(ids) => ids.mapped(with),
            None => detached::copy(with),
        };
        let copy = copy.map_err(Error::downloads(path))?;
        detached::attach(copy.as_fd(), &target).map_err(Error::downloads(path))?;
        Ok(Covered {
            target: Some(target),
            path: path.to_owned(),
        })
    }

    /// Takes the folder of the host away.
    ///
    /// # Errors
    /// When it can't be unmounted.
    pub fn uncover(mut self) -> Result<(), Error> {
        self.unmount().map_err(Error::downloads(&self.path))
    }

    fn unmount(&mut self) -> rustix::io::Result<()> {
        let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
        match self.target.take() {
            Some(target) => rustix::mount::unmount(&target, flags),
            None => Ok(()),
        }
    }
}

impl Drop for Covered {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            tracing::warn!("cannot uncover `{}`: {error}", self.path);
        }
    }
}
