//! What else than the plan decides what layers hold: versions of the host's programs, and
//! the state of the archives that packages come from.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use fs_err as fs;
use regex::Regex;

use crate::plan::{Circumstances, Key, Plan, Repository};
use crate::run::process::{Process, find_program};
use crate::store::{ArchiveDigest, ArchiveState, ArchiveStates, Store};

/// When archives are asked whether they have changed since a layer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refresh {
    /// A layer is taken as it is, however old.
    #[default]
    Never,
    /// Archives that were last looked at longer ago than this are asked.
    OlderThan(Duration),
}

/// How to ask programs for their versions: those whose version changes what comes out.
#[derive(Clone, Debug, Default)]
pub struct Versions {
    commands: BTreeMap<String, Vec<String>>,
}

impl Versions {
    /// Reads the stdlib's table: a program, and the command that prints its version.
    ///
    /// # Errors
    /// What is wrong with the table.
    pub fn new(table: &str) -> Result<Self, String> {
        let commands = toml::from_str(table).map_err(|error| error.to_string())?;
        Ok(Versions { commands })
    }

    /// The versions of the programs that a plan runs. What a program said is remembered
    /// in the store for as long as its file is the same one.
    pub fn of(&self, plan: &Plan, store: &Store) -> BTreeMap<String, String> {
        let programs: BTreeSet<String> =
            plan.steps.iter().flat_map(|step| step.programs()).collect();
        let mut known = store.versions();
        let before = known.len();
        let mut versions = BTreeMap::new();
        for program in programs {
            let Some(command) = self.commands.get(&program) else {
                continue;
            };
            let Some(identity) = find_program(&program).and_then(|path| identity(&path)) else {
                continue;
            };
            let version = known
                .entry(identity)
                .or_insert_with(|| ask(command).unwrap_or_default());
            versions.insert(program, version.clone());
        }
        if known.len() != before {
            // A store that cannot be written to is asked for again next time.
            let _ = store.set_versions(&known);
        }
        versions
    }
}

fn identity(path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).ok()?;
    let metadata = fs::metadata(&path).ok()?;
    Some(format!(
        "{} {} {}.{}",
        path.display(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    ))
}

/// Bytes of what a program says about its version.
const MOST_VERSION: usize = 1 << 16;

/// The last word of the first line: `mmdebstrap 1.3.5`.
fn ask(command: &[String]) -> Option<String> {
    let output = Process::new(command).capture(MOST_VERSION).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let word = text.lines().next()?.split_whitespace().next_back()?;
    Some(word.to_owned())
}

/// The state that the layer in the store was made with. Without its layer, a state of the past
/// says nothing of the one to come.
fn known_state(store: &Store, base: &Key) -> Option<ArchiveStates> {
    let state = store.state(base)?;
    let key = Key::of(&[base.as_str(), &state.digest()]);
    store.has(&key).then_some(state)
}

/// What a preview knows: what is in the store.
pub struct PreviewInputs<'a> {
    pub store: &'a Store,
    pub versions: &'a BTreeMap<String, String>,
}

impl Circumstances for PreviewInputs<'_> {
    fn version(&self, program: &str) -> Option<String> {
        self.versions.get(program).cloned()
    }

    fn archives(&self, base: &Key, _: &BTreeSet<usize>) -> Option<String> {
        Some(known_state(self.store, base)?.digest())
    }
}

/// What a build knows: what is in the store, and what archives answer.
pub struct BuildInputs<'a> {
    pub plan: &'a Plan,
    pub store: &'a Store,
    pub versions: &'a BTreeMap<String, String>,
    pub refresh: Refresh,
    pub archives: &'a Archives,
    /// The states that keys were made with, by the layer's base key.
    pub states: RefCell<BTreeMap<Key, ArchiveStates>>,
}

impl Circumstances for BuildInputs<'_> {
    fn version(&self, program: &str) -> Option<String> {
        self.versions.get(program).cloned()
    }

    fn archives(&self, base: &Key, archives: &BTreeSet<usize>) -> Option<String> {
        let state = match known_state(self.store, base) {
            Some(state) if self.is_fresh(&state) => state,
            known => {
                let archives = archives.iter();
                let archives = archives.filter_map(|index| self.plan.repositories.get(*index));
                let asked = ArchiveStates::new(self.archives.ask(&archives.collect::<Vec<_>>()));
                match known {
                    // What cannot be asked is as it was, as far as anybody knows.
                    Some(known) if asked.archives.iter().any(|a| a.look.is_none()) => known,
                    _ => asked,
                }
            }
        };
        let digest = state.digest();
        self.states.borrow_mut().insert(base.clone(), state);
        Some(digest)
    }
}

impl BuildInputs<'_> {
    fn is_fresh(&self, state: &ArchiveStates) -> bool {
        match self.refresh {
            Refresh::Never => true,
            Refresh::OlderThan(age) => state.age() <= age.as_secs() && !age.is_zero(),
        }
    }
}

/// Asks archives for their state, each once.
#[derive(Default)]
pub struct Archives {
    seen: RefCell<BTreeMap<String, Option<ArchiveDigest>>>,
}

/// How long a repository has to answer.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Bytes of the largest file that says an archive's state.
const LARGEST: usize = 8 << 20;

impl Archives {
    /// The state of each of `archives`, in their order.
    pub fn ask(&self, archives: &[&Repository]) -> Vec<ArchiveState> {
        let mut seen = self.seen.borrow_mut();
        let mut unknown = archives.to_vec();
        unknown.retain(|archive| !seen.contains_key(&archive.url));
        // Side by side: each is a file of its own, and mostly a wait.
        let answers: Vec<Option<ArchiveDigest>> = std::thread::scope(|scope| {
            let ask = |archive| scope.spawn(move || ask_archive(archive));
            let asked: Vec<_> = unknown.iter().copied().map(ask).collect();
            let answers = asked.into_iter().map(|asked| asked.join().ok().flatten());
            answers.collect()
        });
        for (archive, answer) in unknown.iter().zip(answers) {
            seen.insert(archive.url.clone(), answer);
        }
        archives
            .iter()
            .map(|archive| ArchiveState {
                name: archive.name.clone(),
                url: archive.url.clone(),
                look: seen.get(&archive.url).cloned().flatten(),
            })
            .collect()
    }
}

fn ask_archive(archive: &Repository) -> Option<ArchiveDigest> {
    let mut curl = vec!["curl"];
    if let Some(proxy) = &archive.proxy {
        curl.extend(["--proxy", proxy]);
    }
    let (timeout, largest) = (TIMEOUT.as_secs().to_string(), LARGEST.to_string());
    curl.extend(["--silent", "--fail", "--location", "--max-time", &timeout]);
    curl.extend(["--max-filesize", &largest, "--", &archive.url]);
    let output = Process::new(curl)
        .reads_url(&archive.url)
        .limit(TIMEOUT + Duration::from_secs(5))
        .capture(LARGEST)
        .ok()
        // curl 7 doesn't see the size of a chunked answer.
        .filter(|output| output.ended.status.success() && !output.cut)?;
    archive_digest(archive, &output.stdout)
}

/// What an archive's answer says of its state. Returns nothing if its patterns aren't regular
/// expressions.
pub fn archive_digest(archive: &Repository, answer: &[u8]) -> Option<ArchiveDigest> {
    let text = String::from_utf8_lossy(answer);
    let state = Regex::new(&archive.state).ok()?;
    let lines: Vec<&str> = text.lines().filter(|line| state.is_match(line)).collect();
    let date = Regex::new(&archive.date).ok()?;
    let date = date.captures(&text).and_then(|found| found.get(1));
    Some(ArchiveDigest {
        digest: Key::of(&lines).to_string(),
        date: date.and_then(|date| seconds(date.as_str())),
    })
}

/// Seconds since 1970, of a date as RFC 2822 has it, or of such seconds.
fn seconds(date: &str) -> Option<u64> {
    if let Ok(seconds) = date.trim().parse() {
        return Some(seconds);
    }
    let date = date.trim().replace("UTC", "+0000");
    let parsed = jiff::fmt::rfc2822::parse(&date).ok()?;
    u64::try_from(parsed.timestamp().as_second()).ok()
}
