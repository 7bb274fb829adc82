//! Everything that can be checked before the first step runs. All problems are reported at
//! once, with their fixes; what was checked for one plan is not checked again for the next.

mod call_site;
mod disk_space;
mod environment;
mod host_root;
mod host_tools;
mod keyrings;
mod offline;
mod output_folder;
mod overlay;
mod plan_checks;
mod privileges;
mod rootless;
mod secrets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

pub use host_root::own_host;
pub use host_tools::HostTools;
pub use offline::check as offline;
pub use output_folder::check as exports;
pub use privileges::{privileges, privileges_for};

use crate::diagnose::{Report, SourceMap, Trouble};
use crate::plan::{Key, Plan, Step};
use crate::preview::StepStatus;
use crate::recipe::stdlib::Stdlib;
use crate::run;

/// How long a check of the plan may take before a build, which fails by itself later.
pub const BUILD_TIMEOUT: Duration = Duration::from_secs(8);
/// How long it may take in `doctor`.
pub const DOCTOR_TIMEOUT: Duration = Duration::from_secs(60);

/// Checks plans on this host.
pub struct Preflight {
    tools: HostTools,
    timeout: Duration,
    /// Files of secrets, by name.
    secret_files: Vec<(String, PathBuf)>,
    checked: BTreeSet<Checked>,
}

/// What one look is enough for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Checked {
    Overlay,
    /// Space for the builds of a recipe.
    Space(String),
    Version(String),
    PlanCheck(Key),
}

/// A plan to check.
pub struct Subject<'a> {
    pub plan: &'a Plan,
    pub sources: &'a SourceMap,
    /// The numbers of the steps that will run.
    pub steps: BTreeSet<usize>,
    /// Whether packages will be downloaded, so that repositories are checked.
    pub repositories: bool,
    /// Programs that are needed beside the plan's own, with what for.
    pub programs: BTreeMap<String, String>,
}

impl<'a> Subject<'a> {
    /// A build; `status` says which of its steps will run.
    pub fn build(
        plan: &'a Plan,
        sources: &'a SourceMap,
        status: &BTreeMap<usize, StepStatus>,
        offline: bool,
    ) -> Self {
        let runs = |step: &&Step| {
            let status = status.get(&step.number);
            matches!(status, Some(StepStatus::Runs(_) | StepStatus::Follows(_)))
        };
        let mut steps = plan.steps.iter().filter(runs);
        Subject {
            steps: steps.clone().map(|step| step.number).collect(),
            repositories: !offline && steps.any(|step| !step.repositories.is_empty()),
            plan,
            sources,
            programs: BTreeMap::new(),
        }
    }

    /// Everything, as if no step had run before.
    pub fn everything(plan: &'a Plan, sources: &'a SourceMap) -> Self {
        Subject {
            steps: plan.steps.iter().map(|step| step.number).collect(),
            repositories: true,
            plan,
            sources,
            programs: BTreeMap::new(),
        }
    }
}

/// What the checks found.
#[derive(Default)]
pub struct Findings {
    /// Every check, in order.
    pub checks: Vec<(String, Status)>,
    pub errors: Vec<Report>,
    pub warnings: Vec<Report>,
    /// Packages of this host that would fix something.
    pub packages: BTreeSet<String>,
}

/// The result of one check.
pub enum Status {
    Ok,
    Failed,
    /// It could not be checked, and why.
    Unknown(String),
}

impl Findings {
    fn add(&mut self, what: impl Into<String>, errors: impl IntoIterator<Item = Report>) {
        let before = self.errors.len();
        self.errors.extend(errors);
        let status = match self.errors.len() == before {
            true => Status::Ok,
            false => Status::Failed,
        };
        self.checks.push((what.into(), status));
    }

    pub fn unknown(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.checks.push((what.into(), Status::Unknown(why.into())));
    }
}

impl Preflight {
    /// # Errors
    /// When the stdlib's table of host tools cannot be read.
    pub fn new(
        stdlib: &Stdlib,
        secret_files: &[(String, PathBuf)],
        timeout: Duration,
    ) -> Result<Self, Trouble> {
        Ok(Preflight {
            tools: HostTools::load(stdlib)?,
            timeout,
            secret_files: secret_files.to_vec(),
            checked: BTreeSet::new(),
        })
    }

    /// Checks a plan. The values of its secrets are added to `settings`.
    pub fn check(&mut self, subject: &Subject<'_>, settings: &mut run::Settings) -> Findings {
        let mut findings = Findings::default();
        let (plan, found) = (subject.plan, &mut findings);
        host_tools::check(subject, &self.tools, &mut self.checked, found);
        secrets::check(plan, &self.secret_files, &mut settings.secrets, found);
        environment::check(plan, settings, found);
        rootless::check(plan, found);
        let out = format!("the output folder {}", settings.out.display());
        found.add(out, output_folder::check(plan, &settings.out));
        if subject.steps.is_empty() {
            return findings;
        }
        let recipe = plan.recipe.path.clone();
        if self.checked.insert(Checked::Space(recipe)) {
            disk_space::check(plan, settings, found);
        }
        if self.checked.insert(Checked::Overlay) {
            overlay::check(&settings.store, found);
        }
        // Before the plan's checks, which use the keys.
        keyrings::check(subject, &self.tools, settings, found);
        let environment = plan_checks::Environment {
            tools: &self.tools,
            sources: subject.sources,
            cache: &settings.store.root().join("checks"),
            timeout: self.timeout,
            repositories: subject.repositories,
            settings,
        };
        plan_checks::check(plan, &environment, &mut self.checked, found);
        findings
    }

    /// Checks a plan, installs the packages that would fix something, and checks it again.
    ///
    /// # Errors
    /// When the packages cannot be installed.
    pub fn check_and_install(
        &mut self,
        subject: &Subject<'_>,
        settings: &mut run::Settings,
        tell: &dyn Fn(&str),
    ) -> Result<Findings, Trouble> {
        let before = self.checked.clone();
        let findings = self.check(subject, settings);
        if findings.packages.is_empty() {
            return Ok(findings);
        }
        host_tools::install(&findings.packages, &self.tools, tell)?;
        self.checked = before;
        Ok(self.check(subject, settings))
    }

    /// An error for the programs, given with what they are for, that this host does not have.
    pub fn programs(&self, programs: &BTreeMap<String, String>) -> Option<Report> {
        host_tools::missing_programs(programs, &self.tools)
    }
}
