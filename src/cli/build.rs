//! `rootwright build`

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::printer::Printer;
use super::progress::{LogFormat, Progress};
use super::{Chosen, Done, Global, namespaces, repository};
use crate::build::cache::Refresh;
use crate::build::preflight::privileges_for;
use crate::build::{self, BuildResult, Request, Source, Stopped};
use crate::diagnose::Trouble;
use crate::plan::Plan;
use crate::project::Project;
use crate::recipe::Settings;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recipes, by file or name, or folders of them
    #[arg(required = true, value_parser = super::repository::recipe, add = super::completions::recipes())]
    recipes: Vec<PathBuf>,
    /// Set an option of the recipes that have it
    #[arg(short = 'o', long = "option", value_name = "NAME=VALUE", value_parser = super::pair, add = super::completions::options())]
    options: Vec<(String, String)>,
    #[command(flatten)]
    how: How,
}

/// How plans run, whether they come from recipes or from a bundle.
#[derive(Debug, Default, clap::Args)]
pub struct How {
    /// Let the recipes themselves, and not only the stdlib, run commands on the host
    #[arg(long)]
    pub allow_host_run: bool,
    /// The folder that exports go to
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// How many layers are made at a time [default: the number of processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
    /// Make layers again whose archives have changed, or those only that are older: 12h, 7d
    #[arg(long, value_name = "AGE", num_args = 0..=1, require_equals = true, default_missing_value = "0s", value_parser = super::age)]
    refresh: Option<Duration>,
    /// Build without any network, from what is in the store
    #[arg(long)]
    pub offline: bool,
    /// Install host tools that are missing, with the host's package manager
    #[arg(long)]
    install_tools: bool,
    /// Take a secret's value from a file
    #[arg(long = "secret", value_name = "NAME=FILE", value_parser = super::secret_file)]
    secrets: Vec<(String, PathBuf)>,
    /// Show everything that commands print
    #[arg(short, long)]
    verbose: bool,
    /// How progress is written
    #[arg(long, value_enum, default_value_t = LogFormat::Human)]
    log_format: LogFormat,
}

pub fn run(args: &Args, global: &Global, printer: &Printer) -> Done {
    privileges_for(|| recipes(args, global))?;
    namespaces(args.how.offline, global, printer)?;
    make(args, &|_| Vec::new(), global, printer)?;
    Ok(ExitCode::SUCCESS)
}

/// The recipes with their settings.
fn recipes(args: &Args, global: &Global) -> Result<Vec<(PathBuf, Settings)>, Trouble> {
    let mut recipes = Vec::new();
    for path in &args.recipes {
        match path.is_dir() {
            true => recipes.extend(repository::recipes(path)?),
            false => recipes.push(path.clone()),
        }
    }
    let shared_options = recipes.len() > 1;
    let chosen = Chosen {
        options: args.options.clone(),
        allow_host_run: args.how.allow_host_run,
    };
    let settings = |recipe: PathBuf| {
        let settings = Settings {
            shared_options,
            ..global.settings(&recipe, &chosen)?
        };
        Ok((recipe, settings))
    };
    recipes.into_iter().map(settings).collect()
}

impl Args {
    /// One recipe, for a command that needs it built.
    pub(super) fn of(
        recipe: PathBuf,
        chosen: Chosen,
        out: &Path,
        secrets: &[(String, PathBuf)],
    ) -> Self {
        Args {
            recipes: vec![recipe],
            options: chosen.options,
            how: How {
                allow_host_run: chosen.allow_host_run,
                out: out.to_owned(),
                secrets: secrets.to_vec(),
                ..How::default()
            },
        }
    }
}

impl How {
    /// `rootwright shell` with the flags that decide what it opens.
    fn shell(&self, global: &Global) -> Vec<String> {
        let mut words = vec!["rootwright".to_owned(), "shell".to_owned()];
        for (name, folder) in [("--store", &global.store), ("--stdlib", &global.stdlib)] {
            if let Some(folder) = folder {
                words.extend([name.to_owned(), folder.display().to_string()]);
            }
        }
        // Without it the recipe would be refused before its root is looked for.
        if self.allow_host_run {
            words.push("--allow-host-run".to_owned());
        }
        words
    }
}

/// Builds, inside the namespaces; the exit status if the build was interrupted. `programs`
/// are needed for what comes after it.
pub(super) fn make(
    args: &Args,
    programs: &dyn Fn(&Plan) -> Vec<(String, &'static str)>,
    global: &Global,
    printer: &Printer,
) -> Result<BuildResult, Trouble> {
    let recipes = recipes(args, global)?;
    let first = recipes.first();
    let project = first.map_or_else(Project::default, |(_, settings)| settings.project.clone());
    let (several, how) = (recipes.len() > 1, &args.how);
    let source = Source::Recipes(recipes);
    execute(source, how, &project, several, programs, global, printer)
}

/// Builds from any source.
pub(super) fn execute(
    source: Source,
    how: &How,
    project: &Project,
    several: bool,
    programs: &dyn Fn(&Plan) -> Vec<(String, &'static str)>,
    global: &Global,
    printer: &Printer,
) -> Result<BuildResult, Trouble> {
    let progress = Progress::new(how.log_format, how.verbose, several, printer);
    let request = Request {
        source,
        store: global.store(project),
        out: std::path::absolute(&how.out).unwrap_or_else(|_| how.out.clone()),
        secrets: how.secrets.clone(),
        versions: global.versions()?,
        refresh: match how.refresh.or(project.refresh) {
            Some(age) => Refresh::OlderThan(age),
            None => Refresh::Never,
        },
        jobs: how.jobs.unwrap_or_else(processors),
        offline: how.offline,
        install_tools: how.install_tools,
        programs,
        shell: how.shell(global),
    };
    match build::build(&request, &progress) {
        Ok(result) => {
            progress.done(&result);
            Ok(result)
        }
        Err(Stopped::Failed(trouble)) => {
            progress.clear();
            Err(trouble)
        }
        Err(Stopped::Interrupted) => {
            progress.clear();
            printer.say("interrupted: what ran is stopped, nothing is left mounted, finished layers are kept");
            Err(Trouble::exit(130))
        }
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
