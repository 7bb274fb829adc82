//! Paths inside of a root, resolved as the root would: absolute links and `..` stay in it.

use std::os::fd::{AsFd, AsRawFd};
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use rustix::io::Errno;

/// A root, and how its paths are found from the host.
pub struct Inside {
    root: pathrs::Root,
    /// The root's own path, without links.
    path: PathBuf,
}

/// As many links as the kernel follows.
const MAX_LINKS: usize = 40;

impl Inside {
    /// # Errors
    /// When `root` is no directory.
    pub fn open(root: &Path) -> std::io::Result<Self> {
        Ok(Inside {
            root: pathrs::Root::open(root).map_err(|error| io(&error))?,
            path: fs::canonicalize(root)?,
        })
    }

    /// Where something that exists is, all links followed.
    ///
    /// # Errors
    /// When it is not there.
    pub fn existing(&self, path: &str) -> std::io::Result<PathBuf> {
        host_path(&self.root.resolve(path).map_err(|error| io(&error))?)
    }

    /// Where `path` is or would be: its parents followed, its last component not. Missing
    /// parents are made, with mode 0755, if `make` says so.
    ///
    /// # Errors
    /// When a parent is missing or is no directory, or `path` names the root itself.
    pub fn entry(&self, path: &str, make: bool) -> std::io::Result<PathBuf> {
        let parts: Vec<Component<'_>> = Path::new(path).components().collect();
        let Some(Component::Normal(name)) = parts.last() else {
            return Err(std::io::Error::from(std::io::ErrorKind::InvalidInput));
        };
        let parent = Path::new(path).parent().unwrap_or(Path::new("/"));
        let handle = match self.root.resolve(parent) {
            Ok(handle) => handle,
            Err(error) if make && io(&error).kind() == std::io::ErrorKind::NotFound => self
                .root
                .mkdir_all(parent, &std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .map_err(|error| io(&error))?,
            Err(error) => return Err(io(&error)),
        };
        Ok(host_path(&handle)?.join(name))
    }

    /// As [`Inside::entry`], with the last component followed too; a link that leads
    /// nowhere leads to where its target would be.
    ///
    /// # Errors
    /// As [`Inside::entry`], and when links go in a circle.
    pub fn target(&self, path: &str, make: bool) -> std::io::Result<PathBuf> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let entry = self.entry(&path, make)?;
            let is_link = fs::symlink_metadata(&entry).is_ok_and(|m| m.file_type().is_symlink());
            if !is_link {
                return Ok(entry);
            }
            let link = fs::read_link(&entry)?;
            let next = if link.is_absolute() {
                link
            } else {
                let parent = entry.parent().unwrap_or(&self.path);
                let inside = parent.strip_prefix(&self.path).unwrap_or(Path::new(""));
                Path::new("/").join(inside).join(link)
            };
            path = next.display().to_string();
        }
        Err(Errno::LOOP.into())
    }

    /// What a path with wildcards matches, sorted; parents are followed, what is matched
    /// is not.
    ///
    /// # Errors
    /// When a directory cannot be read.
    pub fn matches(&self, pattern: &str) -> std::io::Result<Vec<String>> {
        let mut found = vec![String::new()];
        for part in Path::new(pattern).components() {
            let Component::Normal(part) = part else { continue };
            let part = part.to_string_lossy();
            let mut next = Vec::new();
            for base in found {
                if !part.contains(['*', '?', '[']) {
                    next.push(format!("{base}/{part}"));
                    continue;
                }
                let folder = if base.is_empty() { "/" } else { base.as_str() };
                let Ok(folder) = self.existing(folder) else { continue };
                if !folder.is_dir() {
                    continue;
                }
                for entry in fs::read_dir(folder)? {
                    let name = entry?.file_name().to_string_lossy().into_owned();
                    let hidden = name.starts_with('.') && !part.starts_with('.');
                    if !hidden && wildcard(&part, &name) {
                        next.push(format!("{base}/{name}"));
                    }
                }
            }
            found = next;
        }
        found.retain(|path| self.entry(path, false).is_ok_and(|entry| fs::symlink_metadata(entry).is_ok()));
        found.sort();
        Ok(found)
    }

    /// The number of a user or a group, by name from the root's own files or as digits.
    ///
    /// # Errors
    /// `None` inside where there is no such name.
    pub fn id(&self, database: &str, name: &str) -> Option<u32> {
        if let Ok(id) = name.parse() {
            return Some(id);
        }
        let text = fs::read_to_string(self.existing(database).ok()?).ok()?;
        text.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
        })
    }

    /// The newest kernel version that has modules in the root.
    pub fn newest_kernel(&self) -> Option<String> {
        let mut versions: Vec<String> = ["/lib/modules", "/usr/lib/modules"]
            .iter()
            .filter_map(|path| fs::read_dir(self.existing(path).ok()?).ok())
            .flatten()
            .flatten()
            .filter(|entry| entry.path().join("modules.dep").is_file())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        versions.sort_by(|a, b| version_order(a, b));
        versions.pop()
    }
}

/// Where an open file is, as the host sees it.
fn host_path(handle: &pathrs::Handle) -> std::io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd()))
}

fn io(error: &pathrs::error::Error) -> std::io::Error {
    match error.kind() {
        pathrs::error::ErrorKind::OsError(Some(code)) => std::io::Error::from_raw_os_error(code),
        _ => std::io::Error::other(error.to_string()),
    }
}

/// Matches one path component: `*`, `?`, `[abc]`, `[!a-z]`.
fn wildcard(pattern: &str, name: &str) -> bool {
    let mut source = String::from("^(?s:");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => source.push_str(".*"),
            '?' => source.push('.'),
            '[' => {
                source.push('[');
                if matches!(chars.peek(), Some('!' | '^')) {
                    chars.next();
                    source.push('^');
                }
                for c in chars.by_ref() {
                    match c {
                        ']' => break,
                        '\\' | '[' | '&' | '~' => {
                            source.push('\\');
                            source.push(c);
                        }
                        c => source.push(c),
                    }
                }
                source.push(']');
            }
            c => source.push_str(&regex::escape(&c.to_string())),
        }
    }
    source.push_str(")$");
    regex::Regex::new(&source).is_ok_and(|pattern| pattern.is_match(name))
}

/// As `sort -V` has it: runs of digits are numbers.
fn version_order(a: &str, b: &str) -> std::cmp::Ordering {
    fn parts(text: &str) -> Vec<(String, u64)> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            let (text, tail) = rest.split_at(word);
            let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
            let (number, tail) = tail.split_at(digits);
            parts.push((text.to_owned(), number.parse().unwrap_or(0)));
            rest = tail;
        }
        parts
    }
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_by_their_numbers() {
        let mut versions = ["6.1.0-9-amd64", "6.1.0-42-amd64", "6.12.1", "6.2"];
        versions.sort_by(|a, b| version_order(a, b));
        assert_eq!(versions, ["6.1.0-9-amd64", "6.1.0-42-amd64", "6.2", "6.12.1"]);
    }

    #[test]
    fn wildcards_match_within_a_component() {
        assert!(wildcard("*.list", "a.list") && !wildcard("*.list", "a.sources"));
        assert!(wildcard("a?[!0-8]", "ab9") && !wildcard("a?[!0-8]", "ab1"));
        assert!(wildcard("a+(b)", "a+(b)"));
    }

    #[test]
    fn nothing_leads_out_of_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("abs")).unwrap();
        std::os::unix::fs::symlink("../../../etc", root.join("rel")).unwrap();
        std::os::unix::fs::symlink("/nowhere/x", root.join("dangling")).unwrap();
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        let inside = Inside::open(&root).unwrap();
        for path in ["/abs/passwd", "/rel/passwd", "/../../etc/passwd", "/etc/../../etc/passwd"] {
            let found = inside.target(path, true).unwrap();
            assert_eq!(found, root.canonicalize().unwrap().join("etc/passwd"), "{path}");
        }
        let made = inside.target("/dangling", true).unwrap();
        assert_eq!(made, root.canonicalize().unwrap().join("nowhere/x"));
        assert_eq!(inside.target("/loop", true).unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()));
        assert!(inside.entry("/", true).is_err());
    }
}
