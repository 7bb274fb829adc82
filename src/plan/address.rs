//! Credentials in addresses. Anyone who reads a plan, an image's list of repositories, or a log
//! would read them, too.

/// What to do instead.
pub const CREDENTIALS_HELP: &str = "leave them out: the plan and the image would show them. Where the distro has the field `auth`, give `auth: #{ user: \"…\", password: secret(\"NAME\") }`; elsewhere, have a mirror or a proxy of your site add them (docs/distros.md)";

/// The address with its credentials left out, if it has any. A user without a password counts: it
/// may be a token.
pub fn without_credentials(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (_, host) = authority.rsplit_once('@')?;
    Some(format!("{scheme}://…@{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn credentials_are_found_before_the_host() {
        for address in [
            "https://user:word@mirror.example.org/x",
            "https://token@mirror.example.org/x",
            "https://user:w@rd@mirror.example.org/x",
        ] {
            let left = without_credentials(address);
            assert_eq!(left.as_deref(), Some("https://…@mirror.example.org/x"));
        }
        for address in [
            "https://mirror.example.org/a@b",
            "https://mirror.example.org?x=a@b",
            "file:///srv/a@b",
            "git@host:path",
        ] {
            assert_eq!(without_credentials(address), None);
        }
    }
}
