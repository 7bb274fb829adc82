//! Users and groups by name, as the root itself knows them.

use std::path::Path;

use rustix::fs::{Gid, Uid};

use super::error::Error;
use super::tree::{Tree, failed_to};

/// A user, as the root's passwd(5) and group(5) know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
    /// All groups, `gid` first.
    pub groups: Vec<u32>,
    pub home: String,
}

impl Account {
    /// The user `name`, or of that number, of a root.
    ///
    /// # Errors
    /// When the root knows no user of that name, or its tables cannot be read.
    pub fn find(root: &Path, name: &str) -> Result<Account, Error> {
        let tree = Tree::open(root)?;
        let uid = user(&tree, name)?.as_raw();
        let users = table(&tree, "/etc/passwd")?;
        let fields = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>());
        let mut account = Account {
            uid,
            gid: uid,
            groups: vec![uid],
            home: if uid == 0 { "/root" } else { "/" }.to_owned(),
        };
        let number = uid.to_string();
        let Some(own) = fields
            .into_iter()
            .find(|fields| fields.get(2) == Some(&number.as_str()))
        else {
            return Ok(account);
        };
        if let Some(gid) = own.get(3).and_then(|gid| gid.parse().ok()) {
            account.gid = gid;
        }
        if let Some(home) = own.get(5).filter(|home| !home.is_empty()) {
            account.home = (*home).to_owned();
        }
        let groups = table(&tree, "/etc/group")?;
        let others = groups.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let members = fields.get(3)?;
            let is_member = members
                .split(',')
                .any(|member| Some(&member) == own.first());
            fields.get(2)?.parse().ok().filter(|_| is_member)
        });
        account.groups = std::iter::once(account.gid).chain(others).collect();
        Ok(account)
    }
}

/// The number of a user of the root's passwd(5); a number is taken as it is.
pub fn user(tree: &Tree, name: &str) -> Result<Uid, Error> {
    number(tree, "user", "/etc/passwd", name).map(Uid::from_raw)
}

/// The number of a group of the root's group(5); a number is taken as it is.
pub fn group(tree: &Tree, name: &str) -> Result<Gid, Error> {
    number(tree, "group", "/etc/group", name).map(Gid::from_raw)
}

fn table(tree: &Tree, file: &str) -> Result<String, Error> {
    let content = tree
        .read(Path::new(file))
        .map_err(|error| failed_to("read", Path::new(file), error))?;
    Ok(String::from_utf8_lossy(&content.unwrap_or_default()).into_owned())
}

fn number(tree: &Tree, kind: &'static str, file: &str, name: &str) -> Result<u32, Error> {
    // The largest number means "leave it as it is" to chown(2).
    if let Some(number) = name.parse().ok().filter(|&number| number != u32::MAX) {
        return Ok(number);
    }
    let content = table(tree, file)?;
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
