//! The command line. One file a subcommand; what they do is done elsewhere.
//!
//! Exit status: 0 success, 1 failure, 2 wrong usage, 130 interrupted.

mod apply;
mod boot;
mod build;
mod cache;
mod check;
mod completions;
mod diff;
mod docs;
mod doctor;
mod export;
mod library;
mod lint;
mod list;
mod man;
mod new;
mod plan;
mod preview;
mod printer;
mod progress;
mod repository;
mod shell;
mod show;
mod test;
mod unused_settings;
mod usage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::build::cache::Versions;
use crate::build::preflight;
use crate::diagnose::render::Style;
use crate::diagnose::{Report, SourceMap, Trouble};
use crate::plan::policy::Permissions;
use crate::project::{self, Project};
use crate::recipe::Settings;
use crate::recipe::stdlib::Stdlib;
use crate::run::namespace::{self, Confinement};
use crate::run::{ordinary_user, rootless};
use printer::{Printer, When};

/// An interpreter for image recipes: Rhai scripts that become Linux root file systems.
#[derive(Debug, Parser)]
#[command(name = "rootwright", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// A folder that stands for the embedded stdlib
    #[arg(long, global = true, value_name = "DIR")]
    stdlib: Option<PathBuf>,
    /// Where layers and logs are kept
    #[arg(long, global = true, value_name = "DIR", env = "ROOTWRIGHT_STORE")]
    store: Option<PathBuf>,
    /// How errors are written
    #[arg(long, global = true, value_enum, default_value_t = ErrorFormat::Human)]
    error_format: ErrorFormat,
    /// Whether output is coloured
    #[arg(long, global = true, value_enum, default_value_t = When::Auto)]
    color: When,
    /// Build without confinement: everything that a recipe runs is root on this host
    #[arg(long, global = true)]
    unconfined: bool,
    #[arg(skip)]
    projects: repository::Projects,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ErrorFormat {
    Human,
    Json,
    Short,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a recipe repository that builds at once
    New(new::Args),
    /// Show what a recipe would do; changes nothing, needs no privileges
    Plan(plan::Args),
    /// Run recipes
    Build(build::Args),
    /// Run a plan from a bundle, without its recipe
    Apply(apply::Args),
    /// Boot an export as its nodes will, and check that it works
    Boot(boot::Args),
    /// Open a shell in a root of the last build; what it changes is thrown away
    Shell(shell::Args),
    /// Look after the store: layers, downloads, logs
    Cache(cache::Args),
    /// Look at all that can be known before a build: tools, keys, archives, packages, space
    Doctor(doctor::Args),
    /// Look for mistakes in recipes, with every declared choice of every option
    Check(check::Args),
    /// Look for what breaks in a root that many machines share
    Lint(lint::Args),
    /// List the recipes of a folder
    List(list::Args),
    /// Compare two plans, or two roots that were built
    Diff(diff::Args),
    /// Look after exports: list, roll back, remove versions
    Export(export::Args),
    /// Describe a recipe and its options
    Show(show::Args),
    /// Show the reference of the language: built-ins, and the stdlib's functions
    Docs(docs::Args),
    /// Print a script that completes command lines in a shell
    Completions(completions::Args),
    /// Say what may stand at the end of a command line; for the scripts of `completions`
    #[command(hide = true)]
    Complete(completions::Words),
    /// Write the man pages
    Man(man::Args),
    /// Run the tests of recipes: the functions `test_…` of files `*_test.rhai`
    Test(test::Args),
    /// Add a library from git to the repository, and pin it
    Add(library::Add),
    /// Pin libraries to what is newest of what rootwright.toml asks for
    Update(library::Update),
    /// Put copies of libraries into the repository
    Vendor(library::Vendor),
}

/// A recipe and its options.
#[derive(Debug, Args)]
struct RecipeArgs {
    /// The recipe: a file, or the name of one of the repository
    #[arg(value_parser = repository::recipe, add = completions::recipes())]
    recipe: PathBuf,
    #[command(flatten)]
    chosen: Chosen,
}

/// How a recipe is evaluated.
#[derive(Clone, Debug, Default, Args)]
struct Chosen {
    /// Set an option of the recipe
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = pair, add = completions::options())]
    options: Vec<(String, String)>,
    /// Let the recipe itself, and not only the stdlib, run commands on the host
    #[arg(long)]
    allow_host_run: bool,
}

/// A result for people, or as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("an option is given as NAME=VALUE".to_owned()),
    }
}

fn secret_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("a secret is given as NAME=FILE".to_owned()),
    }
}

/// A length of time: `90s`, `30m`, `12h`, `7d`.
fn age(text: &str) -> Result<std::time::Duration, String> {
    project::age(text)
        .ok_or_else(|| "a length of time is a number and `s`, `m`, `h` or `d`: `7d`".to_owned())
}

type Done = Result<ExitCode, Trouble>;

const UNCONFINED: &str = "warning: unconfined: whatever this recipe, its packages and its images run is root on this host";

/// Enters the namespaces of builds. In the outer process it ends with the status of the inner
/// one, after that has ended.
fn namespaces(offline: bool, global: &Global, printer: &Printer) -> Result<(), Trouble> {
    let confinement = match global.unconfined {
        true => Confinement::Unconfined,
        false => Confinement::Confined,
    };
    if global.unconfined
        && let Some(report) = preflight::own_host("`--unconfined`")
    {
        return Err(report.into());
    }
    own_files()?;
    match namespace::enter(offline, confinement)? {
        namespace::BuildProcess::Inner => {
            if global.unconfined {
                printer.say(UNCONFINED);
            }
            Ok(())
        }
        namespace::BuildProcess::Outer(code) => Err(Trouble::exit(u8::try_from(code).unwrap_or(1))),
    }
}

/// Makes this process root of a user namespace, where it isn't root: layers and exports of an
/// ordinary user belong to the user's subordinate IDs.
fn own_files() -> Result<(), Trouble> {
    match preflight::privileges() {
        Some(report) => Err(report.into()),
        None if rustix::process::geteuid().is_root() => Ok(()),
        // It needs a single thread.
        None => rootless::become_root().map_err(|obstacle| obstacle.report().into()),
    }
}

impl Global {
    /// The same, for whoever goes to another folder.
    fn absolute(self) -> Self {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Global {
            stdlib: self.stdlib.map(absolute),
            store: self.store.map(absolute),
            ..self
        }
    }

    fn settings(&self, recipe: &Path, chosen: &Chosen) -> Result<Settings, Trouble> {
        let allow_host_run = chosen.allow_host_run;
        Ok(Settings {
            options: chosen.options.clone(),
            permissions: Permissions { allow_host_run },
            ..self.plain_settings(recipe)?
        })
    }

    /// Those for an evaluation of which nothing runs.
    fn permissive_settings(&self, recipe: &Path) -> Result<Settings, Trouble> {
        let allow_host_run = true;
        Ok(Settings {
            permissions: Permissions { allow_host_run },
            ..self.plain_settings(recipe)?
        })
    }

    fn plain_settings(&self, recipe: &Path) -> Result<Settings, Trouble> {
        Ok(Settings {
            stdlib: self.stdlib.clone(),
            project: self.project(recipe)?,
            ..Settings::default()
        })
    }

    /// How to ask programs for the versions that matter.
    fn versions(&self) -> Result<Versions, Trouble> {
        let table = Stdlib::new(self.stdlib.clone()).text("host/versions.toml");
        Versions::new(&table.unwrap_or_default()).map_err(|error| {
            let message = format!("the stdlib's table of versions cannot be read: {error}");
            Report::new("host::versions", message).into()
        })
    }

    /// The command line's, the project's, else the system's cache, or that of an ordinary user.
    fn store(&self, project: &Project) -> PathBuf {
        let given = self.store.as_ref().or(project.store.as_ref());
        let own = || user_cache().filter(|_| ordinary_user::is_ordinary_user());
        let default = || PathBuf::from("/var/cache/rootwright");
        given.cloned().or_else(own).unwrap_or_else(default)
    }
}

/// The person's own folder for what can be made again.
fn user_cache() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("rootwright"))
}

/// The definition of the command line.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Whether words, the program's name first, are a command line; runs nothing.
///
/// # Errors
/// What is wrong with them, or the help or version that they ask for.
pub fn check_usage<I, T>(words: I) -> Result<(), clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    Cli::try_parse_from(words).map(drop)
}

/// Prints what is wrong with the words, or the help or version that they ask for.
fn wrong_usage(error: &clap::Error, words: &[std::ffi::OsString]) -> ExitCode {
    let style = usage::style(words);
    // Who gives no command at all wants to know what there is.
    let bare = error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    match usage::report(error).filter(|_| !bare || style != Style::Human) {
        Some(report) => {
            Printer::new(style, When::Auto).reports(&[report], &SourceMap::default());
            ExitCode::from(2)
        }
        None => {
            // A reader that has gone away (`| head`) is no failure.
            let _ = error.print();
            ExitCode::from(if bare { 2 } else { 0 })
        }
    }
}

/// Parses, dispatches, prints the error.
pub fn main() -> ExitCode {
    let started_by_a_build =
        crate::run::sandbox::process().or_else(crate::run::user_namespace::holder);
    if let Some(code) = started_by_a_build {
        return code;
    }
    let words: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return wrong_usage(&error, &words),
    };
    let style = match cli.global.error_format {
        ErrorFormat::Human => Style::Human,
        ErrorFormat::Json => Style::Json,
        ErrorFormat::Short => Style::Short,
    };
    let printer = Printer::new(style, cli.global.color);
    // For those who look for a fault in rootwright itself: ROOTWRIGHT_LOG=debug.
    let filter = std::env::var("ROOTWRIGHT_LOG").ok();
    if let Some(filter) = filter.and_then(|text| text.parse::<Targets>().ok()) {
        let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        tracing_subscriber::registry()
            .with(log.with_filter(filter))
            .init();
    }
    let done = match cli.command {
        Command::New(args) => new::run(&args, &cli.global, &printer),
        Command::Plan(args) => plan::run(&args, &cli.global, &printer),
        Command::Build(args) => build::run(&args, &cli.global, &printer),
        Command::Apply(args) => apply::run(&args, &cli.global, &printer),
        Command::Boot(args) => boot::run(&args, &cli.global, &printer),
        Command::Shell(args) => shell::run(&args, &cli.global, &printer),
        Command::Cache(args) => cache::run(&args, &cli.global, &printer),
        Command::Doctor(args) => doctor::run(&args, &cli.global, &printer),
        Command::Check(args) => check::run(&args, &cli.global, &printer),
        Command::Lint(args) => lint::run(&args, &cli.global, &printer),
        Command::List(args) => list::run(&args, &printer),
        Command::Export(args) => export::run(&args, &printer),
        Command::Show(args) => show::run(&args, &cli.global, &printer),
        Command::Diff(args) => diff::run(&args, &cli.global, &printer),
        Command::Docs(args) => docs::run(&args, &cli.global, &printer),
        Command::Completions(args) => completions::run(&args, &printer),
        Command::Complete(args) => completions::complete(args, cli.global, &printer),
        Command::Man(args) => man::run(&args, &printer),
        Command::Test(args) => test::run(&args, &cli.global.absolute(), &printer),
        Command::Add(args) => library::add(&args, &cli.global, &printer),
        Command::Update(args) => library::update(&args, &cli.global, &printer),
        Command::Vendor(args) => library::vendor(&args, &cli.global, &printer),
    };
    done.unwrap_or_else(|trouble| {
        printer.reports(&trouble.reports, &trouble.sources);
        ExitCode::from(trouble.code)
    })
}
