//! The packages of two exports, as their manifests have them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Change;
use crate::export::Package;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageDiff {
    pub change: Change,
    pub name: String,
    pub architecture: String,
    /// The versions; several where several are installed beside each other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
}

/// What differs, by name.
pub fn compare(from: &[Package], to: &[Package]) -> Vec<PackageDiff> {
    type Versions<'a> = BTreeMap<(&'a str, &'a str), Vec<String>>;
    fn versions(packages: &[Package]) -> Versions<'_> {
        let mut found = Versions::new();
        for package in packages {
            let name = (package.name.as_str(), package.architecture.as_str());
            found.entry(name).or_default().push(package.version.clone());
        }
        found
    }
    let (mut old, mut new) = (versions(from), versions(to));
    let names: BTreeSet<(&str, &str)> = old.keys().chain(new.keys()).copied().collect();
    names
        .into_iter()
        .map(|key| {
            let from = old.remove(&key).unwrap_or_default();
            let to = new.remove(&key).unwrap_or_default();
            PackageDiff {
                change: Change::of(from.first(), to.first()),
                name: key.0.to_owned(),
                architecture: key.1.to_owned(),
                from,
                to,
            }
        })
        .filter(|package| package.from != package.to)
        .collect()
}
