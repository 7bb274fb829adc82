//! The user namespace of what builds run: root inside, nobody in particular outside.
//!
//! Files keep their owners on disk: a layer's folder is mounted with the namespace's map
//! (mount_setattr(2), `MOUNT_ATTR_IDMAP`), so that what belongs to 0 on disk belongs to the
//! namespace's root where it is mounted. Where the build is rootless, its own root is nobody in
//! particular already, and the namespace has the same IDs.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use fs_err as fs;
use rustix::process::{Gid, Uid};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use super::namespace::{self, unshare};
use super::{Error, detached};
use crate::store::owners::in_namespace;

/// The host's ID of the namespace's root: the first of those that systemd leaves to containers
/// (<https://systemd.io/UIDS-GIDS>).
const FIRST: u32 = 524_288;
/// As many IDs as there are of 16 bits, `nobody` included.
pub const COUNT: u32 = 65_536;

/// The ID of the namespace's root, as its parent has it.
pub fn first() -> u32 {
    match in_namespace() {
        true => 0,
        false => FIRST,
    }
}

/// What this program calls itself while it holds a new namespace.
const HOLDER: &str = "rootwright-user-namespace";

/// A user namespace, for as long as this is not dropped.
#[derive(Debug)]
pub struct UserNamespace {
    /// Its processes are in this one.
    own: fs::File,
    /// For mounts: behind the IDs of the namespace, root's own stands for one that no root has.
    /// systemd-nspawn makes what it mounts on as root, and then hands it over. `None` where its
    /// IDs are those on disk.
    mounts: Option<fs::File>,
}

static CURRENT: Mutex<Option<Arc<UserNamespace>>> = Mutex::new(None);

/// The namespace of this build's commands, made when it is first asked for; `None` where they
/// run unconfined.
///
/// # Errors
/// When the kernel makes none.
pub fn current() -> Result<Option<Arc<UserNamespace>>, Error> {
    if !namespace::is_confined() {
        return Ok(None);
    }
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if current.is_none() {
        let made = UserNamespace::new().map_err(|source| Error::Confinement {
            what: "make a user namespace".to_owned(),
            source,
        })?;
        *current = Some(Arc::new(made));
    }
    Ok(current.clone())
}

impl UserNamespace {
    fn new() -> std::io::Result<Self> {
        let map = format!("0 {} {COUNT}\n", first());
        let mounts = match in_namespace() {
            true => None,
            false => Some(mapped(&format!("{map}{COUNT} 0 1\n"))?),
        };
        Ok(UserNamespace {
            own: mapped(&map)?,
            mounts,
        })
    }

    /// The one to enter.
    pub fn own(&self) -> &fs::File {
        &self.own
    }

    /// Whether its IDs are others than those on disk.
    pub fn shifts(&self) -> bool {
        self.mounts.is_some()
    }

    /// What is at `source`, seen through the namespace's map: a mount that is nowhere yet.
    ///
    /// # Errors
    /// When the kernel, or the file system, has no mapped mounts.
    pub fn mapped(&self, source: &Path) -> std::io::Result<OwnedFd> {
        let tree = detached::copy(source)?;
        if let Some(mounts) = &self.mounts {
            detached::map_owners(&tree, mounts.file())?;
        }
        Ok(tree)
    }
}

/// Makes this process, which has a single thread, root of a namespace.
///
/// # Errors
/// When the kernel refuses.
pub fn enter(namespace: &fs::File) -> std::io::Result<()> {
    let kind = Some(LinkNameSpaceType::User);
    rustix::thread::move_into_link_name_space(namespace.file().as_fd(), kind)?;
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    Ok(())
}

/// A new namespace with this map.
fn mapped(map: &str) -> std::io::Result<fs::File> {
    let holder = Holder::start()?;
    let process = Path::new("/proc").join(holder.id().to_string());
    for file in ["uid_map", "gid_map"] {
        fs::write(process.join(file), map)?;
    }
    holder.namespace()
}

/// A process that only holds a new user namespace, which has no map yet; it ends when this is
/// dropped.
pub struct Holder(Child);

impl Holder {
    /// # Errors
    /// When the kernel makes no user namespace.
    pub fn start() -> std::io::Result<Self> {
        let child = Command::new("/proc/self/exe")
            .arg0(HOLDER)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut holder = Holder(child);
        let said = holder.0.stdout.take();
        let mut first = String::new();
        BufReader::new(said.ok_or(std::io::ErrorKind::BrokenPipe)?).read_line(&mut first)?;
        match first.trim_end().parse() {
            Ok(number) => Err(std::io::Error::from_raw_os_error(number)),
            Err(_) => Ok(holder),
        }
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// # Errors
    /// When it cannot be opened.
    pub fn namespace(&self) -> std::io::Result<fs::File> {
        fs::File::open(
            Path::new("/proc")
                .join(self.id().to_string())
                .join("ns/user"),
        )
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Holds a namespace, if this process was started for that.
pub fn holder() -> Option<ExitCode> {
    if std::env::args_os().next().is_none_or(|name| name != HOLDER) {
        return None;
    }
    match unshare(UnshareFlags::NEWUSER) {
        Ok(()) => println!(),
        // errno(3)
        Err(error) => println!("{}", error.raw_os_error()),
    }
    // Until the namespace was opened.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    Some(ExitCode::SUCCESS)
}
