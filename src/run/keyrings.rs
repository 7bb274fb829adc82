//! Keyrings: made of exactly the keys that the plan names, wherever these are found, and put
//! where commands of the host look for them.
//!
//! `gpg` reads and writes the files. A key is taken by its fingerprint alone, so it does not
//! matter who hands it over.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;

use super::Files;
use super::process::{Captured, Process};
use crate::diagnose::Report;
use crate::plan::{KEYRINGS, KeyFile, Keyring, Plan, command};
use crate::store::Store;

/// How long keys that no file of the host has are used before they are fetched again: an
/// archive's key gets a later end, and the old copy of it does not know.
const FETCHED_FOR: Duration = Duration::from_secs(7 * 86_400);
/// Bytes of a file that is looked at for keys.
const LARGEST: u64 = 32 << 20;
/// Bytes of what a program prints: gpg prints keys.
const MOST_OUTPUT: usize = 64 << 20;

/// Its last word is the folder.
const GPG: &str =
    "gpg --batch --no-tty --quiet --no-options --no-autostart --trust-model always --homedir";

/// Makes a keyring, unless it is in place.
///
/// # Errors
/// A report with the place of the call that asks for it: keys that are found nowhere.
pub fn ensure(keyring: &Keyring, plan: &Plan, files: &Files, store: &Store) -> Result<(), Report> {
    let place = PathBuf::from(keyring.path());
    if place.exists() {
        return Ok(());
    }
    let failed = |error: std::io::Error| {
        let message = format!("the keyring of {} cannot be made: {error}", keyring.about);
        Report::new("keyring::io", message).trace(keyring.calls.clone())
    };
    fs::create_dir_all(KEYRINGS).map_err(failed)?;
    let kept = store.root().join("keyrings");
    let made = kept.join(&keyring.name);
    let mut making = Making::new(keyring, plan, files).map_err(failed)?;
    making.look_in_files().map_err(failed)?;
    if !making.is_complete() && !keyring.fetch.is_empty() {
        // What was fetched before is as good as what would be fetched now.
        let before = fs::metadata(&made).and_then(|metadata| metadata.modified());
        let old = |time: std::time::SystemTime| time.elapsed().is_ok_and(|age| age > FETCHED_FOR);
        let fresh = before.as_ref().is_ok_and(|time| !old(*time));
        if !fresh {
            making.fetch().map_err(failed)?;
        }
        if !making.is_complete() && before.is_ok() {
            let shown = format!("`{}`", made.display());
            making.import(&made, &shown).map_err(failed)?;
        }
    }
    if !making.is_complete() {
        return Err(making.report());
    }
    let bytes = making.export().map_err(failed)?;
    if fs::read(&made).ok().as_ref() != Some(&bytes) {
        put(&made, &bytes).map_err(failed)?;
    }
    put(&place, &bytes).map_err(failed)
}

/// A file, whole whenever it is there.
fn put(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut draft = tempfile::NamedTempFile::new_in(folder)?;
    draft.write_all(bytes)?;
    // Tools that read it may have given up their privileges.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(draft.path(), readable)?;
    draft.persist(path)?;
    Ok(())
}

/// One keyring while its keys are collected.
struct Making<'a> {
    keyring: &'a Keyring,
    /// The files that may hold them, and how people know each.
    files: Vec<(PathBuf, String)>,
    /// The folders of the host that packages are installed from.
    sources: Vec<PathBuf>,
    /// The home of gpg, with what was imported.
    home: tempfile::TempDir,
    /// Fingerprints of primary keys that are there, with who they say they are.
    found: BTreeMap<String, String>,
    /// What was looked at, and what came of it.
    seen: Vec<String>,
}

impl<'a> Making<'a> {
    fn new(keyring: &'a Keyring, plan: &Plan, files: &Files) -> std::io::Result<Self> {
        let place = |file: &KeyFile| match file {
            KeyFile::Host(path) => Some((PathBuf::from(path), path.clone())),
            KeyFile::File(digest) => {
                Some((files.path(plan, digest)?, plan.file(digest)?.name.clone()))
            }
        };
        Ok(Making {
            keyring,
            files: keyring.files.iter().filter_map(place).collect(),
            sources: {
                let roots = plan.roots.iter();
                let sources = roots.flat_map(|root| &root.package_sources);
                sources.map(PathBuf::from).collect()
            },
            // Only its owner may enter it, as gpg wants it.
            home: tempfile::tempdir()?,
            found: BTreeMap::new(),
            seen: Vec::new(),
        })
    }

    fn lacks(&self) -> Vec<&str> {
        let wanted = self.keyring.fingerprints.iter();
        let lacks = wanted.filter(|wanted| !self.found.contains_key(*wanted));
        lacks.map(String::as_str).collect()
    }

    fn is_complete(&self) -> bool {
        !self.found.is_empty() && self.lacks().is_empty()
    }

    fn look_in_files(&mut self) -> std::io::Result<()> {
        for (file, name) in std::mem::take(&mut self.files) {
            if self.is_complete() {
                break;
            }
            self.import(&file, &format!("`{name}`"))?;
        }
        Ok(())
    }

    /// Runs the commands that fetch, until the keys are there.
    fn fetch(&mut self) -> std::io::Result<()> {
        for command in &self.keyring.fetch {
            if self.is_complete() {
                break;
            }
            let folder = tempfile::tempdir()?;
            let argv = command.words();
            tracing::debug!(argv = command::quote_all(&argv), "fetching keys");
            let fetch = Process::new(&argv).env("HOME", folder.path());
            let fetch = fetch.dir(folder.path()).writes(folder.path());
            let fetch = fetch.reads_all(&self.sources);
            let said = fetch.capture(MOST_OUTPUT)?.stderr();
            let files = candidates(folder.path());
            for file in &files {
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                self.import(file, &format!("`{name}`, fetched"))?;
            }
            if files.is_empty() {
                let last = said.lines().last().unwrap_or("it gave no files").to_owned();
                self.seen.push(format!("fetching: {last}"));
            }
        }
        Ok(())
    }

    fn gpg(&self, arguments: &[&str], reads: Option<&Path>) -> std::io::Result<Captured> {
        let home = self.home.path();
        let argv = GPG.split(' ').map(OsStr::new).chain([home.as_os_str()]);
        let argv = argv.chain(arguments.iter().map(OsStr::new));
        let process = Process::new(argv).env("HOME", home).writes(home);
        process.reads_all(reads).capture(MOST_OUTPUT)
    }

    /// Takes the keys of a file in, if there are any.
    fn import(&mut self, file: &Path, shown: &str) -> std::io::Result<()> {
        let Some(name) = file.to_str().filter(|_| file.is_file()) else {
            self.seen.push(format!("{shown} is not there"));
            return Ok(());
        };
        if fs::metadata(file)?.len() > LARGEST {
            let seen = format!("{shown} is too large for a keyring");
            self.seen.push(seen);
            return Ok(());
        }
        let known = self.found.len();
        self.gpg(&["--import", "--", name], Some(file))?;
        let list = ["--with-colons", "--fixed-list-mode", "--list-keys"];
        let listed = self.gpg(&list, None)?;
        self.found = primary_keys(&String::from_utf8_lossy(&listed.stdout));
        let what = match self.found.len() - known {
            0 => "has no further keys".to_owned(),
            1 => "has one key".to_owned(),
            count => format!("has {count} keys"),
        };
        self.seen.push(format!("{shown} {what}"));
        Ok(())
    }

    /// The wanted keys, and no others.
    fn export(&self) -> std::io::Result<Vec<u8>> {
        let mut arguments = vec!["--export"];
        if self.keyring.armor {
            arguments.push("--armor");
        }
        match self.keyring.fingerprints.as_slice() {
            [] => arguments.extend(self.found.keys().map(String::as_str)),
            wanted => arguments.extend(wanted.iter().map(String::as_str)),
        }
        let output = self.gpg(&arguments, None)?;
        if output.stdout.is_empty() {
            let said = output.stderr();
            let last = said.lines().last().unwrap_or("it wrote nothing").to_owned();
            return Err(std::io::Error::other(format!("gpg: {last}")));
        }
        Ok(output.stdout)
    }

    fn report(&self) -> Report {
        let keyring = self.keyring;
        let lacks = self.lacks();
        let about = &keyring.about;
        let message = match lacks.as_slice() {
            [] => format!("there are no keys in the keyring of {about}"),
            [key] => format!("the key {key}, of {about}, was not found"),
            keys => format!("{} keys of {about} were not found", keys.len()),
        };
        let mut cause = Vec::new();
        if lacks.len() > 1 {
            cause.push(format!("wanted: {}", lacks.join(", ")));
        }
        cause.extend(self.seen.iter().cloned());
        for (fingerprint, name) in &self.found {
            if !self.keyring.fingerprints.contains(fingerprint) {
                cause.push(format!("found instead: {fingerprint} ({name})"));
            }
        }
        let report = Report::new("keyring::lacks", message)
            .trace(self.keyring.calls.clone())
            .cause(cause.join("\n"));
        match (lacks.is_empty(), keyring.fetch.is_empty()) {
            (true, true) => report.help("name a file of OpenPGP keys: `keyring: \"FILE\"`"),
            // Only the digest tells a fetched file without fingerprints from another.
            (true, false) => report.help(
                "compare the digest with the one that the key's makers publish; if theirs has changed, give the new one as `sha256`",
            ),
            (false, _) => report.help(
                "compare the fingerprints with those that the archive's makers publish; if theirs has changed, name the new one with `keyring: \"FILE\", fingerprints: […]`",
            ),
        }
    }
}

/// The files below a folder that may hold keys, in the order of their names.
fn candidates(folder: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name();
    let files = walk.into_iter().flatten();
    files
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            let name = path.file_name().and_then(|name| name.to_str());
            ending.is_some_and(|ending| ["gpg", "asc", "pgp"].contains(&ending))
                || name.is_some_and(|name| name.contains("GPG-KEY"))
        })
        .collect()
}

/// Fingerprints and names of the primary keys in gpg's listing.
fn primary_keys(listing: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut primary = None;
    let mut is_primary = false;
    for line in listing.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        match fields.as_slice() {
            ["pub", ..] => is_primary = true,
            ["sub", ..] => is_primary = false,
            ["fpr", rest @ ..] if is_primary => {
                let fingerprint = rest.get(8).copied().unwrap_or_default().to_owned();
                found.insert(fingerprint.clone(), String::new());
                primary = Some(fingerprint);
                is_primary = false;
            }
            ["uid", rest @ ..] => {
                let name = primary.as_ref().and_then(|key| found.get_mut(key));
                if let Some(name) = name.filter(|name| name.is_empty()) {
                    *name = rest.get(8).copied().unwrap_or_default().to_owned();
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subkeys_are_no_primary_keys() {
        let listing = "tru::1:1:0:3:1:5\n\
            pub:-:256:22:AA:1:::-:::scESC::::::23::0:\n\
            fpr:::::::::1111111111111111111111111111111111111111:\n\
            uid:-::::1::X::First <a@example.org>::::::::::0:\n\
            uid:-::::1::X::Second::::::::::0:\n\
            sub:-:255:18:BB:1::::::e::::::23:\n\
            fpr:::::::::2222222222222222222222222222222222222222:\n";
        let found = primary_keys(listing);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found["1111111111111111111111111111111111111111"],
            "First <a@example.org>"
        );
    }
}
