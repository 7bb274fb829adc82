//! `rootwright export`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;

use super::printer::{Printer, table};
use super::{Done, own_files};
use crate::diagnose::Report;
use crate::export::in_use::{InUse, Sources};
use crate::export::{Error, OpenedExport, Shelf, remove};
use crate::preview::plural;
use crate::run::ordinary_user;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// The folder that exports are in
    #[arg(long, global = true, value_name = "DIR", default_value = "out")]
    out: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List exports, or the versions of one and who uses them
    Ls {
        /// The export
        name: Option<String>,
    },
    /// Make another version the current one: nodes that boot from now on get it
    Rollback {
        /// The export
        name: String,
        /// The version; the one before the current by default
        version: Option<String>,
    },
    /// Remove versions; never the current one, and none that is in use
    Prune {
        /// The export
        name: String,
        /// These versions
        #[arg(conflicts_with = "keep", required_unless_present = "keep")]
        versions: Vec<String>,
        /// All but the newest ones
        #[arg(long, value_name = "NUMBER")]
        keep: Option<usize>,
    },
    /// Remove an export with all its versions, unless one is in use
    Rm {
        /// The export
        name: String,
    },
}

pub fn run(args: &Args, printer: &Printer) -> Done {
    if !matches!(args.command, Command::Ls { .. }) && ordinary_user::is_ordinary_user() {
        // Trees of the user's builds belong to subordinate IDs.
        own_files()?;
    }
    match &args.command {
        Command::Rm { name } => {
            remove(&args.out, name, &Sources::default()).map_err(Report::from)?;
            printer.say(&format!("{name}: removed"));
        }
        Command::Ls { name: None } => list(&args.out, printer).map_err(Report::from)?,
        Command::Ls { name: Some(name) } => {
            versions(&args.out.join(name), printer).map_err(Report::from)?
        }
        Command::Rollback { name, version } => {
            let shelf = Shelf::open(&args.out.join(name)).map_err(Report::from)?;
            let version = shelf.rollback(version.as_deref()).map_err(Report::from)?;
            printer.say(&format!("{name}: {version} is the current version"));
        }
        Command::Prune {
            name,
            versions,
            keep,
        } => {
            let shelf = Shelf::open(&args.out.join(name)).map_err(Report::from)?;
            let pruned = shelf
                .prune(versions, keep.unwrap_or(0), &Sources::default())
                .map_err(Report::from)?;
            for version in &pruned.removed {
                printer.say(&format!("{name}: removed version {version}"));
            }
            for (version, why) in &pruned.kept {
                printer.say(&format!("{name}: version {version} stays: {why}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(out: &Path, printer: &Printer) -> Result<(), Error> {
    let entries = std::fs::read_dir(out).map_err(|error| Error::Out {
        path: out.to_owned(),
        error,
    })?;
    let mut rows = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if name.starts_with('.') {
            continue;
        }
        let versions = match Shelf::open(&path) {
            Ok(shelf) => plural(shelf.versions()?.len(), "version", "versions"),
            Err(_) => String::new(),
        };
        if let Ok(opened) = OpenedExport::open(&path) {
            let manifest = opened.manifest;
            let kernel = manifest.kernel_version.unwrap_or_else(|| "-".to_owned());
            rows.push([name, manifest.format.name().to_owned(), kernel, versions]);
        }
    }
    rows.sort();
    rows.insert(
        0,
        ["NAME", "FORMAT", "KERNEL", "VERSIONS"].map(str::to_owned),
    );
    printer.out(&table(&rows));
    Ok(())
}

fn versions(path: &Path, printer: &Printer) -> Result<(), Error> {
    let versions = Shelf::open(path)?.versions()?;
    let paths = versions.iter().map(|version| version.path.as_path());
    let paths: Vec<&Path> = paths.collect();
    let in_use = InUse::look(&paths, &Sources::default());
    let mut rows = vec![["VERSION", "", "KERNEL", "PACKAGES", "IN USE"].map(str::to_owned)];
    for version in &versions {
        let kernel = version.manifest.kernel_version.clone();
        rows.push([
            version.name.clone(),
            if version.current { "current" } else { "" }.to_owned(),
            kernel.unwrap_or_else(|| "-".to_owned()),
            version.manifest.packages.len().to_string(),
            in_use.by(&version.path).unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    printer.out(&table(&rows));
    Ok(())
}
