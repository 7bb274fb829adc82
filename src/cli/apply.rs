//! `rootwright apply`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::build::{How, execute};
use super::printer::Printer;
use super::{Chosen, Done, Global, namespaces};
use crate::build::Source;
use crate::build::bundle::Bundle;
use crate::build::preflight::privileges_for;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A bundle that `plan --format bundle` wrote
    bundle: PathBuf,
    #[command(flatten)]
    how: How,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    privileges_for(|| Ok(Vec::new()))?;
    namespaces(args.how.offline, global, printer)?;
    // Inside the namespaces, where its files are unpacked to a folder of the build's own.
    let bundle = Bundle::read(&args.bundle).map_err(crate::diagnose::Report::from)?;
    let chosen = Chosen {
        allow_host_run: args.how.allow_host_run,
        ..Chosen::default()
    };
    let settings = global.settings(Path::new("."), &chosen)?;
    let project = settings.project.clone();
    let source = Source::Bundle(Box::new(bundle), Box::new(settings));
    let none = |_: &crate::plan::Plan| Vec::new();
    execute(source, &args.how, &project, false, &none, global, printer)?;
    Ok(ExitCode::SUCCESS)
}
