//! What doctor and the first second of every build look at, all at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{HostTools, checks, exports, host};
use crate::diagnose::{HintSet, Report, SourceMap, Trouble};
use crate::plan::{Keyring, Plan};
use crate::recipe::{Settings, stdlib::Stdlib};
use crate::run::process::Process;
use crate::run::{self, Secrets, keyrings};

/// How long a check may take before a build, which asks the same again and waits longer.
pub const IN_A_BUILD: Duration = Duration::from_secs(8);
/// How long a check may take that somebody asked for.
pub const IN_A_DOCTOR: Duration = Duration::from_secs(60);

/// How one thing is.
pub enum State {
    Ok,
    Wrong,
    /// It could not be checked.
    Unknown(String),
}

#[derive(Default)]
pub struct Checkup {
    /// Each thing that was looked at, in a few words.
    pub lines: Vec<(String, State)>,
    pub reports: Vec<Report>,
    /// What keeps nobody from building.
    pub warnings: Vec<Report>,
    /// Packages of this host that would cure something.
    pub packages: BTreeSet<String>,
}

/// How far to look.
pub struct Depth {
    /// Also whether programs are missing, and the rest that only a root user can use.
    pub secrets: Vec<(String, PathBuf)>,
    /// Whether packages will be taken from archives, so that these are worth a look.
    pub archives: bool,
    /// The numbers of the steps that will run; nothing is made where there are none.
    pub runs: BTreeSet<usize>,
    /// How long a check may take.
    pub patience: Duration,
}

impl Checkup {
    fn add(&mut self, what: impl Into<String>, reports: impl IntoIterator<Item = Report>) {
        let before = self.reports.len();
        self.reports.extend(reports);
        let state = match self.reports.len() == before {
            true => State::Ok,
            false => State::Wrong,
        };
        self.lines.push((what.into(), state));
    }

    /// Looks at everything; the secrets' values that were found are given back.
    pub fn of(
        plan: &Plan,
        tools: &HostTools,
        settings: &run::Settings,
        depth: &Depth,
        sources: &SourceMap,
    ) -> (Checkup, Secrets) {
        let mut checkup = Checkup::default();
        let missing = super::missing(plan, tools);
        let report = (!missing.is_empty()).then(|| super::report(&missing, tools));
        let packages = missing.iter().filter_map(|m| m.package.clone());
        checkup.packages.extend(packages);
        checkup.add("tools and files of the host", report);
        if !depth.runs.is_empty() {
            // Programs are asked for their versions, which takes as long as a build does
            // that has nothing to make.
            checkup.add("versions of the host's tools", tools.too_old(plan));
        }
        let mut found = Secrets::default();
        match Secrets::for_plans(&[plan], &depth.secrets) {
            Ok(secrets) => found = secrets,
            Err(missing) => checkup.add("secrets", super::secrets(&missing)),
        }
        checkup.add(
            format!("the output folder {}", settings.out.display()),
            exports::check(plan, &settings.out),
        );
        if !depth.runs.is_empty() {
            let store = settings.store.root().display();
            let needed = host::estimate(plan, &settings.store);
            let space = format!("{} MiB of space in the store {store}", needed >> 20);
            checkup.add(space, host::space(settings, needed));
            if let Some(why) = host::room_for_exports(plan, settings, needed) {
                let what = "space for what is exported".to_owned();
                checkup.lines.push((what, State::Unknown(why)));
            }
            checkup.add(
                "overlays on the store's file system",
                host::overlay(&settings.store),
            );
        }
        if !depth.runs.is_empty() {
            // Before the archives: what they are checked with.
            for keyring in keyrings_of(plan, depth) {
                let made = keyrings::ensure(keyring, &settings.store);
                let wrong = made.err().map(|report| {
                    let fields = ["fingerprints", "keyring", "sha256", "key", "release"];
                    let report = checks::at_field(*report, sources, &fields);
                    tools.cured_by(report, &keyring.packages)
                });
                if let Some((_, package)) = &wrong {
                    checkup.packages.extend(package.clone());
                }
                let wrong = wrong.map(|(report, _)| report);
                checkup.add(format!("the keys of {}", keyring.about), wrong);
            }
            let circumstances = checks::Circumstances {
                tools,
                sources,
                cache: &settings.store.root().join("checks"),
                limit: depth.patience,
                archives: depth.archives,
            };
            for checked in checks::run(plan, &circumstances) {
                if !checked.wrong.is_empty() || checked.unknown.is_empty() {
                    checkup.add(checked.about.clone(), checked.wrong);
                }
                for why in checked.unknown {
                    let line = (checked.about.clone(), State::Unknown(why));
                    checkup.lines.push(line);
                }
                checkup.warnings.extend(checked.odd);
                checkup.packages.extend(checked.packages);
            }
        }
        (checkup, found)
    }
}

/// Without root privileges: that, and what of the plans' tools and files this host lacks, so
/// that all of it is said at once.
///
/// # Errors
/// When a table of the stdlib cannot be read.
pub fn without_privileges(
    privileges: Report,
    plans: &[(Settings, Plan)],
) -> Result<Trouble, Trouble> {
    let mut trouble = Trouble::from(privileges);
    for (settings, plan) in plans {
        let tools = host_tools(settings)?;
        let missing = super::missing(plan, &tools);
        if missing.is_empty() {
            continue;
        }
        let report = super::report(&missing, &tools);
        // Several recipes have the same host.
        if !trouble
            .reports
            .iter()
            .any(|known| known.cause == report.cause)
        {
            trouble.reports.push(report);
        }
    }
    Ok(trouble)
}

/// The keyrings that steps name which will run, or checks of archives.
fn keyrings_of<'a>(plan: &'a Plan, depth: &Depth) -> Vec<&'a Keyring> {
    let steps = plan.steps.iter();
    let mut paths: BTreeSet<&str> = steps
        .filter(|step| depth.runs.contains(&step.number))
        .flat_map(|step| keyrings::of_step(plan, step))
        .map(|keyring| keyring.path.as_str())
        .collect();
    if depth.archives {
        let values = plan.checks.iter().flat_map(|check| check.env.values());
        paths.extend(values.map(String::as_str));
    }
    let named = |keyring: &&Keyring| paths.contains(keyring.path.as_str());
    plan.keyrings.iter().filter(named).collect()
}

/// The stdlib's table of host tools, and what family this host is of.
pub fn host_tools(settings: &Settings) -> Result<HostTools, Trouble> {
    let table = Stdlib::new(settings.stdlib.clone())
        .text("host/tools.toml")
        .unwrap_or_default();
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    HostTools::new(&table, &os_release).map_err(|error| {
        Report::new(
            "host::tools",
            format!("the stdlib's table of host tools cannot be read: {error}"),
        )
        .into()
    })
}

/// Bytes of what a package manager prints.
const MOST_OUTPUT: usize = 16 << 20;

/// Installs packages on this host. What the package manager prints is shown when it fails.
pub fn install(
    packages: &BTreeSet<String>,
    tools: &HostTools,
    tell: &dyn Fn(&str),
) -> Result<(), Trouble> {
    let Some(install) = tools.install_command(packages) else {
        return Ok(());
    };
    let commands = tools
        .refresh_command()
        .into_iter()
        .chain([install.as_slice()]);
    for command in commands {
        let shown = crate::plan::command::quote_all(command);
        tell(&format!("installing host tools: {shown}"));
        let mut process = Process::new(command).merge_errors();
        for (name, value) in tools.install_environment() {
            process = process.env(name, value);
        }
        let said = match process.capture(MOST_OUTPUT) {
            Ok(output) if output.ended.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) => error.to_string(),
        };
        let lines: Vec<&str> = said.lines().rev().take(12).collect();
        let lines: Vec<&str> = lines.into_iter().rev().collect();
        return Err(
            Report::new("host::install", "installing the host tools failed")
                .cause(lines.join("\n"))
                .help("run the command by hand, and see what it says")
                .next(shown)
                .into(),
        );
    }
    Ok(())
}

/// Files that secrets are taken from.
pub fn secret_files(secrets: &[(String, String)]) -> Vec<(String, PathBuf)> {
    let files = secrets.iter();
    files
        .map(|(name, file)| (name.clone(), Path::new(file).to_owned()))
        .collect()
}

/// An error of the run as a trouble without hints.
pub fn plain(error: &run::Error) -> Trouble {
    error.report(&HintSet::default()).into()
}
