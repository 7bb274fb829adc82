//! Where a library's repository is.

use std::path::Path;

use super::Error;

/// What git may be asked to speak. Not `ext::` and other helpers, which are programs.
pub const PROTOCOLS: [&str; 5] = ["https", "ssh", "git", "http", "file"];

/// An address as git is given it: a path, which `rootwright.toml` names from its own
/// folder, becomes an absolute one.
///
/// # Errors
/// When it would run a program, could be taken for an option, or holds a password.
pub fn absolute(address: &str, root: &Path) -> Result<String, Error> {
    let bad = |why: &'static str, help: &'static str| Error::Address {
        address: address.to_owned(),
        why,
        help,
    };
    const FORMS: &str =
        "`https://HOST/PATH`, `ssh://HOST/PATH`, `git@HOST:PATH`, or the path of a repository here";
    if address.is_empty() || address.starts_with('-') || address.contains(char::is_control) {
        return Err(bad("no address", FORMS));
    }
    let before_path = address.split('/').next().unwrap_or(address);
    if before_path.contains("::") {
        return Err(bad("one that runs a program", FORMS));
    }
    if let Some((protocol, rest)) = address.split_once("://") {
        if !PROTOCOLS.contains(&protocol) {
            return Err(bad("of no protocol that libraries are fetched with", FORMS));
        }
        let authority = rest.split('/').next().unwrap_or(rest);
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        if let Some((user, _)) = user.and_then(|user| user.split_once(':')) {
            return Err(Error::Address {
                // Not even in an error.
                address: format!("{protocol}://{user}:…@…"),
                why: "one with a password in it",
                help: "rootwright.toml is read by others: leave it out, and let a credential helper of git's or ssh give it",
            });
        }
        return Ok(address.to_owned());
    }
    if before_path.contains(':') {
        return Ok(address.to_owned());
    }
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    Ok(root.join(address).display().to_string())
}

/// Whether it is a path of this machine.
pub fn is_path(address: &str) -> bool {
    let before_path = address.split('/').next().unwrap_or(address);
    !address.contains("://") && !before_path.contains(':')
}

/// The name that a library has where nobody gives it another.
pub fn name(address: &str) -> String {
    let end = address.trim_end_matches('/');
    let last = end.rsplit(['/', ':']).next().unwrap_or(end);
    let last = last.strip_suffix(".git").unwrap_or(last);
    last.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_run_programs_or_tell_passwords_are_refused() {
        let root = Path::new("/srv/recipes");
        for bad in [
            "",
            "-u/tmp/x",
            "--upload-pack=touch /tmp/x",
            "ext::sh -c id",
            "fd::7",
            "ext://x",
            "https://me:secret@git.example.org/x",
            "a\nb",
        ] {
            assert!(absolute(bad, root).is_err(), "{bad}");
        }
        for (good, whole) in [
            ("https://me@git.example.org/x.git", None),
            ("git@git.example.org:team/x.git", None),
            ("../x", Some("/srv/recipes/../x")),
            ("/srv/x", Some("/srv/x")),
        ] {
            assert_eq!(absolute(good, root).unwrap(), whole.unwrap_or(good));
        }
        for (address, named) in [
            ("https://git.example.org/team/Net.git", "net"),
            ("git@git.example.org:net", "net"),
            ("../net/", "net"),
        ] {
            assert_eq!(name(address), named);
        }
    }
}
