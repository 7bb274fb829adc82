//! How far each release of each distro was seen to work: `docs/verified.toml` says it, tests
//! hold it while they run, and the table in the documentation is made of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// How far, the furthest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    #[serde(rename = "planned")]
    Planned,
    #[serde(rename = "built from a made repository")]
    MadeProject,
    #[serde(rename = "booted from a made repository")]
    BootedMade,
    #[serde(rename = "built from the real mirror")]
    RealMirror,
    #[serde(rename = "booted")]
    Booted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub level: Level,
    /// The name of the test that saw it, as libtest writes it.
    pub test: String,
}

/// Distro → release → how far.
pub type Verified = BTreeMap<String, BTreeMap<String, Entry>>;

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verified.toml")
}

pub fn read() -> Verified {
    toml::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}

/// A test has seen that a release works so far: the file has to say so. With `UPDATE=1` it
/// does from then on.
#[track_caller]
pub fn verified(distro: &str, release: &str, level: Level, test: &str) {
    // Tests run side by side, and each writes all of the file.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    let mut all = read();
    let known = all.get(distro).and_then(|of| of.get(release));
    if known.is_some_and(|entry| entry.level >= level) {
        return;
    }
    let entry = Entry {
        level,
        test: test.to_owned(),
    };
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "docs/verified.toml does not know that {distro} {release} was {level:?} by {test}: UPDATE=1 writes it"
    );
    all.entry(distro.to_owned())
        .or_default()
        .insert(release.to_owned(), entry);
    let head = "# How far each release was seen to work. Written by the tests that are named, with\n# UPDATE=1; `cargo test plan::distros` checks the table of the documentation against it.\n\n";
    let text = toml::to_string(&all).unwrap();
    std::fs::write(path(), format!("{head}{text}")).unwrap();
}
