//! `rootwright boot`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use super::printer::Printer;
use super::{Chosen, Done, Format, Global, build, namespaces};
use crate::boot::{self, Boot, Error, Means, Verdict, Wanted};
use crate::build::preflight::{self, Preflight};
use crate::diagnose::{Report, Trouble};
use crate::export::OpenedExport;
use crate::plan::{self, ExpectBoot, Plan, Transport};
use crate::recipe::{self, Settings, stdlib::Stdlib};
use crate::run::{self, interrupt};
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A recipe, which is built first, or an export: OUT/NAME, OUT/NAME/VERSION
    #[arg(value_parser = super::repository::target, add = super::completions::recipes())]
    target: PathBuf,
    /// How the node gets there [default: as the export is for]
    #[arg(long, value_enum)]
    via: Option<Via>,
    /// A command for a shell in the node, which has to end with 0
    #[arg(long = "cmd", value_name = "COMMAND")]
    commands: Vec<String>,
    /// Give me the node's console; nothing is checked (Ctrl-A X ends it)
    #[arg(long, conflicts_with_all = ["commands", "format"])]
    interactive: bool,
    /// The node's memory in MiB [default: 1024, and what a root in memory takes]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(64..))]
    memory: Option<u64>,
    /// The node's processors
    #[arg(long, value_name = "N", default_value_t = ExpectBoot::PROCESSORS, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,
    /// Seconds until the node must have answered
    #[arg(long, value_name = "SECONDS", default_value_t = ExpectBoot::TIMEOUT, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    chosen: Chosen,
    /// The folder that the recipe's exports go to
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Take a secret's value from a file
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = super::secret_file)]
    secrets: Vec<(String, PathBuf)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Via {
    /// The root over NFS
    Nfs,
    /// The root over HTTP
    Http,
    /// From the firmware on: iPXE, the export's boot script, and then as the export is for
    Pxe,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    if let Some(report) = preflight::own_host("a boot, with servers and a machine for the node,") {
        return Err(report.into());
    }
    namespaces(false, global, printer)?;
    let settings = global.plain_settings(&args.target)?;
    let stdlib = Stdlib::new(settings.stdlib.clone());
    let text = |name: &str| stdlib.text(name).unwrap_or_default();
    let fail = |error: Error| Trouble::from(error.report(&recipe::known_failures(&settings)));
    let means = Means::of_stdlib(&text).map_err(fail)?;
    let exports = match args.target.is_file() {
        true => built(args, &means, global, printer)?,
        false => vec![open(&args.target, args.via, &settings)?],
    };
    let mut programs = BTreeMap::new();
    for opened in &exports {
        let needed = boot::programs(opened, &means).map_err(fail)?;
        programs.extend(needed.into_iter().map(|(name, why)| (name, why.to_owned())));
    }
    let preflight = Preflight::new(&stdlib, &[], preflight::BUILD_TIMEOUT)?;
    if let Some(missing) = preflight.programs(&programs) {
        return Err(missing.into());
    }
    let store = Store::open(&global.store(&settings.project)).map_err(run::Error::from)?;
    let wanted = Wanted {
        via: match args.via {
            Some(Via::Pxe) => plan::Via::Pxe,
            _ => plan::Via::Direct,
        },
        commands: args.commands.clone(),
        memory: args.memory,
        processors: args.cpus,
        limit: Duration::from_secs(args.timeout),
    };
    let mut holds = true;
    for opened in &exports {
        match one(opened, &wanted, &means, &store, args, printer) {
            Ok(verdict) => holds &= verdict.is_none_or(|verdict| verdict.holds()),
            Err(Error::Interrupted) => {
                printer.say("interrupted: the node and its servers are stopped");
                return Ok(ExitCode::from(130));
            }
            Err(error) => return Err(fail(error)),
        }
    }
    Ok(match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn one(
    opened: &OpenedExport,
    wanted: &Wanted,
    means: &Means,
    store: &Store,
    args: &Args,
    printer: &Printer,
) -> Result<Option<Verdict>, Error> {
    let folder = tempfile::tempdir()?;
    let (_work, logs) = store.begin(&[])?;
    let boot = Boot {
        opened,
        wanted,
        means,
        folder: folder.path(),
        console: logs.join("console.log"),
    };
    printer.summary(&format!("booting {}", boot::name(opened)));
    if args.interactive {
        boot.attend()?;
        return Ok(None);
    }
    let mut see = |line: &str| printer.summary(&format!("  {line}"));
    let verdict = boot.check(&interrupt::interrupted, &mut see)?;
    match args.format {
        Format::Text => printer.out(&format!("\n{verdict}")),
        Format::Json => printer.out(&crate::preview::json(&verdict)),
    }
    Ok(Some(verdict))
}

/// The programs that the exports of a plan need to boot.
fn programs(plan: &Plan, via: Option<Via>, means: &Means) -> Vec<(String, &'static str)> {
    let mut programs = Vec::new();
    for (step, export) in plan.exports() {
        if export.format.boots() && fits(export.format.transport(), via) {
            let root = step.root.and_then(|root| plan.root(root));
            let machine = root.and_then(|root| root.machine.as_deref());
            programs.extend(means.programs(machine, export.format.transport()));
        }
    }
    programs
}

/// Builds the recipe, and opens what of it boots the way that was asked for.
fn built(
    args: &Args,
    means: &Means,
    global: &Global,
    printer: &Printer,
) -> Result<Vec<OpenedExport>, Trouble> {
    let (recipe, chosen) = (args.target.clone(), args.chosen.clone());
    let build = build::Args::of(recipe, chosen, &args.out, &args.secrets);
    // A build may take minutes: what a boot needs is checked before it.
    let programs = |plan: &Plan| programs(plan, args.via, means);
    let result = build::make(&build, &programs, global, printer)?;
    let mut exports = Vec::new();
    for path in &result.exports {
        let opened = OpenedExport::open(path).map_err(Report::from)?;
        let boots = opened.manifest.boot.is_some() && opened.manifest.format.boots();
        if boots && fits(opened.transport(), args.via) {
            exports.push(opened);
        }
    }
    if exports.is_empty() {
        let names: Vec<String> = result
            .exports
            .iter()
            .filter_map(|path| Some(format!("`{}`", path.file_name()?.to_string_lossy())))
            .collect();
        let report = Report::new("boot::nothing", "the recipe exports nothing that boots this way")
            .cause(match names.is_empty() {
                true => "it has no `export`".to_owned(),
                false => format!("it exports {}", names.join(", ")),
            })
            .help("a node needs a kernel, `dracut` with the transport, and an `export` in the format `nfs`, `squashfs` or `erofs`");
        return Err(report.into());
    }
    Ok(exports)
}

fn fits(transport: Option<Transport>, via: Option<Via>) -> bool {
    match via {
        None | Some(Via::Pxe) => true,
        Some(Via::Nfs) => transport == Some(Transport::Nfs),
        Some(Via::Http) => transport == Some(Transport::Http),
    }
}

fn open(path: &Path, via: Option<Via>, settings: &Settings) -> Result<OpenedExport, Trouble> {
    let opened = OpenedExport::open(path).map_err(Report::from)?;
    if opened.manifest.boot.is_some() && !fits(opened.transport(), via) {
        let error = Error::Via {
            path: opened.path.clone(),
            via: match via {
                Some(Via::Http) => "http",
                _ => "nfs",
            },
            transport: opened.transport(),
        };
        return Err(error.report(&recipe::known_failures(settings)).into());
    }
    Ok(opened)
}
