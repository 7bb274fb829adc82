//! The site's configuration: `rootwright.toml` of a recipe repository, and of the host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::nearest;
use crate::diagnose::Report;

/// The file's name, in the top folder of a recipe repository.
pub const FILE: &str = "rootwright.toml";
/// The host's own, for what the repository does not say.
const HOST_FILE: &str = "/etc/rootwright/rootwright.toml";

/// What `rootwright.toml` says.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The folder of the recipe repository.
    pub root: Option<PathBuf>,
    /// Where layers are kept.
    pub store: Option<PathBuf>,
    /// How old an archive's state may be before a build asks for a newer one.
    pub refresh: Option<Duration>,
    /// Free tables of strings, by distro.
    distros: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    store: Option<PathBuf>,
    #[serde(default)]
    cache: Cache,
    #[serde(default)]
    distro: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
struct Cache {
    #[serde(default)]
    refresh: Option<String>,
}

const KEYS: [&str; 4] = ["name", "store", "cache", "distro"];

/// A length of time: a number and `s`, `m`, `h` or `d`.
pub fn age(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

impl Site {
    /// The configuration for a recipe: of the nearest folder above it that has one, then
    /// the host's.
    ///
    /// # Errors
    /// When a file cannot be read, is no TOML, or has a key that means nothing.
    pub fn find(recipe: &Path) -> Result<Site, Box<Report>> {
        let mut site = Site::default();
        let start = std::path::absolute(recipe).unwrap_or_else(|_| recipe.to_owned());
        if let Some(root) = start
            .ancestors()
            .skip(1)
            .find(|folder| folder.join(FILE).is_file())
        {
            site.merge(&root.join(FILE))?;
            site.root = Some(root.to_owned());
        }
        if Path::new(HOST_FILE).is_file() {
            site.merge(Path::new(HOST_FILE))?;
        }
        Ok(site)
    }

    /// Takes what is not said yet.
    fn merge(&mut self, path: &Path) -> Result<(), Box<Report>> {
        let shown = path.display();
        let fail = |message: String| Box::new(Report::new("site::config", message));
        let text = fs_err::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let table: toml::Table = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                let before = text.get(..span.start).unwrap_or(&text);
                before.lines().count().max(1)
            });
            fail(format!("{shown}, line {line}: {}", error.message()))
        })?;
        if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let report = *fail(format!("{shown}: there is no setting `{unknown}`"));
            return Err(Box::new(match nearest(unknown, KEYS.into_iter()) {
                Some(near) => report.help(format!("did you mean `{near}`?")),
                None => report.help(format!("the settings are {}", KEYS.join(", "))),
            }));
        }
        let file: File = table.try_into().map_err(|error: toml::de::Error| {
            Box::new(
                fail(format!("{shown}: {}", error.message()))
                    .help("[distro.NAME] holds strings: mirror = \"…\""),
            )
        })?;
        self.store = self.store.take().or(file.store);
        if let Some(refresh) = file.cache.refresh.filter(|_| self.refresh.is_none()) {
            let age = age(&refresh).ok_or_else(|| {
                let report = *fail(format!("{shown}: `{refresh}` is no length of time"));
                Box::new(report.help("a number and `s`, `m`, `h` or `d`: refresh = \"7d\""))
            })?;
            self.refresh = Some(age);
        }
        for (distro, settings) in file.distro {
            let known = self.distros.entry(distro).or_default();
            for (key, value) in settings {
                known.entry(key).or_insert(value);
            }
        }
        Ok(())
    }

    /// What the site says of a distro: `distro("x", "mirror")`.
    pub fn distro(&self, name: &str, key: &str) -> Option<&str> {
        self.distros.get(name)?.get(key).map(String::as_str)
    }
}
