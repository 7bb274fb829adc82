//! The digest of a file or a tree that goes into a root.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use fs_err as fs;

/// blake3 over names, kinds, permission bits, link targets and contents, sorted by name, in
/// hexadecimal. Owners and times do not count: copies have their own.
///
/// # Errors
/// When something cannot be read, or is neither a file, a directory nor a symlink.
pub fn tree(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    add(&mut hasher, path, b"")?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn add(hasher: &mut blake3::Hasher, path: &Path, name: &[u8]) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    let mode = metadata.mode() & 0o7777;
    if kind.is_symlink() {
        let target = fs::read_link(path)?;
        record(hasher, b'l', name, 0, target.as_os_str().as_bytes());
    } else if kind.is_dir() {
        record(hasher, b'd', name, mode, b"");
        let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs_err::DirEntry::file_name);
        for entry in entries {
            add(hasher, &entry.path(), entry.file_name().as_bytes())?;
        }
        record(hasher, b'e', b"", 0, b"");
    } else if kind.is_file() {
        let mut content = blake3::Hasher::new();
        content.update_reader(fs::File::open(path)?)?;
        record(hasher, b'f', name, mode, content.finalize().as_bytes());
    } else {
        let what = if kind.is_fifo() { "a pipe" } else { "a socket or a device" };
        let message = format!("`{}` is {what}, and cannot be copied", path.display());
        return Err(io::Error::other(message));
    }
    Ok(())
}

fn record(hasher: &mut blake3::Hasher, kind: u8, name: &[u8], mode: u32, content: &[u8]) {
    hasher.update(&[kind]);
    hasher.update(&(name.len() as u64).to_le_bytes());
    hasher.update(name);
    hasher.update(&mode.to_le_bytes());
    hasher.update(&(content.len() as u64).to_le_bytes());
    hasher.update(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_names_and_modes_count_and_times_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs::write(&file, "one").unwrap();
        let first = tree(folder.path()).unwrap();
        fs::write(&file, "one").unwrap();
        assert_eq!(tree(folder.path()).unwrap(), first);
        fs::write(&file, "two").unwrap();
        let second = tree(folder.path()).unwrap();
        assert_ne!(second, first);
        fs::rename(&file, folder.path().join("b")).unwrap();
        assert_ne!(tree(folder.path()).unwrap(), second);
    }
}
