//! What a library may do beside changing files and running commands inside of roots.

use std::fmt;

/// Something that a library has to be granted in `rootwright.toml`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// Commands of the host, and its paths inside of roots. Making a root is one: the
    /// distro's tool runs on the host, with arguments that the library chooses.
    HostRun,
    /// Packages and archives that nobody has signed.
    Unsigned,
    /// The value of one secret, or of any.
    Secret(Option<String>),
}

/// How grants are written, for messages.
pub const FORMS: [&str; 4] = ["host_run", "unsigned", "secret", "secret:NAME"];

impl Grant {
    /// A grant as `rootwright.toml` writes it.
    pub fn parse(text: &str) -> Option<Grant> {
        match text {
            "host_run" => Some(Grant::HostRun),
            "unsigned" => Some(Grant::Unsigned),
            "secret" => Some(Grant::Secret(None)),
            _ => {
                let name = text.strip_prefix("secret:")?;
                (!name.is_empty()).then(|| Grant::Secret(Some(name.to_owned())))
            }
        }
    }

    /// Whether who has this one may do what `asked` names.
    pub fn covers(&self, asked: &Grant) -> bool {
        self == asked || matches!((self, asked), (Grant::Secret(None), Grant::Secret(_)))
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grant::HostRun => f.write_str("host_run"),
            Grant::Unsigned => f.write_str("unsigned"),
            Grant::Secret(None) => f.write_str("secret"),
            Grant::Secret(Some(name)) => write!(f, "secret:{name}"),
        }
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
}
