//! `rootwright boot`

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;

use super::build::{self, Made};
use super::printer::Printer;
use super::{Done, Global, RecipeArgs, Trouble, checkup};
use crate::boot::{self, Error, Machines, Means, Place, Verdict, Wanted};
use crate::diagnose::Report;
use crate::export::Opened;
use crate::plan::Transport;
use crate::run::{self, interrupt, preflight, sandbox};
use crate::script::{self, Settings, stdlib::Stdlib};
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
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,
    /// Seconds until the node must have answered
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..))]
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

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    if let Some(report) = preflight::privileges() {
        return Err(report.into());
    }
    match sandbox::enter(false).map_err(|error| checkup::plain(&error))? {
        sandbox::Place::Done(code) => return Ok(ExitCode::from(u8::try_from(code).unwrap_or(1))),
        sandbox::Place::Inside => {}
    }
    let settings = global.plain_settings(&args.target)?;
    let exports = match args.target.is_file() {
        true => match built(args, global, printer)? {
            Ok(exports) => exports,
            Err(code) => return Ok(code),
        },
        false => vec![open(&args.target, args.via, &settings)?],
    };
    let means = means(&settings)?;
    lacking(&exports, &means, &settings)?;
    let store = Store::open(&global.store(&settings))
        .map_err(|source| checkup::plain(&run::Error::Store { source }))?;
    let wanted = Wanted {
        firmware: args.via == Some(Via::Pxe),
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
            Err(error) => return Err(error.report(&script::known_failures(&settings)).into()),
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
        place,
        &interrupt::interrupted,
        &mut see,
    )?;
    match args.format {
        Format::Text => printer.out(&table(&verdict)),
        Format::Json => {
            let json = serde_json::to_string_pretty(&verdict).unwrap_or_default();
            printer.out(&format!("{json}\n"));
        }
    }
    Ok(Some(verdict))
}

/// What the stdlib brings for it.
pub(super) fn means(settings: &Settings) -> Result<Means, Trouble> {
    let stdlib = Stdlib::new(settings.stdlib.clone());
    let text = |name: &str| stdlib.text(name).unwrap_or_default();
    let machines = Machines::new(&text("boot/machines.toml"));
    Ok(Means {
        machines: machines.map_err(|error| error.report(&script::known_failures(settings)))?,
        check: text("boot/check.sh"),
    })
}

/// Says what the host lacks, all of it.
fn lacking(exports: &[Opened], means: &Means, settings: &Settings) -> Result<(), Trouble> {
    let tools = checkup::host_tools(settings)?;
    let mut programs = std::collections::BTreeMap::new();
    for opened in exports {
        let needed = boot::programs(opened, means)
            .map_err(|error| error.report(&script::known_failures(settings)))?;
        programs.extend(needed.into_iter().map(|(name, why)| (name, why.to_owned())));
    }
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

/// Builds the recipe, and opens what of it boots the way that was asked for.
fn built(
    args: &Args,
    global: &Global,
    printer: &Printer,
) -> Result<Result<Vec<Opened>, ExitCode>, Trouble> {
    let recipe = RecipeArgs {
        recipe: args.target.clone(),
        options: args.options.clone(),
        allow_host_run: args.allow_host_run,
    };
    let build = build::Args::of(&recipe, &args.out).with_secrets(&args.secrets);
    let outcome = match build::make(&build, global, printer)? {
        Made::Done(outcome) => outcome,
        Made::Not(code) => return Ok(Err(code)),
    };
    let mut exports = Vec::new();
    for path in &outcome.exports {
        let opened = Opened::open(path).map_err(Report::from)?;
        if opened.manifest.boot.is_some() && fits(&opened, args.via) {
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

fn fits(opened: &Opened, via: Option<Via>) -> bool {
    match via {
        None | Some(Via::Pxe) => true,
        Some(Via::Nfs) => opened.transport() == Some(Transport::Nfs),
        Some(Via::Http) => opened.transport() == Some(Transport::Http),
    }
}

fn open(path: &Path, via: Option<Via>, settings: &Settings) -> Result<Opened, Trouble> {
    let opened = Opened::open(path).map_err(Report::from)?;
    if opened.manifest.boot.is_some() && !fits(&opened, via) {
        let error = Error::Via {
            path: opened.path.clone(),
            via: match via {
                Some(Via::Http) => "http",
                _ => "nfs",
            },
            transport: opened.transport(),
        };
        return Err(error.report(&script::known_failures(settings)).into());
    }
    Ok(opened)
}

/// The verdict for people.
fn table(verdict: &Verdict) -> String {
    let mut out = String::new();
    let from = if verdict.firmware {
        ", from the firmware on"
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "\n{} over {}{from}, Linux {}, {}\n",
        verdict.export, verdict.transport, verdict.kernel, verdict.accelerator
    );
    let width = verdict
        .checks
        .iter()
        .map(|check| check.what.chars().count());
    let width = width.max().unwrap_or(0);
    for check in &verdict.checks {
        let mark = if check.holds { "ok  " } else { "FAIL" };
        let line = format!("  {mark}  {:<width$}  {}", check.what, check.found);
        let _ = writeln!(out, "{}", line.trim_end());
        for line in &check.lines {
            let _ = writeln!(out, "          {line}");
        }
    }
    let times = |times: &[boot::Milestone]| -> String {
        let times: Vec<String> = times
            .iter()
            .map(|time| format!("{} {:.1} s", time.name, time.seconds))
            .collect();
        times.join(", ")
    };
    let _ = writeln!(out, "\n  node's clock  {}", times(&verdict.node_times));
    let _ = writeln!(out, "  this host's   {}", times(&verdict.host_times));
    let (used, total) = verdict.memory;
    let _ = writeln!(out, "  memory        {used} of {total} MiB in use");
    let (received, sent) = verdict.wire;
    let mut wire = format!("{} received, {} sent", size(received), size(sent));
    if let Some(http) = verdict.http {
        let _ = write!(wire, "; {} of files over HTTP", size(http));
    }
    let _ = writeln!(out, "  wire          {wire}");
    out
}

fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}
