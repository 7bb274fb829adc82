//! What a held program sees: the host's own system, read-only, devices that hold nothing, private
//! folders for what is temporary, and what it was granted.

use std::fs::Permissions;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{FileType, StatVfsMountFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::spec::{Grant, GrantAccess, Held};
use crate::run::detached;
use crate::run::namespace::TEMPORARY;
use crate::run::user_namespace::first;
use crate::store::owners::in_namespace;

/// The host's own system: programs, what they are set up with, and what package managers know.
/// What users, services and builds have is elsewhere.
const SYSTEM: &[&str] = &[
    "usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "opt", "nix", "gnu", "var/lib",
];

/// Devices that hold nothing.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];

/// Folders that are empty at first, and their modes.
const OWN: &[(&str, u32)] = &[
    ("tmp", 0o1777),
    ("run", 0o755),
    ("run/lock", 0o1777),
    ("root", 0o700),
    ("home", 0o755),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/log", 0o755),
    ("var/tmp", 0o1777),
];

/// Makes the view, and makes it the root of this process, which has its own mount namespace and is
/// root on the host.
///
/// # Errors
/// When something cannot be mounted, or a granted path is not there.
pub fn enter(held: &Held, ids: &std::fs::File) -> std::io::Result<()> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)?;
    // Before anything covers them.
    let system = system()?;
    let devices = Devices::copy();
    let (kernel, processes) = (copy_of_sys()?, detached::copy_all(Path::new("/proc"))?);
    // What is in another granted path comes after it.
    let mut sorted: Vec<&Grant> = held.grants.iter().collect();
    sorted.sort_by_key(|grant| grant.path.components().count());
    let grants = sorted.into_iter();
    let grants = grants.map(|grant| Ok((grant, granted(grant, ids)?)));
    let grants = grants.collect::<std::io::Result<Vec<_>>>()?;

    let root = Path::new(TEMPORARY);
    tmpfs(root, &own())?;
    for (name, mode) in OWN {
        make_dir(&root.join(name), *mode)?;
    }
    // For temporary files, as elsewhere in a build.
    let temporary = inside(root, root);
    make_parents(root, &temporary)?;
    make_dir(&temporary, 0o1777)?;
    for entry in system {
        entry.put(root)?;
    }
    let place = root.join("sys");
    make_dir(&place, 0o555)?;
    detached::attach(kernel.as_fd(), &place)?;
    read_only(root)?;
    let place = root.join("proc");
    make_dir(&place, 0o555)?;
    detached::attach(processes.as_fd(), &place)?;
    make_dir(&root.join("dev"), 0o755)?;
    devices.put(&root.join("dev"))?;
    if let Some((path, content)) = &held.resolver {
        let path = inside(root, path);
        make_parents(root, &path)?;
        fs::write(path, content)?;
    }
    for (grant, tree) in &grants {
        put(root, grant, tree)?;
    }
    pivot(root)
}

/// Makes a mount the root of this process, and unmounts the one before.
pub fn pivot(root: &Path) -> std::io::Result<()> {
    std::env::set_current_dir(root)?;
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")
}

/// Something of the host's system.
enum Entry {
    Link(&'static str, PathBuf),
    Folder(&'static str, OwnedFd),
}

fn system() -> std::io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for name in SYSTEM {
        let path = Path::new("/").join(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                found.push(Entry::Link(name, fs::read_link(&path)?));
            }
            Ok(metadata) if metadata.is_dir() => {
                found.push(Entry::Folder(name, detached::copy_all(&path)?))
            }
            _ => {}
        }
    }
    Ok(found)
}

impl Entry {
    fn put(&self, root: &Path) -> std::io::Result<()> {
        match self {
            Entry::Link(name, target) => symlink(target, root.join(name)),
            Entry::Folder(name, tree) => {
                make_dir(&root.join(name), 0o755)?;
                Ok(detached::attach(tree.as_fd(), &root.join(name))?)
            }
        }
    }
}

/// A granted path, with its owners mapped if it is a part of the host.
fn granted(grant: &Grant, ids: &std::fs::File) -> std::io::Result<OwnedFd> {
    if grant.access == GrantAccess::Root || in_namespace() {
        return detached::copy_all(&grant.path);
    }
    let tree = detached::copy(&grant.path)?;
    let mapped = detached::map_owners(&tree, ids);
    match (mapped, grant.access) {
        (Ok(()), _) => Ok(tree),
        // What all may read is read all the same.
        (Err(_), GrantAccess::Read) => detached::copy_all(&grant.path),
        // A tmpfs maps no owners before Linux 6.3. What the build keeps on its own is handed over.
        (Err(_), _) if grant.path.starts_with(TEMPORARY) => {
            hand_over(&grant.path)?;
            detached::copy(&grant.path)
        }
        (Err(error), _) => Err(std::io::Error::new(
            error.kind(),
            format!(
                "the owners of `{}` cannot be mapped: {error}",
                grant.path.display()
            ),
        )),
    }
}

/// Gives a tree to the root of the namespace.
fn hand_over(path: &Path) -> std::io::Result<()> {
    for entry in walkdir::WalkDir::new(path) {
        lchown(entry?.path(), Some(first()), Some(first()))?;
    }
    Ok(())
}

fn put(root: &Path, grant: &Grant, tree: &OwnedFd) -> std::io::Result<()> {
    let place = inside(root, &grant.path);
    make_parents(root, &place)?;
    if fs::symlink_metadata(&place).is_err() {
        let mode = rustix::fs::fstat(tree.as_fd())?.st_mode;
        match FileType::from_raw_mode(mode).is_dir() {
            true => make_dir(&place, 0o755)?,
            false => drop(fs::File::create(&place)?),
        }
    }
    detached::attach(tree.as_fd(), &place)?;
    match grant.access {
        GrantAccess::Root => Ok(()),
        GrantAccess::Write => restrict(&place, MountFlags::empty()),
        GrantAccess::Read => restrict(&place, MountFlags::RDONLY),
    }
}

/// Makes everything that is mounted below `root` read-only.
pub fn read_only(root: &Path) -> std::io::Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    for line in mounts.lines() {
        // proc(5): the fifth field, in which blanks and the like are octal.
        let field = line.split(' ').nth(4).unwrap_or_default();
        let place = PathBuf::from(unescaped(field));
        if place.starts_with(root) && place != root {
            // One that another covers cannot be reached, by nobody.
            let _ = restrict(&place, MountFlags::RDONLY);
        }
    }
    Ok(())
}

/// A path of /proc/self/mountinfo: `\040` is a blank.
fn unescaped(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        match (code, part.get(3..)) {
            (Some(code), Some(rest)) => {
                text.push(char::from(code));
                text.push_str(rest);
            }
            _ => text.push_str(part),
        }
    }
    text
}

/// Copies of the host's devices that hold nothing.
pub struct Devices(Vec<(PathBuf, OwnedFd)>);

impl Devices {
    pub fn copy() -> Self {
        let devices = DEVICES.iter().map(|name| Path::new("/dev").join(name));
        let copies = devices.filter_map(|path| Some((path.clone(), detached::copy(&path).ok()?)));
        Devices(copies.collect())
    }

    /// Makes a /dev of them over the folder `dev`.
    pub fn put(&self, dev: &Path) -> std::io::Result<()> {
        tmpfs(dev, &own())?;
        for (path, tree) in &self.0 {
            let place = dev.join(path.file_name().unwrap_or_default());
            fs::File::create(&place)?;
            detached::attach(tree.as_fd(), &place)?;
        }
        // What bootstrap tools want to see; this host's own console is no part of a build.
        let console = dev.join("console");
        fs::File::create(&console)?;
        rustix::mount::mount_bind(dev.join("null"), &console)?;
        make_dir(&dev.join("shm"), 0o1777)?;
        make_dir(&dev.join("pts"), 0o755)?;
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        let options = Some(c"newinstance,ptmxmode=0666,mode=0620");
        rustix::mount::mount("devpts", dev.join("pts"), "devpts", flags, options)?;
        for (name, target) in [
            ("ptmx", "pts/ptmx"),
            ("fd", "/proc/self/fd"),
            ("stdin", "fd/0"),
            ("stdout", "fd/1"),
            ("stderr", "fd/2"),
        ] {
            symlink(target, dev.join(name))?;
        }
        Ok(())
    }
}

/// The host's /sys without what is mounted in it, which is for the host's own tools. A user
/// namespace may take it only whole.
pub fn copy_of_sys() -> std::io::Result<OwnedFd> {
    let path = Path::new("/sys");
    match in_namespace() {
        true => detached::copy_all(path),
        false => detached::copy(path),
    }
}

/// Options of a file system that belongs to the root of the namespace.
fn own() -> String {
    let first = first();
    format!("mode=0755,uid={first},gid={first}")
}

pub fn tmpfs(place: &Path, options: &str) -> std::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let options = std::ffi::CString::new(options)?;
    Ok(rustix::mount::mount(
        "tmpfs",
        place,
        "tmpfs",
        flags,
        Some(options.as_c_str()),
    )?)
}

/// Takes set-uid programs and devices from a mount, and what `more` says. What it is without
/// already it stays without: a user namespace may not give that back.
pub fn restrict(place: &Path, more: MountFlags) -> std::io::Result<()> {
    let mut flags = MountFlags::BIND | MountFlags::NOSUID | MountFlags::NODEV | more;
    let is = rustix::fs::statvfs(place)?.f_flag;
    for (is_so, flag) in [
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
    ] {
        if is.contains(is_so) {
            flags |= flag;
        }
    }
    Ok(rustix::mount::mount_remount(place, flags, "")?)
}

/// A path of the host, below the new root.
fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// A folder that belongs to the root of the namespace, whatever the umask is.
fn make_dir(path: &Path, mode: u32) -> std::io::Result<()> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    fs::create_dir(path)?;
    chown(path, Some(first()), Some(first()))?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn make_parents(root: &Path, path: &Path) -> std::io::Result<()> {
    let above: Vec<&Path> = path
        .ancestors()
        .skip(1)
        .take_while(|path| *path != root)
        .collect();
    above
        .into_iter()
        .rev()
        .try_for_each(|path| make_dir(path, 0o755))
}
