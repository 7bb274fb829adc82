//! `rootwright list`

use std::path::PathBuf;
use std::process::ExitCode;

use super::printer::{Printer, table};
use super::{Done, repository};
use crate::recipe::doc;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to look in [default: the repository, else this folder]
    folder: Option<PathBuf>,
}

pub fn run(args: &Args, printer: &Printer) -> Done {
    let folder = args.folder.clone().unwrap_or_else(repository::here);
    let recipes = repository::recipes(&folder)?;
    let rows: Vec<[String; 2]> = recipes
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            [path.display().to_string(), doc::of(&text).0]
        })
        .collect();
    printer.out(&table(&rows));
    Ok(ExitCode::SUCCESS)
}
