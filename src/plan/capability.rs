//! What a plan does beyond changing its own roots.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RootId;
use crate::diagnose::{Frame, Origin, innermost_origin};

/// Something beyond changing its own root that a call asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capability {
    #[serde(flatten)]
    pub access: Access,
    /// The root that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootId>,
    /// The calls that lead to it, the recipe's first.
    pub calls: Vec<Frame>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Access {
    /// A root is made from packages, whose scripts run with the build's privileges.
    Bootstrap {
        distro: String,
    },
    /// A command of the host.
    HostCommand {
        program: String,
    },
    /// A path of the host.
    HostPath {
        path: String,
        purpose: PathPurpose,
    },
    /// Keys that the standard library does not pin.
    Keys {
        source: String,
    },
    /// Packages that nobody has signed.
    Unsigned {
        /// `the packages of debian bookworm`
        what: String,
        /// Why, in the recipe's words.
        why: String,
    },
    Secret {
        name: String,
    },
}

/// What a path of the host is used for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PathPurpose {
    /// Read while the plan is made or run.
    Read,
    /// Visible inside a root, read-only.
    Bind,
    /// Visible inside a root, and writable there.
    BindWritable,
    /// Packages are installed from it.
    PackageSource,
}

impl Access {
    /// What who asks wants: `wants to run `find` on the host`.
    pub fn wish(&self) -> String {
        match self {
            Access::Bootstrap { distro } => {
                format!("wants to bootstrap `{distro}`, which runs the distro's tool on the host")
            }
            Access::HostCommand { program } => {
                format!("wants to run a command of the host, `{program}`")
            }
            Access::HostPath { path, purpose } => match purpose {
                PathPurpose::Read => format!("wants to read the host's `{path}`"),
                PathPurpose::Bind | PathPurpose::BindWritable => {
                    format!("wants the host's `{path}` inside the root")
                }
                PathPurpose::PackageSource => {
                    format!("wants to install packages from the host's `{path}`")
                }
            },
            Access::Keys { source } => format!("wants to trust keys from `{source}`"),
            Access::Unsigned { what, .. } => format!("wants to install {what} unsigned"),
            Access::Secret { name } => format!("wants the secret `{name}`"),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Access::Bootstrap { distro } => write!(f, "bootstrap {distro}"),
            Access::HostCommand { program } => write!(f, "run {program} on the host"),
            Access::HostPath { path, purpose } => match purpose {
                PathPurpose::Read => write!(f, "read {path}"),
                PathPurpose::Bind => write!(f, "bind {path}, read-only"),
                PathPurpose::BindWritable => write!(f, "bind {path}, writable"),
                PathPurpose::PackageSource => write!(f, "install packages from {path}"),
            },
            Access::Keys { source } => write!(f, "trust keys from {source}"),
            Access::Unsigned { what, why } => write!(f, "install {what} unsigned: {why}"),
            Access::Secret { name } => write!(f, "use the secret {name}"),
        }
    }
}

impl Capability {
    /// The libraries in the chain of calls, the outermost first, each once.
    pub fn libraries(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for frame in &self.calls {
            if let Origin::Library(name) = frame.origin()
                && !found.contains(&name)
            {
                found.push(name);
            }
        }
        found
    }

    /// Whether a function of the standard library asks, on behalf of whoever called it.
    pub fn is_from_stdlib(&self) -> bool {
        innermost_origin(&self.calls) == Some(Origin::Stdlib)
    }
}
