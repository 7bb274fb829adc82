//! The newest kernel in a root, in the order of `sort -V`.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::path::Path;

use super::tree::{self, Tree};

/// The version of the newest kernel whose modules the root has; what else lies among
/// them is passed over. `None` where there is none, or the root cannot be read.
pub fn newest_kernel(root: &Path) -> Option<String> {
    let tree = Tree::open(root).ok()?;
    let mut newest: Option<String> = None;
    for modules in ["/usr/lib/modules", "/lib/modules"] {
        let Some(dir) = tree.open_dir(Path::new(modules)).ok().flatten() else {
            continue;
        };
        for name in tree::names(&dir).ok()? {
            let Some(name) = name.to_str() else { continue };
            let newer = |best: &String| version_order(name, best) == Ordering::Greater;
            if !name.starts_with('.')
                && is_kernel(&tree, &Path::new(modules).join(name))
                && newest.as_ref().is_none_or(newer)
            {
                newest = Some(name.to_owned());
            }
        }
    }
    newest
}

/// The index of modules is made after they are installed, the image may lie elsewhere:
/// either of the three will do.
fn is_kernel(tree: &Tree, dir: &Path) -> bool {
    ["modules.dep", "kernel", "vmlinuz"]
        .iter()
        .any(|name| matches!(tree.find(&dir.join(OsStr::new(name))), Ok(Some(_))))
}

/// The order of `sort -V` (gnulib's filevercmp), but for names that start with a dot,
/// which it treats on their own: digits compare as numbers, `~` sorts before the end,
/// letters before other characters, and suffixes such as `.img` count last.
pub fn version_order(a: &str, b: &str) -> Ordering {
    compare(stem(a).as_bytes(), stem(b).as_bytes())
        .then_with(|| compare(a.as_bytes(), b.as_bytes()))
        .then_with(|| a.cmp(b))
}

/// Without the trailing `(\.[A-Za-z~][A-Za-z0-9~]*)*`.
fn stem(name: &str) -> &str {
    let bytes = name.as_bytes();
    let mut end = bytes.len();
    loop {
        let head = bytes.get(..end).unwrap_or_default();
        let Some(dot) = head.iter().rposition(|&byte| byte == b'.') else {
            break;
        };
        let suffix = head.get(dot + 1..).unwrap_or_default();
        let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'~';
        let is_suffix = suffix.first().is_some_and(letter)
            && suffix.iter().all(|b| letter(b) || b.is_ascii_digit());
        // The name itself never counts as a suffix.
        if !is_suffix || dot == 0 {
            break;
        }
        end = dot;
    }
    name.get(..end).unwrap_or(name)
}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let digit = |s: &[u8], at: usize| s.get(at).is_some_and(u8::is_ascii_digit);
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        while (i < a.len() && !digit(a, i)) || (j < b.len() && !digit(b, j)) {
            let order = rank(a.get(i)).cmp(&rank(b.get(j)));
            if order != Ordering::Equal {
                return order;
            }
            i += 1;
            j += 1;
        }
        let number = |s: &[u8], at: &mut usize| -> Vec<u8> {
            while s.get(*at) == Some(&b'0') {
                *at += 1;
            }
            let from = *at;
            while digit(s, *at) {
                *at += 1;
            }
            s.get(from..*at).unwrap_or_default().to_vec()
        };
        let (x, y) = (number(a, &mut i), number(b, &mut j));
        let order = x.len().cmp(&y.len()).then_with(|| x.cmp(&y));
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// The place of a character that is not compared as part of a number.
fn rank(byte: Option<&u8>) -> i32 {
    match byte {
        None => -1,
        Some(b'~') => -2,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(&byte) if byte.is_ascii_alphabetic() => i32::from(byte),
        Some(&byte) => i32::from(byte) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sort -V` itself is the judge.
    #[test]
    fn the_order_is_that_of_sort() {
        let names = "6.1.0-9-amd64 6.1.0-10-amd64 6.1.0-10-cloud-amd64 6.12.5 6.12.5-rc1 6.12.5~rc1 \
            6.12 5.14.0-427.el9.x86_64 5.14.0-427.13.1.el9_4.x86_64 6.6.63-0-lts 6.6.63-lts \
            a 1 01 1.0 1.00 10 9 6.8.0-45-generic 6.8.0-45-generic.old 6.8.0-45-generic.bak \
            ~ 6.1.0_x 6.1.0+x 6.11.3-arch1-1 6.11.10-arch1-1 6.11.3-zen1-1-zen 1.a 1.b 1.a1";
        // And many more of the characters that matter, in a fixed sequence.
        let mut names: Vec<String> = names.split(' ').map(str::to_owned).collect();
        let mut state = 1u64;
        for length in (0..2000).map(|count| 1 + count % 9) {
            let mut pick = || {
                state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                char::from(b"0019.-+_~abZ"[(state >> 33) as usize % 12])
            };
            let name: String = (0..length).map(|_| pick()).collect();
            if !name.starts_with('.') {
                names.push(name);
            }
        }
        let mut ours = names.clone();
        ours.sort_by(|a, b| version_order(a, b));
        let sorted = duct::cmd!("sort", "-V")
            .env("LC_ALL", "C")
            .stdin_bytes(names.join("\n"))
            .read()
            .unwrap();
        assert_eq!(ours, sorted.lines().collect::<Vec<_>>());
    }
}
