//! Users and groups by name, as the root itself knows them.

use std::path::Path;

use rustix::fs::{Gid, Uid};

use super::error::Error;
use super::tree::{Tree, failed_to};

/// The number of a user of the root's passwd(5); a number is taken as it is.
pub fn user(tree: &Tree, name: &str) -> Result<Uid, Error> {
    number(tree, "user", "/etc/passwd", name).map(Uid::from_raw)
}

/// The number of a group of the root's group(5); a number is taken as it is.
pub fn group(tree: &Tree, name: &str) -> Result<Gid, Error> {
    number(tree, "group", "/etc/group", name).map(Gid::from_raw)
}

fn number(tree: &Tree, kind: &'static str, file: &str, name: &str) -> Result<u32, Error> {
    // The largest number means "leave it as it is" to chown(2).
    if let Some(number) = name.parse().ok().filter(|&number| number != u32::MAX) {
        return Ok(number);
    }
    let content = tree
        .read(Path::new(file))
        .map_err(|error| failed_to("read", Path::new(file), error))?
        .unwrap_or_default();
    let content = String::from_utf8_lossy(&content);
    let known = content.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((name, fields.nth(1)?.parse().ok()?))
    });
    // Root is 0 wherever Linux runs, also before the root has a passwd(5).
    let mut nearest: Option<(f64, &str)> = None;
    for (other, number) in known.chain([("root", 0)]) {
        if other == name {
            return Ok(number);
        }
        let likeness = strsim::jaro_winkler(other, name);
        if likeness > nearest.map_or(0.85, |(best, _)| best) {
            nearest = Some((likeness, other));
        }
    }
    Err(Error::Account {
        kind,
        name: name.to_owned(),
        nearest: nearest.map(|(_, name)| name.to_owned()),
    })
}
