//! A look at a root with all lints.

use std::io;
use std::path::Path;

use super::files::{self, Hit, Paths};
use super::kernel::Kernels;
use super::table::{Check, Lint};
use super::{Error, Finding, Subject, Table, walk};
use crate::run::files::Tree;

struct Inspection<'a> {
    subject: &'a Subject,
    tree: Tree,
    /// What nodes do not get.
    hidden: Paths,
    kernels: Kernels,
}

/// Everything that the lints find in a root, in the table's order; of what the recipe
/// allows, [`Finding::allowed`] says why.
///
/// # Errors
/// When the root is no directory, or something in it cannot be read.
pub fn check(table: &Table, subject: &Subject) -> Result<Vec<Finding>, Error> {
    let tree = Tree::open(&subject.root).map_err(|error| Error::Root {
        path: subject.root.clone(),
        error,
    })?;
    let hidden = Paths::new(&subject.exclude);
    let kernels = Kernels::of(&tree, &table.boot, subject, &hidden);
    let kernels = kernels.map_err(|error| unreadable("/boot", error))?;
    let inspection = Inspection {
        subject,
        tree,
        hidden,
        kernels,
    };
    let mut checks: Vec<(&Lint, &Check)> = Vec::new();
    for lint in &table.lints {
        if !inspection.is_reached_by(&lint.transports) {
            continue;
        }
        for check in &lint.checks {
            if inspection
                .applies(check)
                .map_err(|error| read(check, error))?
            {
                checks.push((lint, check));
            }
        }
    }
    let walked = checks.iter().map(|(_, check)| *check);
    let walked: Vec<&Check> = walked.filter(|check| !check.below.is_empty()).collect();
    let walked = walk::check(&inspection.tree, &walked, &inspection.hidden);
    let mut walked = walked.map_err(|error| unreadable("/", error))?.into_iter();
    let mut findings = Vec::new();
    for (lint, check) in checks {
        let hits = match check.below.is_empty() {
            true => inspection.hits(check).map_err(|error| read(check, error))?,
            false => walked.next().unwrap_or_default(),
        };
        findings.extend(
            hits.into_iter()
                .map(|hit| inspection.finding(lint, check, hit)),
        );
    }
    Ok(findings)
}

fn unreadable(path: &str, error: io::Error) -> Error {
    let path = path.to_owned();
    Error::Read { path, error }
}

fn read(check: &Check, error: io::Error) -> Error {
    unreadable(check.paths.first().map_or("/", String::as_str), error)
}

impl Inspection<'_> {
    fn is_reached_by(&self, transports: &[crate::plan::Transport]) -> bool {
        let mut own = self.subject.transports.iter();
        transports.is_empty() || own.any(|transport| transports.contains(transport))
    }

    fn applies(&self, check: &Check) -> io::Result<bool> {
        if !self.is_reached_by(&check.transports) {
            return Ok(false);
        }
        let there = |patterns: &[String]| -> io::Result<bool> {
            Ok(!files::expand(&self.tree, patterns, &[&self.hidden])?.is_empty())
        };
        if !check.when.is_empty() && !there(&check.when)? {
            return Ok(false);
        }
        if !check.when_units.is_empty() {
            let mut any = false;
            for unit in &check.when_units {
                any |= files::started(&self.tree, unit, &self.hidden)?.is_some();
            }
            if !any {
                return Ok(false);
            }
        }
        if there(&check.unless)? {
            return Ok(false);
        }
        let cmdline = self.subject.cmdline.as_deref().unwrap_or_default();
        let unless = check.unless_cmdline.as_ref();
        Ok(!unless.is_some_and(|pattern| pattern.0.is_match(cmdline.as_bytes())))
    }

    fn hits(&self, check: &Check) -> io::Result<Vec<Hit>> {
        if let Some(kernel) = check.kernel {
            return self.kernels.check(&self.tree, kernel);
        }
        if !check.drivers.is_empty() {
            return self.kernels.lacking(&self.tree, &check.drivers);
        }
        if !check.initramfs.is_empty() {
            return Ok(self.in_initramfs(check));
        }
        if !check.units.is_empty() {
            let mut hits = Vec::new();
            for unit in &check.units {
                let link = files::started(&self.tree, unit, &self.hidden)?;
                hits.extend(link.map(|link| (link, unit.clone())));
            }
            return Ok(hits);
        }
        files::check(&self.tree, check, &self.hidden)
    }

    /// The same conditions, on the contents of each initramfs.
    fn in_initramfs(&self, check: &Check) -> Vec<Hit> {
        let wanted = Paths::new(&check.initramfs);
        let mut hits = Vec::new();
        for (path, initramfs) in self.kernels.readable() {
            let mut names = initramfs.names.iter().filter(|name| wanted.has(name));
            let mut texts = initramfs.texts.iter().filter(|(name, _)| wanted.has(name));
            if check.missing {
                if names.next().is_none() {
                    let pattern = check.initramfs.first().cloned().unwrap_or_default();
                    let name = Path::new(&pattern).file_name();
                    let name = name.map(|name| name.to_string_lossy().into_owned());
                    hits.push((path.to_owned(), name.unwrap_or_default()));
                }
            } else if let Some(pattern) = &check.no_line {
                if !texts.any(|(_, text)| pattern.0.is_match(text)) {
                    hits.push((path.to_owned(), String::new()));
                }
            } else if let Some(pattern) = check.line.as_ref().or(check.content.as_ref()) {
                let found = texts.filter_map(|(name, text)| {
                    let found = files::found(pattern, text)?;
                    let found = Some(found).filter(|found| !found.is_empty());
                    Some((
                        format!("{path}: {name}"),
                        found.unwrap_or_else(|| name.clone()),
                    ))
                });
                hits.extend(found);
            } else {
                hits.extend(names.map(|name| (format!("{path}: {name}"), name.clone())));
            }
        }
        hits
    }

    fn finding(&self, lint: &Lint, check: &Check, (path, found): Hit) -> Finding {
        let message = check
            .message
            .replace("{path}", &path)
            .replace("{found}", &found);
        let mut allowed = self.subject.allowed.iter();
        let allowed = allowed.find(|allowed| {
            let of_path = allowed.path.as_ref();
            allowed.lint == lint.name
                && of_path.is_none_or(|pattern| Paths::new([pattern]).has(&path))
        });
        Finding {
            lint: lint.name.clone(),
            severity: check.severity.unwrap_or(lint.severity),
            message,
            path,
            reason: lint.reason.clone(),
            cure: format!("diskless::{}(root)", lint.cure),
            allowed: allowed.map(|allowed| allowed.reason.clone()),
        }
    }
}
