//! The user namespace of what builds run: root inside, nobody in particular outside.
//!
//! Files keep their owners on disk: a layer's folder is mounted with the namespace's map
//! (mount_setattr(2), `MOUNT_ATTR_IDMAP`), so that what belongs to 0 on disk belongs to the
//! namespace's root where it is mounted.

use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use fs_err as fs;
use rustix::mount::OpenTreeFlags;
use rustix::thread::UnshareFlags;

use super::Error;
use super::namespace::{self, unshare};

/// The host's ID of the namespace's root: the first of those that systemd leaves to containers
/// (<https://systemd.io/UIDS-GIDS>).
pub const FIRST: u32 = 524_288;
/// As many IDs as there are of 16 bits, `nobody` included.
pub const COUNT: u32 = 65_536;

/// What this program calls itself while it holds a new namespace.
const HOLDER: &str = "rootwright-user-namespace";

/// A user namespace, for as long as this is not dropped.
#[derive(Debug)]
pub struct UserNamespace {
    /// Its processes are in this one.
    own: fs::File,
    /// For mounts: behind the IDs of the namespace, root's own stands for one that no root has.
    /// systemd-nspawn makes what it mounts on as root, and then hands it over.
    mounts: fs::File,
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
        let map = format!("0 {FIRST} {COUNT}\n");
        Ok(UserNamespace {
            mounts: mapped(&format!("{map}{COUNT} 0 1\n"))?,
            own: mapped(&map)?,
        })
    }

    /// The one to enter.
    pub fn own(&self) -> &fs::File {
        &self.own
    }

    /// What is at `source`, seen through the namespace's map: a mount that is nowhere yet.
    ///
    /// # Errors
    /// When the kernel, or the file system, has no mapped mounts.
    pub fn mapped(&self, source: &Path) -> std::io::Result<OwnedFd> {
        let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = rustix::mount::open_tree(rustix::fs::CWD, source, clone)?;
        composefs_ioctls::mount::mount_setattr_idmap(tree.as_fd(), self.mounts.file())?;
        Ok(tree)
    }
}

/// A new namespace with this map: a process that only holds it is started, mapped from outside,
/// and ended.
fn mapped(map: &str) -> std::io::Result<fs::File> {
    let mut holder = Command::new("/proc/self/exe")
        .arg0(HOLDER)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let made = map_from_outside(&mut holder, map);
    drop(holder.stdin.take());
    holder.wait()?;
    made
}

fn map_from_outside(holder: &mut Child, map: &str) -> std::io::Result<fs::File> {
    let said = holder.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    let mut first = String::new();
    BufReader::new(said).read_line(&mut first)?;
    if let Ok(number) = first.trim_end().parse() {
        return Err(std::io::Error::from_raw_os_error(number));
    }
    let process = Path::new("/proc").join(holder.id().to_string());
    for file in ["uid_map", "gid_map"] {
        fs::write(process.join(file), map)?;
    }
    fs::File::open(process.join("ns/user"))
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
