//! A root as a mounted tree: layers below, a fresh one on top.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, UnmountFlags,
};

use super::Error;
use super::resolver::handle_path;

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

    /// Mounts `lower` (the lowest first) with `upper` on top, on a folder below `folder`.
    /// Without a layer below, an empty folder is.
    ///
    /// # Errors
    /// When the kernel refuses the overlay.
    pub fn overlay(lower: &[PathBuf], upper: &Path, folder: &Path) -> Result<Self, Error> {
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
            match overlay.mount() {
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

/// Options that both ways of mounting have. A directory of a lower layer can be renamed,
/// as package managers do it; every layer holds whole files; hard links stay links.
const OPTIONS: &[(&str, &str)] = &[("redirect_dir", "on"), ("metacopy", "off"), ("index", "on")];

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
        for (option, value) in OPTIONS {
            rustix::mount::fsconfig_set_string(fd, *option, *value)?;
        }
        rustix::mount::fsconfig_set_flag(fd, WITHOUT_SYNCS)?;
        rustix::mount::fsconfig_create(fd)?;
        let mount =
            rustix::mount::fsmount(fd, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        attach(mount.as_fd(), self.target)
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
        for (option, value) in OPTIONS {
            options.push_str(&format!(",{option}={value}"));
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

/// Puts a mount that is nowhere yet over `target`, whose last component is not followed.
fn attach(mount: BorrowedFd<'_>, target: &Path) -> rustix::io::Result<()> {
    rustix::mount::move_mount(
        mount,
        "",
        rustix::fs::CWD,
        target,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
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
    /// Covers `path`, resolved inside of `root`, and made there where it is missing.
    ///
    /// # Errors
    /// When the path leads nowhere, or the mount is refused.
    pub fn over(root: &Path, path: &str, with: &Path) -> Result<Self, Error> {
        let inside = pathrs::Root::open(root).map_err(Error::downloads(path))?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let folder = inside.mkdir_all(path, &mode);
        let target = handle_path(&folder.map_err(Error::downloads(path))?).map_err(Error::store)?;
        mount_copy(with, &target).map_err(Error::downloads(path))?;
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

/// Mounts what is at `source` over `target`, whose last component is not followed.
fn mount_copy(source: &Path, target: &Path) -> rustix::io::Result<()> {
    let clone = rustix::mount::OpenTreeFlags::OPEN_TREE_CLONE
        | rustix::mount::OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(rustix::fs::CWD, source, clone)?;
    attach(tree.as_fd(), target)
}

impl Drop for Covered {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            tracing::warn!("cannot uncover `{}`: {error}", self.path);
        }
    }
}
