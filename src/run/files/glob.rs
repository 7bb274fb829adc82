//! Wildcards in paths of a root: `*`, `?` and `[…]`, within one path component each.
//!
//! As in a shell, a wildcard does not match a leading dot, and a backslash takes the
//! meaning from the character after it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use regex::bytes::Regex;

use super::tree::{self, Tree};

/// Whether a path has wildcards at all.
pub fn is_pattern(path: &str) -> bool {
    Path::new(path)
        .components()
        .any(|part| matcher(&part.as_os_str().to_string_lossy()).is_some())
}

/// The paths that `pattern` names, sorted; those that a link in the middle leads to are
/// named as through the link. A pattern without wildcards names its path if that is
/// there, a link that leads nowhere included.
///
/// # Errors
/// Only those of reading directories: what is not there does not match.
pub fn expand(tree: &Tree, pattern: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::from("/")];
    for part in Path::new(pattern).components() {
        let name = match part {
            Component::Normal(name) => name,
            Component::ParentDir => {
                for path in &mut found {
                    path.push("..");
                }
                continue;
            }
            _ => continue,
        };
        let matcher = matcher(&name.to_string_lossy());
        let literal = unescape(name);
        let mut next = Vec::new();
        for base in found {
            let Some(dir) = tree.open_dir(&base)? else {
                continue;
            };
            let Some(regex) = &matcher else {
                let literal = OsStr::from_bytes(&literal);
                if tree::stat_at(&dir, literal)?.is_some() {
                    next.push(base.join(literal));
                }
                continue;
            };
            for entry in tree::names(&dir)? {
                let hidden =
                    entry.as_bytes().starts_with(b".") && !name.as_bytes().starts_with(b".");
                if !hidden && regex.is_match(entry.as_bytes()) {
                    next.push(base.join(entry));
                }
            }
        }
        found = next;
    }
    Ok(found)
}

/// The regular expression of a component with wildcards; `None` where there are none.
fn matcher(component: &str) -> Option<Regex> {
    let mut regex = String::from("(?s-u)^");
    let mut wild = false;
    let mut rest = component.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push_str("(?:(?u:.)|.)"),
            '[' => match class(rest.as_str()) {
                Some((class, len)) => {
                    regex.push_str(&class);
                    rest = rest.as_str().get(len..)?.chars();
                }
                // A bracket that is never closed stands for itself.
                None => {
                    regex.push_str(r"\[");
                    continue;
                }
            },
            '\\' => {
                push_literal(&mut regex, rest.next().unwrap_or('\\'));
                continue;
            }
            c => {
                push_literal(&mut regex, c);
                continue;
            }
        }
        wild = true;
    }
    regex.push('$');
    Regex::new(&regex).ok().filter(|_| wild)
}

fn push_literal(regex: &mut String, c: char) {
    regex.push_str("(?u:");
    regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    regex.push(')');
}

/// The class after a `[`, and how many bytes it takes with its `]`.
fn class(rest: &str) -> Option<(String, usize)> {
    let negated = rest.starts_with(['!', '^']);
    let from = usize::from(negated);
    // A `]` in the first place is a member.
    let first = rest.get(from..)?.chars().next()?;
    let end = from + first.len_utf8() + rest.get(from + first.len_utf8()..)?.find(']')?;
    let mut class = String::from(if negated { "(?u:[^" } else { "(?u:[" });
    for c in rest.get(from..end)?.chars() {
        if matches!(c, '\\' | '[' | ']' | '^' | '&' | '~') {
            class.push('\\');
        }
        class.push(c);
    }
    class.push_str("])");
    Some((class, end + 1))
}

fn unescape(name: &OsStr) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte == b'\\' {
            bytes.extend(rest.next().or(Some(&byte)));
        } else {
            bytes.push(byte);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &[u8]) -> bool {
        matcher(pattern).unwrap().is_match(name)
    }

    #[test]
    fn components_match_as_in_a_shell() {
        assert!(matches("*.deb", b"a b\nc.deb"));
        assert!(matches("*", b"\xff\xfe"));
        assert!(!matches("*.deb", b"adeb"));
        assert!(matches("vmlinuz-?.[0-9]*", b"vmlinuz-6.1.0"));
        assert!(matches("[!a-c]x", b"dx"));
        assert!(!matches("[!a-c]x", b"bx"));
        assert!(matches("[]]*", b"]"));
        assert!(matches(r"\*?", "*ä".as_bytes()));
        assert!(!matches(r"\*?", b"bc"));
    }

    #[test]
    fn a_name_without_wildcards_is_itself() {
        assert!(matcher("plain.txt").is_none());
        assert!(matcher("[").is_none());
        assert!(matcher(r"a\*b").is_none());
        assert_eq!(unescape(OsStr::new(r"a\*b\\")), b"a*b\\");
    }
}
