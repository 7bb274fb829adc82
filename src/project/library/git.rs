//! The git program, so called that nothing of what it fetches runs: into a bare repository
//! without hooks, over few protocols, and files are read from its objects, so that there is
//! no checkout, and with it no filter, no attribute and no submodule.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::Error;
use super::address::PROTOCOLS;

/// How long one call may take: a library is small, and a server may never answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);

/// What is fetched stands under this name.
const FETCHED: &str = "refs/rootwright/fetched";

/// Settings that hold whatever the person's own say.
const SETTINGS: [&str; 16] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.symlinks=false",
    "fetch.fsckObjects=true",
    "transfer.fsckObjects=true",
    // Slips of old programs that harm nobody.
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "remote.origin.promisor=false",
    // A server that sends nothing for a minute is given up.
    "http.lowSpeedTime=60",
];

/// A bare repository that goes when this is dropped.
pub struct Git {
    folder: tempfile::TempDir,
}

/// A file of a commit.
pub struct Blob {
    /// As git has it: `100644`, `100755`, `120000` for a link, `160000` for a submodule.
    pub mode: String,
    pub object: String,
    pub bytes: u64,
    pub path: Vec<u8>,
}

impl Git {
    /// # Errors
    /// When there is no git, or no room.
    pub fn new() -> Result<Git, Error> {
        let folder = tempfile::Builder::new()
            .prefix("rootwright-git-")
            .tempdir()?;
        let git = Git { folder };
        git.run(&["init", "--quiet", "--bare", "--template=", "."], None)?;
        Ok(git)
    }

    /// Fetches what one name of `address` means, and gives the commit; with its history or
    /// alone.
    ///
    /// # Errors
    /// When git says no: nobody answers, or there is no such name.
    pub fn fetch(&self, address: &str, name: &str, history: bool) -> Result<String, Error> {
        let refs = format!("+{name}:{FETCHED}");
        self.get(address, &[&refs], history)?;
        self.commit(FETCHED)
    }

    /// Fetches every branch and tag.
    ///
    /// # Errors
    /// As [`Git::fetch`].
    pub fn fetch_all(&self, address: &str) -> Result<(), Error> {
        let refs = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        self.get(address, &refs, true)
    }

    fn get(&self, address: &str, refs: &[&str], history: bool) -> Result<(), Error> {
        let mut words = vec!["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"];
        if !history {
            words.push("--depth=1");
        }
        words.extend(["--", address]);
        words.extend(refs);
        self.run(&words, None).map(drop)
    }

    /// The commit that a name means in what was fetched.
    ///
    /// # Errors
    /// When it means none.
    pub fn commit(&self, name: &str) -> Result<String, Error> {
        let name = format!("{name}^{{commit}}");
        let mut words = vec!["rev-parse", "--verify", "--quiet"];
        words.extend(["--end-of-options", &name]);
        let found = self.run(&words, None)?;
        Ok(String::from_utf8_lossy(&found).trim().to_owned())
    }

    /// Whether the history of `newer` has `older` in it.
    pub fn has_ancestor(&self, newer: &str, older: &str) -> bool {
        self.run(&["merge-base", "--is-ancestor", older, newer], None)
            .is_ok()
    }

    /// Everything that a commit's tree has, with sizes.
    ///
    /// # Errors
    /// When the tree cannot be read.
    pub fn list(&self, commit: &str) -> Result<Vec<Blob>, Error> {
        let listed = self.run(&["ls-tree", "-r", "-z", "-l", "--full-tree", commit], None)?;
        let mut blobs = Vec::new();
        for line in listed.split(|byte| *byte == 0).filter(|l| !l.is_empty()) {
            let tab = line.iter().position(|byte| *byte == b'\t');
            let (head, path) = line.split_at(tab.unwrap_or(line.len()));
            let head = String::from_utf8_lossy(head);
            let mut words = head.split_whitespace();
            let (Some(mode), Some(_), Some(object), Some(bytes)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                return Err(Error::Listing);
            };
            blobs.push(Blob {
                mode: mode.to_owned(),
                object: object.to_owned(),
                bytes: bytes.parse().unwrap_or(0),
                path: path.get(1..).unwrap_or_default().to_vec(),
            });
        }
        Ok(blobs)
    }

    /// The contents of objects, in their order.
    ///
    /// # Errors
    /// When one is not there.
    pub fn contents(&self, blobs: &[&Blob]) -> Result<Vec<Vec<u8>>, Error> {
        let objects: String = blobs.iter().map(|b| b.object.clone() + "\n").collect();
        let answer = self.run(&["cat-file", "--batch"], Some(objects.into_bytes()))?;
        let mut rest = answer.as_slice();
        let mut contents = Vec::new();
        for _ in blobs {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (head, after) = rest.split_at(end.ok_or(Error::Listing)?);
            let head = String::from_utf8_lossy(head);
            let size = head.split(' ').nth(2).and_then(|size| size.parse().ok());
            let size: usize = size.ok_or(Error::Listing)?;
            let content = after.get(1..=size).ok_or(Error::Listing)?;
            contents.push(content.to_vec());
            rest = after.get(size + 2..).unwrap_or_default();
        }
        Ok(contents)
    }

    fn run(&self, words: &[&str], input: Option<Vec<u8>>) -> Result<Vec<u8>, Error> {
        let mut all: Vec<OsString> = Vec::new();
        for setting in SETTINGS {
            all.extend(["-c".into(), setting.into()]);
        }
        all.extend(words.iter().map(OsString::from));
        let command = duct::cmd("git", all)
            .dir(self.folder.path())
            .full_env(environment(self.folder.path()))
            .stdout_capture()
            .stderr_capture()
            .unchecked();
        let command = match input {
            Some(input) => command.stdin_bytes(input),
            None => command.stdin_null(),
        };
        let running = command.start().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NoGit,
            _ => error.into(),
        })?;
        let Some(output) = running.wait_timeout(CALL_TIMEOUT)? else {
            let _ = running.kill();
            let limit = CALL_TIMEOUT;
            return Err(Error::TooLong { limit });
        };
        if output.status.success() {
            return Ok(output.stdout.clone());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
        Err(Error::Git {
            what: words.first().copied().unwrap_or_default().to_owned(),
            said: lines.map(str::to_owned).collect(),
        })
    }
}

/// The person's own environment, for proxies, keys and credentials, without what would
/// point git elsewhere or open protocols.
fn environment(folder: &Path) -> Vec<(OsString, OsString)> {
    let kept = |(name, _): &(OsString, OsString)| match &*name.to_string_lossy() {
        "GIT_SSH" | "GIT_SSH_COMMAND" | "GIT_SSL_CAINFO" | "GIT_SSL_CAPATH" => true,
        name => !name.starts_with("GIT_"),
    };
    let own: [(&str, OsString); 6] = [
        ("GIT_DIR", folder.into()),
        ("GIT_ALLOW_PROTOCOL", PROTOCOLS.join(":").into()),
        ("GIT_TERMINAL_PROMPT", "0".into()),
        ("GIT_NO_LAZY_FETCH", "1".into()),
        ("GIT_NO_REPLACE_OBJECTS", "1".into()),
        ("LC_ALL", "C.UTF-8".into()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.into(), value));
    std::env::vars_os().filter(kept).chain(own).collect()
}
