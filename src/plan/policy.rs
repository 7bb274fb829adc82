//! Policy: each capability of a plan against what the user and the project allow. Nothing else
//! decides.

use super::{Access, Capability, Grant, LibraryUse, PathPurpose, Plan};
use crate::diagnose::Report;

/// What the user allows on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Recipes may run commands and bind paths of the host themselves, and not only through the
    /// standard library.
    pub allow_host_run: bool,
}

/// Whether a capability is allowed, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    Allowed,
    /// The library is not granted it in `rootwright.toml`.
    NoGrant {
        library: &'a str,
        grant: Grant,
    },
    /// The user has to pass `--allow-host-run`.
    NoPermission,
}

/// The grant that a library needs for a capability.
pub fn grant(capability: &Capability) -> Grant {
    match &capability.access {
        Access::Bootstrap { .. } => Grant::Bootstrap,
        Access::HostCommand { .. } if capability.is_from_stdlib() => Grant::HostTools,
        Access::HostCommand { .. } => Grant::HostRun,
        Access::HostPath { .. } => Grant::HostPaths,
        Access::Keys { .. } => Grant::Keys,
        Access::Unsigned { .. } => Grant::Unsigned,
        Access::Secret { name } => Grant::Secret(Some(name.clone())),
    }
}

/// Decides one capability: every library in its chain of calls needs the grant, whichever
/// function the chain ends in.
pub fn decide<'a>(
    capability: &'a Capability,
    libraries: &[LibraryUse],
    permissions: Permissions,
) -> Decision<'a> {
    let grant = grant(capability);
    for name in capability.libraries() {
        let known = libraries.iter().find(|library| library.name == name);
        let granted =
            known.is_some_and(|library| library.grants.iter().any(|own| own.covers(&grant)));
        if !granted {
            return Decision::NoGrant {
                library: name,
                grant,
            };
        }
    }
    if asks_the_user(capability) && !permissions.allow_host_run {
        return Decision::NoPermission;
    }
    Decision::Allowed
}

/// Whether a recipe, a module of its repository, or a library reaches for the host itself.
fn asks_the_user(capability: &Capability) -> bool {
    let reaches = match &capability.access {
        Access::HostCommand { .. } => true,
        Access::HostPath { purpose, .. } => {
            matches!(purpose, PathPurpose::Bind | PathPurpose::BindWritable)
        }
        _ => false,
    };
    reaches && !capability.is_from_stdlib()
}

/// Every capability of a plan, decided.
pub fn review(plan: &Plan, permissions: Permissions) -> Vec<(&Capability, Decision<'_>)> {
    let capabilities = plan.capabilities.iter();
    capabilities
        .map(|capability| (capability, decide(capability, &plan.libraries, permissions)))
        .collect()
}

/// A report for every capability that is not allowed; one for those of one call.
pub fn refusals(plan: &Plan, permissions: Permissions) -> Vec<Report> {
    let reviewed = review(plan, permissions).into_iter();
    let mut reports: Vec<Report> = Vec::new();
    for report in reviewed.filter_map(|(capability, decision)| refusal(capability, &decision)) {
        if !reports.iter().any(|known| report.repeats(known)) {
            reports.push(report);
        }
    }
    reports
}

/// What to say of a capability that is not allowed.
pub fn refusal(capability: &Capability, decision: &Decision<'_>) -> Option<Report> {
    let wish = capability.access.wish();
    let report = match decision {
        Decision::Allowed => return None,
        Decision::NoGrant { library, grant } => Report::new(
            "policy::library_grant",
            format!("the library `{library}` {wish}, and has no grant for it"),
        )
        .help(format!(
            "look at the library; if that is right, grant it in rootwright.toml, below `[libraries.{library}]`: grants = [\"{grant}\"]"
        )),
        Decision::NoPermission => {
            let label = match &capability.access {
                Access::HostPath {
                    purpose: PathPurpose::BindWritable,
                    ..
                } => "commands in the root can change it",
                Access::HostPath { .. } => "commands in the root can read it",
                _ => "this runs outside the root, with your privileges",
            };
            Report::new("policy::host_access", format!("the recipe {wish}"))
                .label(label)
                .help("look at the recipe; if that is right, pass `--allow-host-run`")
        }
    };
    Some(report.trace(capability.calls.clone()))
}
