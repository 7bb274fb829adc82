//! The first process: makes the view and the namespaces, and waits for the init.

use std::ffi::OsString;
use std::io::{Read, Seek};
use std::os::fd::RawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fs_err as fs;
use rustix::thread::UnshareFlags;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::spec::{Held, InitSpec, Outcome, Place, Spec};
use super::{init, view};
use crate::run::namespace::{self, unshare};
use crate::run::{loopback, user_namespace};

/// What this program calls itself then.
pub const NAME: &str = "rootwright-sandbox";

/// Its arguments are the specification and the program's command line.
pub fn run() -> ExitCode {
    if close_inherited().is_err() {
        return ExitCode::FAILURE;
    }
    let mut arguments = std::env::args_os().skip(1);
    let spec = arguments.next().unwrap_or_default();
    let Ok(spec) = serde_json::from_slice::<Spec>(spec.as_encoded_bytes()) else {
        return ExitCode::FAILURE;
    };
    // Opened before it is out of sight.
    let Ok(mut outcome) = fs::File::options().write(true).open(&spec.outcome) else {
        return ExitCode::FAILURE;
    };
    let said = run_init(&spec, arguments.collect());
    let said = said.unwrap_or_else(|error| Outcome::NotHeld(error.to_string()));
    said.write(&mut outcome)
}

/// Closes all descriptors but input and outputs: the caller's. With a folder among them, a program
/// would see all of the host.
fn close_inherited() -> std::io::Result<()> {
    let names = fs::read_dir("/proc/self/fd")?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<std::io::Result<Vec<_>>>()?;
    let numbers = names
        .iter()
        .filter_map(|name| name.to_str()?.parse::<RawFd>().ok());
    for number in numbers.filter(|number| *number > 2) {
        // That of the listing itself is closed by now.
        let _ = nix::unistd::close(number);
    }
    Ok(())
}

/// What the init says of the program.
fn run_init(spec: &Spec, argv: Vec<OsString>) -> std::io::Result<Outcome> {
    // Who asks a whole build to end asks the program itself, too: this process waits for it.
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let (folder, init) = match &spec.place {
        Place::Held(held) => {
            hold(held)?;
            (Path::new("/run"), InitSpec::Held)
        }
        Place::Free => {
            unshare(UnshareFlags::NEWNS | UnshareFlags::NEWPID)?;
            (Path::new(namespace::TEMPORARY), InitSpec::Free)
        }
        Place::Container(container, ids) => {
            let mut own = UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
            if !container.network {
                own |= UnshareFlags::NEWNET;
            }
            unshare(UnshareFlags::NEWNS | own)?;
            if !container.network {
                loopback::up().map_err(std::io::Error::other)?;
            }
            let init = InitSpec::Container(container.clone(), ids.clone());
            (Path::new(namespace::TEMPORARY), init)
        }
    };
    // The init opens it and takes the name away before the program starts.
    let report = tempfile::NamedTempFile::new_in(folder)?;
    let status = Command::new("/proc/self/exe")
        .arg0(init::NAME)
        .arg(report.path())
        .arg(serde_json::to_string(&init)?)
        .args(argv)
        .spawn()?
        .wait()?;
    let mut said = Vec::new();
    let (mut file, _path) = report.into_parts();
    file.rewind()?;
    file.read_to_end(&mut said)?;
    // It says nothing when it was killed with all others.
    let killed = |_| Outcome::Ended {
        status: status.into_raw(),
        left: Vec::new(),
    };
    Ok(serde_json::from_slice(&said).unwrap_or_else(killed))
}

/// Leaves this host for the view, and root for the root of the user namespace.
fn hold(held: &Held) -> std::io::Result<()> {
    let ids = fs::File::open(&held.ids)?;
    unshare(UnshareFlags::NEWNS)?;
    view::enter(held, ids.file())?;
    user_namespace::enter(&ids)?;
    // These belong to the user namespace: in them nothing of the view can be unmounted.
    let own = UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    unshare(UnshareFlags::NEWNS | own)?;
    std::env::set_current_dir(&held.dir)
}
