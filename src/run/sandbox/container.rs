//! A root as systemd-nspawn would have it, for those who may not start that: the same folders are
//! there and the same things mounted in it, and the program finds the same variables.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use fs_err as fs;
use pathrs::flags::OpenFlags;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{Gid, Uid};

use super::spec::Container;
use super::view::{self, Devices};
use crate::plan::Bind;
use crate::run::files::Account;
use crate::run::namespace::{self, TEMPORARY};
use crate::run::own_thread::in_own_thread;
use crate::run::process::PATH;
use crate::run::resolver::handle_path;
use crate::run::{detached, user_namespace};

/// Folders that systemd-nspawn makes where a root lacks them (`base_filesystem_create`, systemd's
/// src/shared/base-filesystem.c), and their modes.
const FOLDERS: &[(&str, u32)] = &[
    ("usr", 0o755),
    ("var", 0o755),
    ("etc", 0o755),
    ("root", 0o750),
    ("proc", 0o755),
    ("sys", 0o755),
    ("dev", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
];

/// Links that it makes where `/usr` has their targets.
const LINKS: &[(&str, &str)] = &[("bin", "usr/bin"), ("lib", "usr/lib"), ("sbin", "usr/sbin")];

/// The name of the machine.
const HOSTNAME: &str = "rootwright";

/// Variables that every program in a root has; `container` is that of systemd-nspawn, for those who
/// look at it.
const VARIABLES: &[(&str, &str)] = &[
    ("PATH", PATH),
    ("LANG", "C.UTF-8"),
    ("container", "systemd-nspawn"),
];

/// Who the program runs as.
pub struct User {
    name: String,
    account: Account,
}

/// Makes the container's root this process's own, which is the init of a PID namespace and has
/// private mounts, and leaves its user namespace for the one at `ids`.
///
/// # Errors
/// When something cannot be mounted, or the root does not know the user.
pub fn enter(container: &Container, ids: &Path) -> std::io::Result<User> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)?;
    // Before this /proc is out of sight.
    let ids = fs::File::open(ids)?;
    let root = detached::copy_all(&container.root)?;
    let binds = container.binds.iter();
    let binds = binds.map(|bind| Ok((bind, detached::copy_all(Path::new(&bind.host))?)));
    let binds = binds.collect::<std::io::Result<Vec<_>>>()?;
    let (devices, kernel) = (Devices::copy(), view::copy_of_sys()?);
    namespace::mount_proc_in_user_namespace()?;
    let processes = detached::copy_all(Path::new("/proc"))?;

    let top = Path::new(TEMPORARY);
    detached::attach(root.as_fd(), top)?;
    make_folders(top)?;
    let place = |path: &str| folder(top, path);
    detached::attach(processes.as_fd(), &place("/proc")?)?;
    let sys = place("/sys")?;
    detached::attach(kernel.as_fd(), &sys)?;
    view::restrict(&sys, MountFlags::RDONLY)?;
    view::read_only(&sys)?;
    devices.put(&place("/dev")?)?;
    view::tmpfs(&place("/run")?, "mode=0755")?;
    view::tmpfs(&place("/tmp")?, "mode=1777")?;
    for (bind, tree) in &binds {
        put(top, bind, tree)?;
    }
    let name = container.user.clone().unwrap_or_else(|| "root".to_owned());
    let account = Account::find(top, &name).map_err(std::io::Error::other)?;
    let mut user = User { name, account };
    if container.user.is_none() {
        // Nobody looks up what groups root is in.
        user.account.groups.clear();
    }
    user.make_home(top)?;

    view::pivot(top)?;
    rustix::system::sethostname(HOSTNAME.as_bytes())?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    user_namespace::enter(&ids)?;
    Ok(user)
}

/// Where a folder of the root is, without links; one that is missing is made.
fn folder(top: &Path, path: &str) -> std::io::Result<PathBuf> {
    let inside = open(top)?;
    let found = match inside.resolve(path) {
        Ok(found) => found,
        Err(_) => {
            let mode = PermissionsExt::from_mode(0o755);
            inside.mkdir_all(path, &mode).map_err(failed)?
        }
    };
    handle_path(&found)
}

/// Where a file of the root is; one that is missing is made, empty.
fn file(top: &Path, path: &str) -> std::io::Result<PathBuf> {
    let inside = open(top)?;
    if let Ok(found) = inside.resolve(path) {
        return handle_path(&found);
    }
    if let Some(parent) = Path::new(path).parent().and_then(Path::to_str) {
        folder(top, parent)?;
    }
    let flags = OpenFlags::O_CREAT | OpenFlags::O_WRONLY;
    let mode = PermissionsExt::from_mode(0o644);
    inside.create_file(path, flags, &mode).map_err(failed)?;
    handle_path(&inside.resolve(path).map_err(failed)?)
}

fn open(top: &Path) -> std::io::Result<pathrs::Root> {
    pathrs::Root::open(top).map_err(failed)
}

fn failed(error: pathrs::error::Error) -> std::io::Error {
    std::io::Error::other(error)
}

fn make_folders(top: &Path) -> std::io::Result<()> {
    for (name, target) in LINKS {
        let (place, there) = (top.join(name), top.join(target));
        if fs::symlink_metadata(&place).is_err() && fs::symlink_metadata(there).is_ok() {
            symlink(target, place)?;
        }
    }
    for (name, mode) in FOLDERS {
        let place = top.join(name);
        if fs::symlink_metadata(&place).is_err() {
            fs::create_dir(&place)?;
            fs::set_permissions(&place, PermissionsExt::from_mode(*mode))?;
        }
    }
    Ok(())
}

fn put(top: &Path, bind: &Bind, tree: &OwnedFd) -> std::io::Result<()> {
    let mode = rustix::fs::fstat(tree.as_fd())?.st_mode;
    let place = match rustix::fs::FileType::from_raw_mode(mode).is_dir() {
        true => folder(top, &bind.path)?,
        false => file(top, &bind.path)?,
    };
    detached::attach(tree.as_fd(), &place)?;
    let more = match bind.read_only {
        true => MountFlags::RDONLY,
        false => MountFlags::empty(),
    };
    view::restrict(&place, more)
}

impl User {
    /// As systemd-nspawn does it (`change_uid_gid`, its src/nspawn/nspawn-setuid.c).
    fn make_home(&self, top: &Path) -> std::io::Result<()> {
        let Account { home, uid, gid, .. } = &self.account;
        let is_there = |path: &str| open(top).map(|inside| inside.resolve(path).is_ok());
        if *uid == 0 || !home.starts_with('/') || is_there(home)? {
            return Ok(());
        }
        chown(folder(top, home)?, Some(*uid), Some(*gid))
    }

    /// Starts a program of the root as the user.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn spawn(&self, command: &mut Command, container: &Container) -> std::io::Result<Child> {
        command
            .env_clear()
            .envs(self.variables(container))
            .current_dir(container.cwd.as_deref().unwrap_or("/"));
        let Account {
            uid, gid, groups, ..
        } = &self.account;
        let started = || {
            let groups: Vec<Gid> = groups.iter().map(|group| Gid::from_raw(*group)).collect();
            let (uid, gid) = (Uid::from_raw(*uid), Gid::from_raw(*gid));
            rustix::thread::set_thread_groups(&groups)?;
            rustix::thread::set_thread_res_gid(gid, gid, gid)?;
            rustix::thread::set_thread_res_uid(uid, uid, uid)?;
            command.spawn()
        };
        in_own_thread(started)
    }

    fn variables(&self, container: &Container) -> BTreeMap<OsString, OsString> {
        let own = VARIABLES
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let mut variables: BTreeMap<OsString, OsString> = own.collect();
        for name in ["USER", "LOGNAME"] {
            variables.insert(name.into(), self.name.as_str().into());
        }
        variables.insert("HOME".into(), self.account.home.as_str().into());
        let given = container.env.iter();
        let given = given.filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
        variables.extend(given);
        variables
    }
}
