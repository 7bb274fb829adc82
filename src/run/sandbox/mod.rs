//! A program of the host, held: in its own namespaces, with what it may see.
//!
//! This program starts itself twice on the way. The first process ([`enter`]) makes the view of
//! the file system and enters the user namespace; the second ([`init`]) is the init of the PID
//! namespace and starts the program. So the program isn't PID 1, its orphans are reaped, and
//! whatever it leaves running ends with it.

mod container;
mod enter;
mod init;
mod limits;
mod spec;
mod view;

use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::Arc;

use fs_err as fs;
pub use spec::{Container, Grant, GrantAccess};
use spec::{Held, Outcome, Place, Spec};

use super::user_namespace::{self, UserNamespace};

/// What is said of a program in a sandbox.
#[derive(Debug)]
pub struct Report {
    outcome: tempfile::NamedTempFile,
    /// Named in the specification.
    _ids: Option<Arc<UserNamespace>>,
}

/// How a program is to run.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// As root on the host.
    Free,
    /// If programs of this build are confined, it sees the host's own system read-only, and of
    /// everything else what these name.
    Held(&'a [Grant]),
    /// In a root.
    Container(&'a Container),
}

/// The command that runs `command` in a sandbox, where its process is the one that all others end
/// with.
///
/// # Errors
/// When there is no user namespace.
pub fn wrap(command: &Command, wanted: Wanted<'_>) -> std::io::Result<(Command, Report)> {
    let ids = match wanted {
        Wanted::Free => None,
        _ => user_namespace::current().map_err(std::io::Error::other)?,
    };
    let outcome = tempfile::NamedTempFile::new()?;
    let dir = command.get_current_dir().unwrap_or("/".as_ref());
    let place = match (wanted, &ids) {
        (Wanted::Free, _) | (Wanted::Held(_), None) => Place::Free,
        (Wanted::Held(grants), Some(ids)) => Place::Held(Held {
            ids: ids.path(),
            grants: grants.to_vec(),
            resolver: super::resolver::outside_etc(),
            dir: dir.to_owned(),
        }),
        (Wanted::Container(container), Some(ids)) => {
            Place::Container(container.clone(), ids.path())
        }
        (Wanted::Container(_), None) => return Err(std::io::ErrorKind::Unsupported.into()),
    };
    let spec = Spec {
        outcome: outcome.path().to_owned(),
        place,
    };
    let mut first = Command::new("/proc/self/exe");
    let env = command.get_envs();
    first
        .arg0(enter::NAME)
        .arg(serde_json::to_string(&spec)?)
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(env.filter_map(|(name, value)| Some((name, value?))))
        .current_dir(dir);
    Ok((first, Report { outcome, _ids: ids }))
}

impl Report {
    /// How the program ended, and the processes that it left, once the first process has ended
    /// with `status`.
    ///
    /// # Errors
    /// When it was not started.
    pub fn ended(&self, status: ExitStatus) -> std::io::Result<(ExitStatus, Vec<String>)> {
        let said = fs::read(self.outcome.path())?;
        let Ok(outcome) = serde_json::from_slice(&said) else {
            // It was killed on the way.
            return Ok((status, Vec::new()));
        };
        match outcome {
            Outcome::Ended { status, left } => Ok((ExitStatus::from_raw(status), left)),
            Outcome::NotStarted(Some(number), _) => Err(std::io::Error::from_raw_os_error(number)),
            Outcome::NotStarted(None, why) => Err(std::io::Error::other(why)),
            Outcome::NotHeld(why) => {
                let why = format!("cannot hold the program: {why}");
                Err(std::io::Error::other(why))
            }
        }
    }
}

/// Runs one of the two processes, if this is one of them.
pub fn process() -> Option<ExitCode> {
    let name = std::env::args_os().next()?;
    match name.to_str()? {
        enter::NAME => Some(enter::run()),
        init::NAME => Some(init::run()),
        _ => None,
    }
}

impl UserNamespace {
    /// Where other processes of the build find it.
    fn path(&self) -> PathBuf {
        let number = self.own().as_raw_fd();
        PathBuf::from(format!("/proc/{}/fd/{number}", std::process::id()))
    }
}
