//! The first process: makes the view and the namespaces, and waits for the init.

use std::ffi::OsString;
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fs_err as fs;
use rustix::process::{Gid, Uid};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::super::namespace::unshare;
use super::spec::{Held, Outcome, Spec};
use super::{init, view};

/// What this program calls itself then.
pub const NAME: &str = "rootwright-sandbox";

/// Its arguments are the specification and the program's command line.
pub fn run() -> ExitCode {
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
    let said = said.or_else(|error| serde_json::to_vec(&Outcome::NotHeld(error.to_string())));
    match said.map(|said| outcome.write_all(&said)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// What the init says of the program.
fn run_init(spec: &Spec, argv: Vec<OsString>) -> std::io::Result<Vec<u8>> {
    // Who asks a whole build to end asks the program itself, too: this process waits for it.
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let folder = match &spec.held {
        Some(held) => {
            hold(held)?;
            Path::new("/run")
        }
        None => {
            unshare(UnshareFlags::NEWNS | UnshareFlags::NEWPID)?;
            Path::new(super::super::namespace::TEMPORARY)
        }
    };
    // The init opens it and takes the name away before the program starts.
    let report = tempfile::NamedTempFile::new_in(folder)?;
    let limited = if spec.held.is_some() { "held" } else { "free" };
    let status = Command::new("/proc/self/exe")
        .arg0(init::NAME)
        .arg(report.path())
        .arg(limited)
        .args(argv)
        .spawn()?
        .wait()?;
    let mut said = Vec::new();
    let (mut file, _path) = report.into_parts();
    file.rewind()?;
    file.read_to_end(&mut said)?;
    if said.is_empty() {
        // It was killed with all others.
        said = serde_json::to_vec(&Outcome::Ended {
            status: status.into_raw(),
            left: Vec::new(),
        })?;
    }
    Ok(said)
}

/// Leaves this host for the view, and root for the root of the user namespace.
fn hold(held: &Held) -> std::io::Result<()> {
    let ids = fs::File::open(&held.ids)?;
    unshare(UnshareFlags::NEWNS)?;
    view::enter(held, ids.file())?;
    let kind = Some(LinkNameSpaceType::User);
    rustix::thread::move_into_link_name_space(ids.file().as_fd(), kind)?;
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
    // These belong to the user namespace: in them nothing of the view can be unmounted.
    let own = UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    unshare(UnshareFlags::NEWNS | own)?;
    std::env::set_current_dir(&held.dir)
}
