//! What a library may do beyond changing files and running commands inside roots.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantNames};

/// A capability that `rootwright.toml` grants to a library.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    EnumString,
    IntoStaticStr,
    VariantNames,
)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
#[strum(serialize_all = "snake_case")]
pub enum Grant {
    /// Make roots.
    Bootstrap,
    /// Use the standard library's functions that run tools of the host.
    HostTools,
    /// Run its own commands on the host.
    HostRun,
    /// Read and bind paths of the host, and install packages from them.
    HostPaths,
    /// Trust keys that the standard library does not pin.
    Keys,
    /// Install packages that nobody has signed or pinned by digest.
    Unsigned,
    /// Use one secret, or any.
    Secret(Option<String>),
}

impl Grant {
    /// How grants are written, for messages.
    pub fn forms() -> Vec<&'static str> {
        [Grant::VARIANTS, &["secret:NAME"]].concat()
    }

    /// A grant as `rootwright.toml` writes it.
    pub fn parse(text: &str) -> Option<Grant> {
        match text.strip_prefix("secret:") {
            Some("") => None,
            Some(name) => Some(Grant::Secret(Some(name.to_owned()))),
            None => text.parse().ok(),
        }
    }

    /// Whether this grant includes `other`.
    pub fn covers(&self, other: &Grant) -> bool {
        self == other
            || matches!(
                (self, other),
                (Grant::Secret(None), Grant::Secret(_))
                    | (Grant::HostRun | Grant::Bootstrap, Grant::HostTools)
            )
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grant::Secret(Some(name)) => write!(f, "secret:{name}"),
            named => f.write_str(named.into()),
        }
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

impl TryFrom<String> for Grant {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Grant::parse(&text).ok_or_else(|| format!("unknown grant `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::Grant;

    #[test]
    fn one_secret_is_not_any() {
        let all = Grant::parse("secret").unwrap();
        let one = Grant::parse("secret:door").unwrap();
        assert!(all.covers(&one) && one.covers(&one));
        assert!(!one.covers(&all) && !one.covers(&Grant::Secret(Some("x".to_owned()))));
        assert!(!all.covers(&Grant::HostRun));
        assert_eq!(Grant::parse("secret:"), None);
    }

    #[test]
    fn a_grant_reads_as_it_is_written() {
        for form in Grant::forms() {
            assert_eq!(Grant::parse(form).unwrap().to_string(), form);
        }
    }
}
