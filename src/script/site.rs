//! The site's configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What `rootwright.toml` of a recipe repository, or of the host, says.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// The folder of the recipe repository.
    pub root: Option<PathBuf>,
    /// Free tables of strings, by distro.
    pub distros: BTreeMap<String, BTreeMap<String, String>>,
}

impl Site {
    /// What the site says of a distro: `distro("x", "mirror")`.
    pub fn distro(&self, name: &str, key: &str) -> Option<&str> {
        self.distros.get(name)?.get(key).map(String::as_str)
    }
}
