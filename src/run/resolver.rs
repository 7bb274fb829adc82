//! The host's name resolution inside of a root, for as long as a command runs.
//!
//! It is a file in the place of the root's own, and not a mount over it: over a directory
//! no file can be mounted, and what is mounted on cannot be renamed or removed, which is
//! what a package does that brings a resolver of its own.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use fs_err as fs;

use super::Error;

const NAME: &str = "resolv.conf";

/// The name of the image's own while the command runs.
const ASIDE: &str = ".resolv.conf.rootwright";

/// What the host's resolv.conf held when the build began; where it is a link into /run,
/// the tmpfs for systemd-nspawn may hide it after.
static HOST: OnceLock<Option<Vec<u8>>> = OnceLock::new();

fn host() -> Option<&'static [u8]> {
    HOST.get_or_init(|| std::fs::read("/etc/resolv.conf").ok())
        .as_deref()
}

/// Reads the host's resolv.conf before anything is mounted.
pub fn remember() {
    let _ = host();
}

/// Where the host's file is and what it holds, if /etc has only a link to it.
pub fn outside_etc() -> Option<(PathBuf, String)> {
    let place = fs::canonicalize("/etc").ok()?.join(NAME);
    let target = fs::read_link(&place).ok()?;
    // Not to be looked up: what it leads to may be hidden by now.
    let mut path = PathBuf::from("/etc");
    for part in target.components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::RootDir => path = PathBuf::from("/"),
            part => path.push(part),
        }
    }
    let content = String::from_utf8_lossy(host()?).into_owned();
    (!path.starts_with("/etc")).then_some((path, content))
}

/// A root that has the host's DNS, until this is dropped. [`Resolver::restore`] says
/// whether that worked.
#[must_use]
pub struct Resolver {
    /// The root's /etc, as the host sees it.
    etc: PathBuf,
    /// The same folder of the layer on top, where the file is.
    upper: PathBuf,
    /// The file that was put there, of that layer: it stays while the root is mounted again, and
    /// while it is open, no other gets its inode.
    ours: std::fs::File,
    /// Whether the image has one of its own, put aside.
    aside: bool,
    /// Until it is restored.
    lent: bool,
}

impl Resolver {
    /// Puts a copy of the host's file in the place of `/etc/resolv.conf`, whatever that is:
    /// a file, a link that may lead nowhere, a directory, or nothing.
    ///
    /// `upper` is the tree of the root's layer on top. `None` where the host has no name
    /// resolution, or the root no /etc.
    ///
    /// # Errors
    /// When the root's /etc cannot be found inside of it, or not be written to.
    pub fn lend(root: &Path, upper: &Path) -> Result<Option<Self>, Error> {
        let Some(content) = host() else {
            return Ok(None);
        };
        let inside = pathrs::Root::open(root).map_err(Error::resolver)?;
        let Ok(etc) = inside.resolve("/etc") else {
            return Ok(None);
        };
        let etc = handle_path(&etc).map_err(Error::resolver)?;
        if !etc.is_dir() {
            return Ok(None);
        }
        let inside = etc.strip_prefix(root).map_err(Error::resolver)?;
        let upper = upper.join(inside);
        put(etc, upper, content).map(Some).map_err(Error::resolver)
    }

    /// Puts the image's own back, byte for byte. Where the command has replaced or removed
    /// `/etc/resolv.conf`, what it left is the image's own from now on; where it has only
    /// written into the lent file, that is not kept.
    ///
    /// # Errors
    /// When /etc cannot be written to.
    pub fn restore(&mut self) -> Result<(), Error> {
        match std::mem::take(&mut self.lent) {
            true => self.put_back().map_err(Error::resolver),
            false => Ok(()),
        }
    }

    fn put_back(&self) -> std::io::Result<()> {
        let (place, aside) = (self.etc.join(NAME), self.etc.join(ASIDE));
        // A package may have moved "the image's file" to a name of its own.
        let lent = match self.is_ours(NAME.as_ref()) {
            true => Some(place),
            false => self.moved()?,
        };
        match (lent, self.aside) {
            (Some(lent), true) => {
                fs::remove_file(&lent)?;
                fs::rename(&aside, &lent)
            }
            (Some(lent), false) => fs::remove_file(&lent),
            (None, true) if fs::symlink_metadata(&aside)?.is_dir() => fs::remove_dir_all(&aside),
            (None, true) => fs::remove_file(&aside),
            (None, false) => Ok(()),
        }
    }

    fn is_ours(&self, name: &OsStr) -> bool {
        let same = || {
            let found = std::fs::symlink_metadata(self.upper.join(name))?;
            let ours = self.ours.metadata()?;
            std::io::Result::Ok((found.dev(), found.ino()) == (ours.dev(), ours.ino()))
        };
        same().unwrap_or(false)
    }

    fn moved(&self) -> std::io::Result<Option<PathBuf>> {
        for entry in fs::read_dir(&self.etc)? {
            let entry = entry?;
            if self.is_ours(&entry.file_name()) {
                return Ok(Some(entry.path()));
            }
        }
        Ok(None)
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        if let Err(error) = self.restore() {
            tracing::warn!("{error}");
        }
    }
}

fn put(etc: PathBuf, upper: PathBuf, content: &[u8]) -> std::io::Result<Resolver> {
    let (place, aside) = (etc.join(NAME), etc.join(ASIDE));
    let own = fs::symlink_metadata(&place).is_ok();
    if own {
        fs::rename(&place, &aside)?;
    }
    let written = write(&place, content).and_then(|()| std::fs::File::open(upper.join(NAME)));
    if written.is_err() && own {
        let _ = fs::remove_file(&place);
        fs::rename(&aside, &place)?;
    }
    Ok(Resolver {
        ours: written?,
        etc,
        upper,
        aside: own,
        lent: true,
    })
}

/// Makes the file, readable for all whatever the umask is.
fn write(place: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o644);
    let mut file = options.open(place)?;
    std::io::Write::write_all(&mut file, content)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// Where an open file of a root is, as the host sees it.
pub fn handle_path(handle: &pathrs::Handle) -> std::io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd()))
}
