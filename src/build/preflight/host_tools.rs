//! Programs and files of the host: what a plan needs, what is missing, and how to install it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use super::host_root::own_host;
use super::{Checked, Findings, Subject};
use crate::diagnose::{Report, Trouble};
use crate::plan::command::quote_all;
use crate::plan::{NeedKind, Op, Plan};
use crate::recipe::stdlib::Stdlib;
use crate::run::process::{Process, find_program};
use crate::store::owners::in_namespace;

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

/// A program or file that the plan needs and the host does not have.
#[derive(Debug, PartialEq, Eq)]
pub struct MissingTool {
    name: String,
    why: String,
    /// The package of this host that contains it, if the table knows one.
    package: Option<String>,
}

impl HostTools {
    /// Reads the table, and which family the host with this os-release(5) is of.
    ///
    /// # Errors
    /// What is wrong with the table.
    pub fn new(table: &str, os_release: &str) -> Result<Self, String> {
        let mut tools: HostTools = toml::from_str(table).map_err(|error| error.to_string())?;
        // The host's own ID comes first: it decides before what it is like.
        let values = ["ID=", "ID_LIKE="].into_iter().flat_map(|key| {
            let lines = os_release.lines();
            lines.filter_map(move |line| line.strip_prefix(key))
        });
        let mut ids = values.flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace());
        tools.family = ids.find_map(|id| {
            let mut families = tools.families.iter();
            let (name, _) = families.find(|(_, family)| family.ids.iter().any(|own| own == id))?;
            Some(name.clone())
        });
        Ok(tools)
    }

    /// The stdlib's table, for this host.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn load(stdlib: &Stdlib) -> Result<Self, Trouble> {
        let table = stdlib.text("host/tools.toml").unwrap_or_default();
        let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        HostTools::new(&table, &os_release).map_err(|error| {
            let message = format!("the stdlib's table of host tools cannot be read: {error}");
            Report::new("host::tools", message).into()
        })
    }

    fn family(&self) -> Option<&Family> {
        self.families.get(self.family.as_ref()?)
    }

    /// The package of this host's family.
    fn package<'a>(&'a self, packages: &'a BTreeMap<String, String>) -> Option<String> {
        packages.get(self.family.as_ref()?).cloned()
    }

    /// The report with the command that installs the package that would fix it, and that
    /// package, if this host has one.
    pub fn fixed_by(
        &self,
        report: Report,
        packages: &BTreeMap<String, String>,
    ) -> (Report, Option<String>) {
        let package = self.package(packages);
        let command = self.install_command(&package.clone().into_iter().collect());
        let report = match command {
            Some(command) => report.next(quote_all(&command)),
            None => report,
        };
        (report, package)
    }

    /// Tools of the plan that are older than the table's minimum, each looked at once.
    fn too_old(&self, plan: &Plan, checked: &mut BTreeSet<Checked>) -> Vec<Report> {
        let wanted = wanted(plan);
        let used = self.minimum.iter().filter(|(tool, _)| {
            wanted.contains_key(*tool) && checked.insert(Checked::Version((*tool).clone()))
        });
        used.filter_map(|(tool, minimum)| {
            let version = version(&minimum.command)?;
            let parts = |version: &str| -> Vec<u64> {
                let parts = version.split('.');
                parts.filter_map(|part| part.parse().ok()).collect()
            };
            (parts(&version) < parts(&minimum.version)).then(|| {
                let needed = &minimum.version;
                let message = format!("`{tool}` is too old: {version}, and {needed} is needed");
                Report::new("host::too_old", message)
                    .cause(minimum.why.clone())
                    .help("install a newer one, or build on a newer host")
            })
        })
        .collect()
    }

    /// The programs, of these and what they are for, that this host does not have.
    fn missing_programs<'a>(
        &self,
        programs: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Vec<MissingTool> {
        programs
            .into_iter()
            .filter(|(tool, _)| find_program(tool).is_none())
            .map(|(name, why)| MissingTool {
                package: self.package_of(name),
                name: name.clone(),
                why: why.clone(),
            })
            .collect()
    }

    /// The package that brings a program, if the table knows one.
    pub(super) fn package_of(&self, program: &str) -> Option<String> {
        self.package(self.tools.get(program)?)
    }

    /// The command that installs packages; `None` where the host is not known, or there
    /// are none.
    pub(super) fn install_command(&self, packages: &BTreeSet<String>) -> Option<Vec<String>> {
        let mut command = self.family()?.install.clone();
        if packages.is_empty() {
            return None;
        }
        command.extend(packages.iter().cloned());
        Some(command)
    }
}

/// The first number in the first line of what a command prints.
fn version(command: &[String]) -> Option<String> {
    let output = Process::new(command).capture(1 << 16).ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = text
        .lines()
        .next()?
        .split(|c: char| !c.is_ascii_digit() && c != '.');
    let word = words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(word.trim_end_matches('.').to_owned())
}

/// Programs and files of the host, and the versions of programs if steps will run.
pub fn check(
    subject: &Subject<'_>,
    tools: &HostTools,
    checked: &mut BTreeSet<Checked>,
    findings: &mut Findings,
) {
    let missing = missing(subject.plan, &subject.programs, tools);
    let packages = missing.iter().filter_map(|missing| missing.package.clone());
    findings.packages.extend(packages);
    findings.add("tools and files of the host", report(&missing, tools));
    if !subject.steps.is_empty() {
        // Asking for versions takes as long as a build that has nothing to do.
        let too_old = tools.too_old(subject.plan, checked);
        findings.add("versions of the host's tools", too_old);
    }
}

/// What of a plan's programs and files this host does not have.
pub fn missing_of(plan: &Plan, tools: &HostTools) -> Option<Report> {
    report(&missing(plan, &BTreeMap::new(), tools), tools)
}

/// Which of these programs, with what they are for, this host does not have.
pub fn missing_programs(programs: &BTreeMap<String, String>, tools: &HostTools) -> Option<Report> {
    let mut report = report(&tools.missing_programs(programs), tools)?;
    // A build's ways to install tools do not know these.
    report.help.clear();
    Some(report)
}

const NSPAWN: &str = "systemd-nspawn";

/// The host's programs that a plan runs, and what for.
fn wanted(plan: &Plan) -> BTreeMap<String, String> {
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    let mut want = |tool: &str, why: String| {
        // Nobody but root of this host may start it.
        if tool == NSPAWN && in_namespace() {
            return;
        }
        wanted.entry(tool.to_owned()).or_insert(why);
    };
    if !plan.repositories.is_empty() {
        want("curl", "the state of archives".to_owned());
    }
    if !plan.keyrings.is_empty() {
        want("gpg", "the keys that packages are checked with".to_owned());
    }
    if !plan.downloads.is_empty() {
        want("curl", "files that are fetched".to_owned());
        want("prlimit", "bounds on files that are fetched".to_owned());
    }
    for step in &plan.steps {
        for action in &step.actions {
            let why = format!("step {}, {}", step.number, step.label);
            match &action.op {
                Op::Run(run) if run.place.is_host() => {
                    for program in run.command.programs() {
                        want(&program, why.clone());
                    }
                }
                Op::Run(_) => want(NSPAWN, "commands inside roots".to_owned()),
                Op::Export(export) => {
                    if export.packages.is_some() {
                        let why = "the list of an export's packages";
                        want(NSPAWN, why.to_owned());
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
                want(NSPAWN, "commands inside roots".to_owned());
            }
        }
    }
    wanted
}

/// The programs and files that a plan needs and this host does not have.
fn missing(
    plan: &Plan,
    programs: &BTreeMap<String, String>,
    tools: &HostTools,
) -> Vec<MissingTool> {
    let mut wanted = wanted(plan);
    for (program, why) in programs {
        wanted.entry(program.clone()).or_insert_with(|| why.clone());
    }
    let mut missing = tools.missing_programs(&wanted);
    for need in &plan.needs {
        let there = match need.kind {
            NeedKind::File => Path::new(&need.name).is_file(),
            NeedKind::Tool => find_program(&need.name).is_some(),
        };
        if !there {
            missing.push(MissingTool {
                name: need.name.clone(),
                why: need.why.clone(),
                package: tools.package(&need.packages),
            });
        }
    }
    missing
}

/// One report for everything that is missing, if anything is.
fn report(missing: &[MissingTool], tools: &HostTools) -> Option<Report> {
    let message = match missing.len() {
        0 => return None,
        1 => "this host lacks one thing that is needed".to_owned(),
        count => format!("this host lacks {count} things that are needed"),
    };
    let lines = missing.iter().map(|missing| match &missing.package {
        Some(package) => format!("`{}` ({}): package {package}", missing.name, missing.why),
        None => format!("`{}` ({})", missing.name, missing.why),
    });
    let lines: Vec<String> = lines.collect();
    let report = Report::new("host::missing", message).cause(lines.join("\n"));
    let packages = missing.iter().filter_map(|m| m.package.clone()).collect();
    Some(match tools.install_command(&packages) {
        Some(command) => report
            .help("`rootwright doctor --fix` and `rootwright build --install-tools` install them")
            .next(quote_all(&command)),
        None => report.help("install them with the host's package manager"),
    })
}

/// Bytes of what a package manager prints.
const MOST_OUTPUT: usize = 16 << 20;

/// Installs packages on this host.
///
/// # Errors
/// When the package manager fails, with what it printed.
pub fn install(
    packages: &BTreeSet<String>,
    tools: &HostTools,
    tell: &dyn Fn(&str),
) -> Result<(), Trouble> {
    if let Some(report) = own_host("installing host tools") {
        return Err(report.into());
    }
    let (Some(family), Some(install)) = (tools.family(), tools.install_command(packages)) else {
        return Ok(());
    };
    let refresh = Some(&family.refresh).filter(|command| !command.is_empty());
    for command in refresh.into_iter().chain([&install]) {
        let shown = quote_all(command);
        tell(&format!("installing host tools: {shown}"));
        let mut process = Process::new(command).merge_errors().changes_the_host();
        for (name, value) in &family.environment {
            process = process.env(name, value);
        }
        let said = match process.capture(MOST_OUTPUT) {
            Ok(output) if output.ended.status.success() => continue,
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) => error.to_string(),
        };
        let lines: Vec<&str> = said.lines().collect();
        let last = lines
            .get(lines.len().saturating_sub(12)..)
            .unwrap_or_default();
        let report = Report::new("host::install", "installing the host tools failed")
            .cause(last.join("\n"))
            .help("run the command by hand, and see what it says");
        return Err(report.next(shown).into());
    }
    Ok(())
}
