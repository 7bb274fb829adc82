//! A root as a mounted tree: layers below, a fresh one on top.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fs_err as fs;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, UnmountFlags,
};

use super::Error;

/// A mounted root; unmounted when it is dropped.
pub struct Mounted {
    path: PathBuf,
    is_mount: bool,
}

impl Mounted {
    /// Where the root is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Mounts `lower` (the lowest first) with `upper` on top. Without a layer below, the
    /// root is `upper` itself.
    ///
    /// # Errors
    /// When the kernel refuses the overlay.
    pub fn overlay(
        lower: &[PathBuf],
        upper: &Path,
        work: &Path,
        target: &Path,
    ) -> Result<Self, Error> {
        if lower.is_empty() {
            return Ok(Mounted {
                path: upper.to_owned(),
                is_mount: false,
            });
        }
        fs::create_dir_all(work).map_err(Error::store)?;
        fs::create_dir_all(target).map_err(Error::store)?;
        let with_new_api = mount_new(lower, upper, work, target);
        if let Err(error) = with_new_api {
            // `lowerdir+` came with Linux 6.5.
            if error != rustix::io::Errno::INVAL && error != rustix::io::Errno::NOSYS {
                return Err(Error::overlay(error));
            }
            mount_old(lower, upper, work, target).map_err(Error::overlay)?;
        }
        Ok(Mounted {
            path: target.to_owned(),
            is_mount: true,
        })
    }
}

fn mount_new(
    lower: &[PathBuf],
    upper: &Path,
    work: &Path,
    target: &Path,
) -> rustix::io::Result<()> {
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let fd = context.as_fd();
    // The kernel takes the topmost first.
    for layer in lower.iter().rev() {
        rustix::mount::fsconfig_set_string(fd, "lowerdir+", layer)?;
    }
    rustix::mount::fsconfig_set_string(fd, "upperdir", upper)?;
    rustix::mount::fsconfig_set_string(fd, "workdir", work)?;
    // A directory of a lower layer can be renamed, as package managers do it.
    rustix::mount::fsconfig_set_string(fd, "redirect_dir", "on")?;
    // Every layer holds whole files, and none refers to an inode of another.
    for option in ["metacopy", "index"] {
        rustix::mount::fsconfig_set_string(fd, option, "off")?;
    }
    rustix::mount::fsconfig_create(fd)?;
    let mount = rustix::mount::fsmount(fd, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    rustix::mount::move_mount(
        mount.as_fd(),
        "",
        rustix::fs::CWD,
        target,
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
}

fn mount_old(
    lower: &[PathBuf],
    upper: &Path,
    work: &Path,
    target: &Path,
) -> rustix::io::Result<()> {
    let layers: Vec<String> = lower
        .iter()
        .rev()
        .map(|layer| layer.display().to_string())
        .collect();
    let options = format!(
        "lowerdir={},upperdir={},workdir={},redirect_dir=on,metacopy=off,index=off",
        layers.join(":"),
        upper.display(),
        work.display()
    );
    let options = CString::new(options).map_err(|_| rustix::io::Errno::INVAL)?;
    rustix::mount::mount(
        "overlay",
        target,
        "overlay",
        MountFlags::empty(),
        Some(options.as_c_str()),
    )
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.is_mount {
            // The namespace takes it down at the end in any case.
            let _ = rustix::mount::unmount(&self.path, UnmountFlags::DETACH);
        }
    }
}

/// What the host's resolv.conf held when the build began; where it is a link into /run,
/// the tmpfs for systemd-nspawn may hide it after.
static HOST_RESOLVER: OnceLock<Option<Vec<u8>>> = OnceLock::new();

fn host_resolver() -> Option<Vec<u8>> {
    HOST_RESOLVER
        .get_or_init(|| std::fs::read("/etc/resolv.conf").ok())
        .clone()
}

/// Reads the host's resolv.conf before anything is mounted.
pub fn remember_resolver() {
    let _ = host_resolver();
}

/// The host's name resolution, mounted over whatever `/etc/resolv.conf` of a root is.
/// The image's own file, link or absence is as it was when this is dropped.
pub struct Resolver {
    target: PathBuf,
    made: bool,
}

impl Resolver {
    /// # Errors
    /// When the root's /etc cannot be found inside of it, or the mount is refused.
    /// `None` where the host has no name resolution, or the root no place for it.
    pub fn over(root: &Path) -> Result<Option<Self>, Error> {
        let Some(content) = host_resolver() else {
            return Ok(None);
        };
        // A copy: what a command writes to it does not reach the host's own file.
        let mut copy = tempfile::NamedTempFile::new().map_err(Error::store)?;
        std::io::Write::write_all(&mut copy, &content).map_err(Error::store)?;
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(copy.path(), readable).map_err(Error::store)?;
        let inside = pathrs::Root::open(root).map_err(|error| Error::resolver(&error))?;
        let Ok(etc) = inside.resolve("/etc") else {
            return Ok(None);
        };
        let target = handle_path(&etc)?.join("resolv.conf");
        let mut resolver = Resolver {
            target: target.clone(),
            made: false,
        };
        match std::fs::symlink_metadata(&target) {
            Err(_) => {
                fs::write(&target, "").map_err(Error::store)?;
                resolver.made = true;
            }
            // A file cannot be mounted over a folder; names do not resolve there either way.
            Ok(metadata) if metadata.is_dir() => return Ok(None),
            Ok(_) => {}
        }
        // The target's last component is not followed: a link of the image is mounted over.
        let clone = rustix::mount::OpenTreeFlags::OPEN_TREE_CLONE
            | rustix::mount::OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = rustix::mount::open_tree(rustix::fs::CWD, copy.path(), clone)
            .map_err(Error::mount_resolver)?;
        rustix::mount::move_mount(
            tree.as_fd(),
            "",
            rustix::fs::CWD,
            &target,
            MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
        )
        .map_err(Error::mount_resolver)?;
        Ok(Some(resolver))
    }
}

/// Where an open file of a root is, as the host sees it.
fn handle_path(handle: &pathrs::Handle) -> Result<PathBuf, Error> {
    use std::os::fd::AsRawFd;
    fs::read_link(format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd())).map_err(Error::store)
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
        let _ = rustix::mount::unmount(&self.target, flags);
        if self.made {
            let _ = fs::remove_file(&self.target);
        }
    }
}
