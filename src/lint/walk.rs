//! Conditions on everything below some directories; one walk for all of them.

use std::io;
use std::path::PathBuf;

use rustix::fs::FileType;

use super::files::{self, BEGINNING, Hit, Paths};
use super::table::Check;
use crate::run::files::{Tree, tree};

/// The hits of each check, in the checks' order.
///
/// # Errors
/// When a directory or a file cannot be read.
pub fn check(tree: &Tree, checks: &[&Check], hidden: &Paths) -> io::Result<Vec<Vec<Hit>>> {
    let excepts = checks.iter().map(|check| Paths::new(&check.except));
    let excepts: Vec<Paths> = excepts.collect();
    let mut hits = vec![Vec::new(); checks.len()];
    if checks.is_empty() {
        return Ok(hits);
    }
    // Paths and not descriptors: a deep tree would use them up.
    let mut waiting = vec![PathBuf::from("/")];
    while let Some(folder) = waiting.pop() {
        let Some(dir) = tree.open_dir(&folder)? else {
            continue;
        };
        let device = rustix::fs::fstat(&dir)?.st_dev;
        for name in tree::names(&dir)? {
            let path = folder.join(&name);
            let shown = path.to_string_lossy();
            let Some(stat) = tree::stat_at(&dir, &name)? else {
                continue;
            };
            if hidden.has(&shown) {
                continue;
            }
            let each = checks.iter().zip(&excepts).zip(&mut hits);
            for ((check, except), hits) in each {
                let is_below = check.below.iter().any(|folder| path.starts_with(folder));
                if !is_below || except.has(&shown) || !files::attributes(check, &dir, &name, &stat)?
                {
                    continue;
                }
                let found = match &check.content {
                    Some(pattern) => {
                        let small = u64::try_from(stat.st_size).is_ok_and(|size| size <= BEGINNING);
                        let is_file = tree::kind_of(&stat) == FileType::RegularFile;
                        if !small || !is_file {
                            continue;
                        }
                        files::found(pattern, &files::beginning(tree, &path, BEGINNING)?)
                    }
                    None => Some(String::new()),
                };
                hits.extend(found.map(|found| (shown.clone().into_owned(), found)));
            }
            // Other file systems that are mounted there are not the root's.
            if tree::kind_of(&stat) == FileType::Directory && stat.st_dev == device {
                waiting.push(path);
            }
        }
    }
    for hits in &mut hits {
        hits.sort();
    }
    Ok(hits)
}
