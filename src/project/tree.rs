//! The digest of a library's files.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fs_err as fs;
use walkdir::WalkDir;

/// blake3 over names, contents, link targets, and whether a file can be executed: what git
/// keeps, so that a copy in another repository has the same digest whatever the umask was.
///
/// # Errors
/// What is not a file, a folder or a link has no digest; else the errors of reading.
pub fn digest(folder: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    for entry in WalkDir::new(folder).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let kind = entry.file_type();
        if kind.is_dir() {
            continue;
        }
        let (word, content): (&[u8], _) = if kind.is_symlink() {
            let target = fs::read_link(entry.path())?;
            (b"link", blake3::hash(target.as_os_str().as_bytes()))
        } else if kind.is_file() {
            let mut content = blake3::Hasher::new();
            content.update_reader(fs::File::open(entry.path())?)?;
            let mode = entry.metadata()?.permissions().mode();
            let word: &[u8] = match mode & 0o100 {
                0 => b"file",
                _ => b"program",
            };
            (word, content.finalize())
        } else {
            let path = entry.path().display();
            return Err(io::Error::other(format!("`{path}` is no file")));
        };
        let name = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        for part in [word, name.as_os_str().as_bytes(), content.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The modules of a library, as imports name them, sorted.
pub fn modules(folder: &Path) -> Vec<String> {
    WalkDir::new(folder)
        .sort_by_file_name()
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry.path().strip_prefix(folder).ok()?.to_str()?;
            let test = name.ends_with("_test.rhai");
            let name = name.strip_suffix(".rhai").filter(|_| !test)?;
            Some(name.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_git_keeps_decides() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir(path("lib")).unwrap();
        fs::write(path("lib/a.rhai"), "1").unwrap();
        let mut seen = vec![digest(dir.path()).unwrap()];
        fs::set_permissions(path("lib/a.rhai"), PermissionsExt::from_mode(0o664)).unwrap();
        fs::create_dir(path("empty")).unwrap();
        assert_eq!(digest(dir.path()).unwrap(), seen[0]);
        let mut differs = || {
            let now = digest(dir.path()).unwrap();
            assert!(!seen.contains(&now));
            seen.push(now);
        };
        fs::set_permissions(path("lib/a.rhai"), PermissionsExt::from_mode(0o755)).unwrap();
        differs();
        fs::write(path("lib/a.rhai"), "2").unwrap();
        differs();
        symlink("lib/a.rhai", path("b.rhai")).unwrap();
        differs();
        fs::rename(path("lib/a.rhai"), path("lib/b.rhai")).unwrap();
        differs();
    }
}
