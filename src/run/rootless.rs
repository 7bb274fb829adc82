//! Builds of an ordinary user: this process becomes root of a user namespace.
//!
//! The namespace has the user's subordinate IDs (subuid(5)) as 0 to 65,535, and the user as the
//! next one: this process reads the user's own files, and what a build runs, in a namespace of
//! the subordinate IDs alone, does not. Files on disk belong to the subordinate IDs.

use std::path::Path;
use std::process::Command;

use fs_err as fs;

use super::ordinary_user;
use super::process::{PATH, find_program};
use super::user_namespace::{self, COUNT, Holder};
use crate::diagnose::Report;
use crate::store::owners::USER;

const PROGRAMS: [&str; 3] = ["newuidmap", "newgidmap", "getsubids"];

/// Settings that keep users from making user namespaces, the value that does, and the one that
/// doesn't. Sources: user_namespaces(7); for the others, docs/rootless.md.
const SWITCHES: &[(&str, &str, &str)] = &[
    ("user.max_user_namespaces", "0", "65536"),
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
];

/// Why this host lets an ordinary user build nothing.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    #[error("this host lacks `{program}`, which gives a user subordinate IDs")]
    Program { program: &'static str },
    #[error("the user has fewer than {COUNT} subordinate {kind} IDs in a row")]
    Range { kind: &'static str },
    #[error("the host's setting `{name}` keeps users from making user namespaces")]
    Switch {
        name: &'static str,
        cure: &'static str,
    },
    #[error("cannot make a user namespace: {0}")]
    Namespace(std::io::Error),
    #[error("`{program}` failed: {said}")]
    Map { program: &'static str, said: String },
}

impl Obstacle {
    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            Obstacle::Program { .. } => "install the package that has it",
            Obstacle::Range { .. } => "give the user such IDs, as root",
            Obstacle::Switch { .. } => "allow it, as root; a file in /etc/sysctl.d keeps it so",
            Obstacle::Namespace(_) | Obstacle::Map { .. } => {
                "a container that this runs in may forbid it: run it on the host"
            }
        }
    }

    /// The program that is missing, if one is.
    pub fn program(&self) -> Option<&'static str> {
        match self {
            Obstacle::Program { program } => Some(program),
            _ => None,
        }
    }

    /// The obstacle as a report.
    pub fn report(&self) -> Report {
        let report = Report::new("host::privileges", self.to_string()).help(self.help());
        self.cure().into_iter().fold(report, Report::next)
    }

    /// The command that cures it.
    pub fn cure(&self) -> Option<String> {
        match self {
            Obstacle::Range { .. } => {
                let user = rustix::process::getuid().as_raw();
                Some(format!(
                    "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \"$(id -un {user})\"    # a range that no other user has: see /etc/subuid"
                ))
            }
            Obstacle::Switch { name, cure } => Some(format!("sysctl {name}={cure}")),
            _ => None,
        }
    }
}

/// What keeps this user from building, as far as it can be seen beforehand.
pub fn obstacles() -> Vec<Obstacle> {
    let missing = PROGRAMS
        .into_iter()
        .filter(|name| find_program(name).is_none());
    let mut found: Vec<Obstacle> = missing
        .map(|program| Obstacle::Program { program })
        .collect();
    if found.is_empty() {
        let ranges = [range("user", &[]), range("group", &["-g"])];
        found.extend(ranges.into_iter().filter_map(Result::err));
    }
    found.extend(SWITCHES.iter().filter_map(|&(name, forbids, cure)| {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        let value = fs::read_to_string(path).ok()?;
        (value.trim() == forbids).then_some(Obstacle::Switch { name, cure })
    }));
    found
}

/// Makes this process, which has a single thread, root of a user namespace; [`obstacles`] says
/// beforehand what would be in the way.
///
/// # Errors
/// What is in the way.
pub fn become_root() -> Result<(), Obstacle> {
    let user = rustix::process::getuid().as_raw();
    let group = rustix::process::getgid().as_raw();
    let (first_user, first_group) = (range("user", &[])?, range("group", &["-g"])?);
    let holder = Holder::start().map_err(Obstacle::Namespace)?;
    for (program, first, own) in [
        ("newuidmap", first_user, user),
        ("newgidmap", first_group, group),
    ] {
        let pid = holder.id().to_string();
        let map = [0, first, COUNT, USER, own, 1].map(|number| number.to_string());
        said_by(program, std::iter::once(pid).chain(map))?;
    }
    let namespace = holder.namespace().map_err(Obstacle::Namespace)?;
    user_namespace::enter(&namespace).map_err(Obstacle::Namespace)?;
    ordinary_user::became_root();
    Ok(())
}

/// The first of the user's subordinate IDs: of the first range that is long enough.
fn range(kind: &'static str, flags: &[&str]) -> Result<u32, Obstacle> {
    let user = rustix::process::getuid().as_raw().to_string();
    let arguments = flags
        .iter()
        .map(|&flag| flag.to_owned())
        .chain([user_name(&user)]);
    // Of a user who has none it fails.
    let said = said_by("getsubids", arguments).unwrap_or_default();
    first_of(&said).ok_or(Obstacle::Range { kind })
}

/// Lines of getsubids(1): `0: user 100000 65536`.
fn first_of(said: &str) -> Option<u32> {
    said.lines().find_map(|line| {
        let mut fields = line.split_whitespace().rev();
        let count: u32 = fields.next()?.parse().ok()?;
        let first: u32 = fields.next()?.parse().ok()?;
        (count >= COUNT).then_some(first)
    })
}

/// The user's name, as id(1) knows it, else the number.
fn user_name(number: &str) -> String {
    let said = said_by("id", ["-un".to_owned()]).unwrap_or_default();
    match said.trim() {
        "" => number.to_owned(),
        name => name.to_owned(),
    }
}

fn said_by(
    program: &'static str,
    arguments: impl IntoIterator<Item = String>,
) -> Result<String, Obstacle> {
    let failed = |said: String| Obstacle::Map { program, said };
    let ended = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    match ended.status.success() {
        true => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
        false => Err(failed(
            String::from_utf8_lossy(&ended.stderr).trim().to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_range_that_is_long_enough_counts() {
        let said = "0: user 1000 10\n1: user 200000 65536\n2: user 300000 65536\n";
        assert_eq!(first_of(said), Some(200_000));
        assert_eq!(first_of("0: user 1000 65535\n"), None);
        assert_eq!(first_of(""), None);
    }
}
