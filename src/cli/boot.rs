//! `rootwright boot`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use super::build::{self, Made};
use super::printer::Printer;
use super::{Done, Global, RecipeArgs};
use crate::boot::{self, Error, Means, Place, Verdict, Wanted};
use crate::build::preflight;
use crate::diagnose::Report;
use crate::diagnose::Trouble;
use crate::export::Opened;
use crate::plan::{self, ExpectBoot, Op, Transport};
use crate::recipe::{self, Settings, stdlib::Stdlib};
use crate::run::{self, interrupt, namespace};
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
    /// Set an option of the recipe
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = super::pair, add = super::completions::options())]
    options: Vec<(String, String)>,
    /// The folder that the recipe's exports go to
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Let the recipe itself, and not only the stdlib, run commands on the host
    #[arg(long)]
    allow_host_run: bool,
    /// Take a secret's value from a file
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = super::pair)]
    secrets: Vec<(String, String)>,
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Args {
    /// The target as a recipe.
    fn recipe(&self) -> RecipeArgs {
        RecipeArgs {
            recipe: self.target.clone(),
            options: self.options.clone(),
            allow_host_run: self.allow_host_run,
        }
    }
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    if let Some(report) = preflight::privileges() {
        return Err(report.into());
    }
    match namespace::enter(false).map_err(|error| preflight::plain(&error))? {
        namespace::Place::Done(code) => return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        namespace::Place::Inside => {}
    }
    let settings = global.plain_settings(&args.target)?;
    let means = means(&settings)?;
    let exports = match args.target.is_file() {
        true => {
            // A build may take minutes: what is missing is said before.
            lacking(foreseen(args, global, &means)?, &settings)?;
            match built(args, global, printer)? {
                Ok(exports) => exports,
                Err(code) => return Ok(code),
            }
        }
        false => vec![open(&args.target, args.via, &settings)?],
    };
    lacking(needed(&exports, &means, &settings)?, &settings)?;
    let store = Store::open(&global.store(&settings))
        .map_err(|source| preflight::plain(&run::Error::Store { source }))?;
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
            Err(error) => return Err(error.report(&recipe::known_failures(&settings)).into()),
        }
    }
    Ok(match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn one(
    opened: &Opened,
    wanted: &Wanted,
    means: &Means,
    store: &Store,
    args: &Args,
    printer: &Printer,
) -> Result<Option<Verdict>, Error> {
    let folder = tempfile::tempdir()?;
    let place = Place {
        folder: folder.path(),
        console: store.logs()?.join("console.log"),
    };
    printer.summary(&format!("booting {}", boot::name(opened)));
    if args.interactive {
        boot::attend(opened, wanted, means, &place)?;
        return Ok(None);
    }
    let mut see = |line: &str| printer.summary(&format!("  {line}"));
    let verdict = boot::boot(
        opened,
        wanted,
        means,
        &place,
        &interrupt::interrupted,
        &mut see,
    )?;
    match args.format {
        Format::Text => printer.out(&format!("\n{verdict}")),
        Format::Json => {
            let json = serde_json::to_string_pretty(&verdict).unwrap_or_default();
            printer.out(&format!("{json}\n"));
        }
    }
    Ok(Some(verdict))
}

/// Where the stdlib has what it brings for it.
pub(super) const MACHINES: &str = "boot/machines.toml";
pub(super) const CHECK: &str = "boot/check.sh";
pub(super) const START: &str = "boot/switch_root.sh";

/// What the stdlib brings for it.
fn means(settings: &Settings) -> Result<Means, Trouble> {
    let stdlib = Stdlib::new(settings.stdlib.clone());
    let text = |name: &str| stdlib.text(name).unwrap_or_default();
    let means = Means::new(&text(MACHINES), &text(CHECK), &text(START));
    means.map_err(|error| error.report(&recipe::known_failures(settings)).into())
}

/// Says what the host lacks, all of it.
fn lacking(
    programs: impl IntoIterator<Item = (String, &'static str)>,
    settings: &Settings,
) -> Result<(), Trouble> {
    let tools = preflight::host_tools(settings)?;
    let programs: BTreeMap<String, String> = programs
        .into_iter()
        .map(|(name, why)| (name, why.to_owned()))
        .collect();
    match tools.lacking(&programs) {
        missing if missing.is_empty() => Ok(()),
        missing => {
            let mut report = preflight::report(&missing, &tools);
            // The build's own ways to install them know nothing of these.
            report.help.clear();
            Err(report.into())
        }
    }
}

/// The programs that the exports need.
fn needed(
    exports: &[Opened],
    means: &Means,
    settings: &Settings,
) -> Result<Vec<(String, &'static str)>, Trouble> {
    let mut programs = Vec::new();
    for opened in exports {
        let needed = boot::programs(opened, means);
        programs.extend(needed.map_err(|error| error.report(&recipe::known_failures(settings)))?);
    }
    Ok(programs)
}

/// The programs that the exports of a recipe will need, as far as that is known before they
/// are there.
fn foreseen(
    args: &Args,
    global: &Global,
    means: &Means,
) -> Result<Vec<(String, &'static str)>, Trouble> {
    let recipe = args.recipe();
    let mut preview = crate::build::PreviewCapture::default();
    let plan = recipe::evaluate(&recipe.recipe, &global.settings(&recipe)?, &mut preview)?.plan;
    let mut programs = Vec::new();
    for step in &plan.steps {
        let root = step.root.and_then(|root| plan.root(root));
        let machine = root.and_then(|root| root.machine.as_deref());
        for action in &step.actions {
            if let Op::Export(export) = &action.op
                && export.format.boots()
                && fits(export.format.transport(), args.via)
            {
                programs.extend(means.programs(machine, export.format.transport()));
            }
        }
    }
    Ok(programs)
}

/// Builds the recipe, and opens what of it boots the way that was asked for.
fn built(
    args: &Args,
    global: &Global,
    printer: &Printer,
) -> Result<Result<Vec<Opened>, ExitCode>, Trouble> {
    let build = build::Args::of(&args.recipe(), &args.out).with_secrets(&args.secrets);
    let outcome = match build::make(&build, global, printer)? {
        Made::Done(outcome) => outcome,
        Made::Not(code) => return Ok(Err(code)),
    };
    let mut exports = Vec::new();
    for path in &outcome.exports {
        let opened = Opened::open(path).map_err(Report::from)?;
        let boots = opened.manifest.boot.is_some() && opened.manifest.format.boots();
        if boots && fits(opened.transport(), args.via) {
            exports.push(opened);
        }
    }
    if exports.is_empty() {
        let names: Vec<String> = outcome
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
    Ok(Ok(exports))
}

fn fits(transport: Option<Transport>, via: Option<Via>) -> bool {
    match via {
        None | Some(Via::Pxe) => true,
        Some(Via::Nfs) => transport == Some(Transport::Nfs),
        Some(Via::Http) => transport == Some(Transport::Http),
    }
}

fn open(path: &Path, via: Option<Via>, settings: &Settings) -> Result<Opened, Trouble> {
    let opened = Opened::open(path).map_err(Report::from)?;
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
