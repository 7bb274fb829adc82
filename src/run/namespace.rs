//! A private mount namespace and a PID namespace of its own, so that nothing of a build
//! outlives it, whatever ends it.
//!
//! The process that the user started unshares both, starts itself anew as PID 1 of the
//! new PID namespace, and from then on only forwards signals and waits. When either of
//! the two dies, the kernel ends the other, all that PID 1 started, and all mounts.

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use fs_err as fs;
use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;

use super::{Error, detached, ordinary_user};
use crate::store::owners::in_namespace;

/// Set for the inner process: the outer one's PID. Honoured by PID 1 only.
const MARKER: &str = "ROOTWRIGHT_OUTER_PID";

/// Set inside: how the programs of this build are held.
static INSIDE: OnceLock<Confinement> = OnceLock::new();

/// What the programs of a build may do to the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confinement {
    /// They are root in a user namespace only.
    #[default]
    Confined,
    /// They are root on the host.
    Unconfined,
}

/// Where temporary files are kept inside.
pub const TEMPORARY: &str = "/run/systemd/nspawn/tmp";

/// Which of the two processes this is.
pub enum BuildProcess {
    /// PID 1, in namespaces of its own.
    Inner,
    /// The outer process, after the inner one has ended: the status to exit with.
    Outer(i32),
}

/// Enters the namespaces; with `offline` a network namespace too, in which there is
/// nothing.
///
/// # Errors
/// When the kernel refuses a namespace or a mount.
pub fn enter(offline: bool, confinement: Confinement) -> Result<BuildProcess, Error> {
    match std::env::var(MARKER) {
        Ok(outer) if std::process::id() == 1 => {
            inside(&outer, confinement).map(|()| BuildProcess::Inner)
        }
        _ => outside(offline).map(BuildProcess::Outer),
    }
}

fn outside(offline: bool) -> Result<i32, Error> {
    let mut signals = super::interrupt::termination_signals()?;
    // The thread comes first: in a process whose children get another PID namespace, no
    // further thread can start.
    let (started, inner) = std::sync::mpsc::channel::<Pid>();
    std::thread::spawn(move || {
        let Ok(inner) = inner.recv() else { return };
        for signal in signals.forever() {
            if let Some(signal) = Signal::from_named_raw(signal) {
                // It may be gone already.
                let _ = rustix::process::kill_process(inner, signal);
            }
        }
    });
    let mut flags = UnshareFlags::NEWNS | UnshareFlags::NEWPID;
    if offline {
        flags |= UnshareFlags::NEWNET;
    }
    unshare(flags).map_err(Error::namespace("make a mount and a PID namespace"))?;
    let mut child = Command::new("/proc/self/exe")
        .args(std::env::args_os().skip(1))
        .env(MARKER, std::process::id().to_string())
        .envs(ordinary_user::environment())
        .spawn()
        .map_err(Error::namespace("start the inner process"))?;
    let _ = started.send(Pid::from_child(&child));
    let status = child.wait();
    status
        .map(exit_code)
        .map_err(Error::namespace("wait for the inner process"))
}

/// As a shell reports it: 128 and the signal's number for a killed process.
pub fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Leaves namespaces for new ones; not for [`UnshareFlags::FILES`].
pub(super) fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    #[expect(
        deprecated,
        reason = "its successor is unsafe for UnshareFlags::FILES alone, which nobody asks for"
    )]
    rustix::thread::unshare(flags)
}

fn inside(outer: &str, confinement: Confinement) -> Result<(), Error> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(Error::namespace("tie this process to its parent"))?;
    // The outer process may have died before that line; /proc is still its namespace's.
    if !Path::new("/proc").join(outer).exists() {
        return Err(Error::Orphaned);
    }
    let private = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)
        .map_err(Error::namespace("make the mounts private"))?;
    // What containers copy of these mounts goes when the mount itself does: an overlay
    // whose layers are still in use elsewhere cannot be stood on.
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", shared)
        .map_err(Error::namespace("make the mounts private"))?;
    match in_namespace() {
        true => mount_proc_in_user_namespace(),
        false => mount_proc(),
    }
    .map_err(Error::namespace("mount /proc"))?;
    // systemd-nspawn keeps folders below /run/systemd/nspawn, and refuses to remove them
    // where /run is on a disk. A tmpfs over it, or over /run where there is none to
    // mount over, leaves the host's /run as it is.
    super::resolver::remember();
    let target = ["/run/systemd/nspawn", "/run/systemd", "/run"]
        .into_iter()
        .find(|path| Path::new(path).is_dir())
        .unwrap_or("/run");
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", target, "tmpfs", flags, Some(c"mode=0755"))
        .map_err(Error::namespace("mount a tmpfs for systemd-nspawn"))?;
    // Temporary files of this process and of the host's tools go with the namespace, too.
    if fs::create_dir_all(TEMPORARY).is_ok() {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
        let _ = fs::set_permissions(TEMPORARY, open);
        let _ = tempfile::env::override_temp_dir(Path::new(TEMPORARY));
    }
    let _ = INSIDE.set(confinement);
    super::interrupt::watch()
}

/// Mounts the /proc of this process's PID namespace.
///
/// # Errors
/// If the kernel refuses the mount.
pub fn mount_proc() -> rustix::io::Result<()> {
    mount_proc_alone()?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    // Which programs of other machines the kernel runs is read there; many hosts have none.
    let binfmt = "/proc/sys/fs/binfmt_misc";
    let _ = rustix::mount::mount("binfmt_misc", binfmt, "binfmt_misc", flags, None);
    Ok(())
}

/// The same in a user namespace, with the host's list of the programs of other machines that the
/// kernel runs: who mounts binfmt_misc in a user namespace gets an empty list.
///
/// # Errors
/// If the kernel refuses the mount.
pub fn mount_proc_in_user_namespace() -> rustix::io::Result<()> {
    let binfmt = Path::new("/proc/sys/fs/binfmt_misc");
    let listed = detached::copy(binfmt);
    mount_proc_alone()?;
    if let Ok(listed) = listed {
        // Without it there are none.
        let _ = detached::attach(listed.as_fd(), binfmt);
    }
    Ok(())
}

/// Mounts /proc, without what is mounted in it.
fn mount_proc_alone() -> rustix::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    rustix::mount::mount("proc", "/proc", "proc", flags, None)
}

/// Whether this process is PID 1 of the build's namespaces.
pub fn is_inside() -> bool {
    INSIDE.get().is_some()
}

/// Whether programs of this build are held in a user namespace.
pub fn is_confined() -> bool {
    INSIDE.get() == Some(&Confinement::Confined)
}
