//! What has to be there before the first step runs: all that is missing, at once.

pub mod checks;
mod exports;
pub mod host;
mod report;

pub use exports::check as exports;
pub use report::{
    Checkup, Depth, IN_A_BUILD, IN_A_DOCTOR, State, host_tools, install, plain, secret_files,
    without_privileges,
};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::diagnose::Report;
use crate::plan::{NeedKind, Op, Plan};
use crate::preview::secret_variable;
use crate::run::MissingSecret;
use crate::run::process::{Process, find_program};

/// Which tool comes with which package, by family of hosts; data of the stdlib.
#[derive(Debug, Deserialize)]
pub struct HostTools {
    families: BTreeMap<String, Family>,
    tools: BTreeMap<String, BTreeMap<String, String>>,
    /// Versions below which a tool lacks what it is used for.
    #[serde(default)]
    minimum: BTreeMap<String, Minimum>,
    /// The family of this host.
    #[serde(skip)]
    family: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Family {
    /// Values of `ID` and `ID_LIKE` in os-release(5).
    ids: Vec<String>,
    /// The command that brings the package lists up to date, where one is needed.
    #[serde(default)]
    refresh: Vec<String>,
    /// The command that installs packages, without their names.
    install: Vec<String>,
    /// What these commands find in their environment.
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Minimum {
    /// The command that prints the version: the first number with a point or of two digits
    /// and more in its first line.
    command: Vec<String>,
    version: String,
    why: String,
}

/// Something that the plan needs and the host lacks.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing {
    pub name: String,
    pub why: String,
    /// The package that brings it on this host, if the table knows one.
    pub package: Option<String>,
}

impl HostTools {
    /// Reads the table, and which family the host with this os-release(5) is of.
    ///
    /// # Errors
    /// What is wrong with the table.
    pub fn new(table: &str, os_release: &str) -> Result<Self, String> {
        let mut tools: HostTools = toml::from_str(table).map_err(|error| error.to_string())?;
        let ids: Vec<&str> = ["ID=", "ID_LIKE="]
            .iter()
            .flat_map(|key| {
                os_release
                    .lines()
                    .filter_map(move |line| line.strip_prefix(*key))
            })
            .flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
            .collect();
        // The host's own ID comes first: it decides before what it is like.
        tools.family = ids.iter().find_map(|id| {
            let family = tools
                .families
                .iter()
                .find(|(_, family)| family.ids.iter().any(|known| known == id));
            family.map(|(name, _)| name.clone())
        });
        Ok(tools)
    }

    /// The package of this host's family.
    pub fn package<'a>(&'a self, packages: &'a BTreeMap<String, String>) -> Option<String> {
        packages.get(self.family.as_ref()?).cloned()
    }

    /// The report with the command that installs what would cure it, and that package, where
    /// this host has one.
    pub fn cured_by(
        &self,
        report: Report,
        packages: &BTreeMap<String, String>,
    ) -> (Report, Option<String>) {
        let Some(package) = self.package(packages) else {
            return (report, None);
        };
        let command = self.install_command(&BTreeSet::from([package.clone()]));
        let report = match command {
            Some(command) => report.next(crate::plan::command::quote_all(&command)),
            None => report,
        };
        (report, Some(package))
    }

    /// Tools of the plan that are there, but too old.
    pub fn too_old(&self, plan: &Plan) -> Vec<Report> {
        let wanted = wanted(plan);
        let used = self
            .minimum
            .iter()
            .filter(|(tool, _)| wanted.contains_key(*tool));
        used.filter_map(|(tool, minimum)| {
            let output = Process::new(&minimum.command).capture(1 << 16).ok()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let number = |c: char| c.is_ascii_digit() || c == '.';
            let version = text
                .lines()
                .next()?
                .split(|c: char| !number(c))
                .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?
                .trim_end_matches('.')
                .to_owned();
            let parts = |version: &str| -> Vec<u64> {
                version
                    .split('.')
                    .filter_map(|part| part.parse().ok())
                    .collect()
            };
            (parts(&version) < parts(&minimum.version)).then(|| {
                Report::new(
                    "host::too_old",
                    format!(
                        "`{tool}` is too old: {version}, and {} is needed",
                        minimum.version
                    ),
                )
                .cause(minimum.why.clone())
                .help("install a newer one, or build on a newer host")
            })
        })
        .collect()
    }

    /// Those of the programs, each with what it is for, that this host lacks.
    pub fn lacking<'a>(
        &self,
        programs: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Vec<Missing> {
        programs
            .into_iter()
            .filter(|(tool, _)| find_program(tool).is_none())
            .map(|(name, why)| Missing {
                package: self
                    .tools
                    .get(name)
                    .and_then(|packages| self.package(packages)),
                name: name.clone(),
                why: why.clone(),
            })
            .collect()
    }

    /// The command to run before packages are installed, if the host needs one.
    pub fn refresh_command(&self) -> Option<&[String]> {
        let family = self.families.get(self.family.as_ref()?)?;
        (!family.refresh.is_empty()).then_some(family.refresh.as_slice())
    }

    /// What the commands that install find in their environment.
    pub fn install_environment(&self) -> impl Iterator<Item = (&String, &String)> {
        let family = self
            .family
            .as_ref()
            .and_then(|name| self.families.get(name));
        family.into_iter().flat_map(|family| &family.environment)
    }

    /// The command that installs packages; `None` where the host is not known, or there
    /// are none.
    pub fn install_command(&self, packages: &BTreeSet<String>) -> Option<Vec<String>> {
        let mut command = self.families.get(self.family.as_ref()?)?.install.clone();
        if packages.is_empty() {
            return None;
        }
        command.extend(packages.iter().cloned());
        Some(command)
    }
}

/// The host's programs that a plan runs, and what for.
fn wanted(plan: &Plan) -> BTreeMap<String, String> {
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    let mut want = |tool: &str, why: String| {
        wanted.entry(tool.to_owned()).or_insert(why);
    };
    if !plan.archives.is_empty() {
        want("curl", "the state of archives".to_owned());
    }
    if !plan.keyrings.is_empty() {
        want("gpg", "the keys that packages are checked with".to_owned());
    }
    for step in &plan.steps {
        for action in &step.actions {
            let why = format!("step {}, {}", step.number, step.label);
            match &action.op {
                Op::HostRun(run) => {
                    for program in run.programs() {
                        want(program, why.clone());
                    }
                }
                Op::NspawnRun(_) | Op::NspawnBoot(_) => {
                    want("systemd-nspawn", "commands inside of roots".to_owned());
                }
                Op::Fetch(_) => want("curl", why),
                Op::Export(export) => {
                    if !export.packages.is_empty() {
                        want(
                            "systemd-nspawn",
                            "the list of an export's packages".to_owned(),
                        );
                    }
                    for tool in export.format.tools() {
                        want(tool, why.clone());
                    }
                }
                Op::ExpectBoot(expect) => {
                    for program in &expect.programs {
                        want(program, why.clone());
                    }
                }
                _ => {}
            }
            if action.only_if.is_some() {
                want("systemd-nspawn", "commands inside of roots".to_owned());
            }
        }
    }
    wanted
}

/// The tools and files that a plan needs and this host lacks.
pub fn missing(plan: &Plan, tools: &HostTools) -> Vec<Missing> {
    let mut missing = tools.lacking(&wanted(plan));
    for need in &plan.needs {
        let there = match need.kind {
            NeedKind::File => Path::new(&need.name).is_file(),
            NeedKind::Tool => find_program(&need.name).is_some(),
        };
        if !there {
            missing.push(Missing {
                name: need.name.clone(),
                why: need.why.clone(),
                package: tools.package(&need.packages),
            });
        }
    }
    missing
}

/// One report for all that is missing.
pub fn report(missing: &[Missing], tools: &HostTools) -> Report {
    let lines: Vec<String> = missing
        .iter()
        .map(|missing| match &missing.package {
            Some(package) => format!("`{}` ({}): package {package}", missing.name, missing.why),
            None => format!("`{}` ({})", missing.name, missing.why),
        })
        .collect();
    let message = match missing.len() {
        1 => "this host lacks one thing that is needed".to_owned(),
        count => format!("this host lacks {count} things that are needed"),
    };
    let mut report = Report::new("host::missing", message).cause(lines.join("\n"));
    let packages = missing.iter().filter_map(|m| m.package.clone()).collect();
    report = match tools.install_command(&packages) {
        Some(command) => {
            let command = crate::plan::command::quote_all(&command);
            report
                .help("`rootwright doctor --fix` installs them, and so does `--install-tools` of a build")
                .next(command)
        }
        None => report.help("install them with the host's package manager"),
    };
    report
}

/// Privileges: what cannot be installed.
pub fn privileges() -> Option<Report> {
    if rustix::process::geteuid().is_root() {
        return None;
    }
    let own: Vec<String> = std::env::args().collect();
    Some(
        Report::new("host::privileges", "root privileges are needed")
            .cause("roots have device nodes, owners and mounts; what changes stays within the store and the output folder")
            .help("`rootwright plan` shows what would run, without privileges")
            .next(format!("sudo {}", crate::plan::command::quote_all(&own))),
    )
}

/// A report for each secret that has no value, at the call that needs it.
pub fn secrets(missing: &[MissingSecret]) -> impl Iterator<Item = Report> {
    missing.iter().map(|MissingSecret { name, why, calls }| {
        Report::new("host::secrets", format!("the secret `{name}` has no value"))
            .trace(calls.clone())
            .cause(why.clone())
            .help(format!(
                "`--secret {name}=FILE` takes it from a file, `{}` from the environment",
                secret_variable(name)
            ))
    })
}
