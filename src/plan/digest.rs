//! The digest of a file or a tree of the host, for [`CopyIn`](super::CopyIn).

use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use fs_err as fs;
use rustix::fs::FileType;

/// blake3 over names, kinds, permission bits, contents and link targets: what copying
/// carries over, so neither owners nor times nor extended attributes. `path` itself may
/// be a link to what is meant, its own name does not count; links below it count as such.
///
/// # Errors
/// What is not a file, a directory or a link has no digest ([`io::ErrorKind::Unsupported`]);
/// else the errors of reading.
pub fn digest_tree(path: &Path) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    add(&mut hasher, path, &fs::metadata(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

/// Whether every kind of `metadata` can be copied in.
fn kind(path: &Path, metadata: &Metadata) -> io::Result<&'static [u8]> {
    let what = match FileType::from_raw_mode(metadata.mode()) {
        FileType::RegularFile => return Ok(b"file"),
        FileType::Directory => return Ok(b"dir"),
        FileType::Symlink => return Ok(b"link"),
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!(
            "`{}` is {what}: only files, directories and symbolic links are copied",
            path.display()
        ),
    ))
}

fn add(hasher: &mut blake3::Hasher, path: &Path, metadata: &Metadata) -> io::Result<()> {
    part(hasher, kind(path, metadata)?);
    if metadata.is_symlink() {
        // The permission bits of a link mean nothing and differ between systems.
        part(hasher, fs::read_link(path)?.as_os_str().as_bytes());
        return Ok(());
    }
    part(hasher, &(metadata.mode() & 0o7777).to_le_bytes());
    if metadata.is_dir() {
        let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs_err::DirEntry::file_name);
        part(hasher, &(entries.len() as u64).to_le_bytes());
        for entry in entries {
            part(hasher, entry.file_name().as_bytes());
            add(hasher, &entry.path(), &entry.metadata()?)?;
        }
        return Ok(());
    }
    let mut content = blake3::Hasher::new();
    content.update_reader(fs::File::open(path)?)?;
    part(hasher, content.finalize().as_bytes());
    Ok(())
}

/// Each part with its length, so that no two lists run together.
pub(super) fn part(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn what_is_copied_decides() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("a"), "1").unwrap();
        symlink("a", tree.join("l")).unwrap();
        let digest = || digest_tree(&tree).unwrap();
        let mut seen = vec![digest()];
        let mut differs = || {
            let now = digest();
            assert!(!seen.contains(&now));
            seen.push(now);
        };
        fs::write(tree.join("a"), "2").unwrap();
        differs();
        fs::set_permissions(tree.join("a"), Permissions::from_mode(0o755)).unwrap();
        differs();
        fs::rename(tree.join("a"), tree.join("b")).unwrap();
        differs();
        fs::remove_file(tree.join("l")).unwrap();
        symlink("b", tree.join("l")).unwrap();
        differs();
        fs::create_dir(tree.join("empty")).unwrap();
        differs();
    }

    #[test]
    fn neither_the_place_nor_the_times_decide() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("file"), "same").unwrap();
        }
        symlink("a", dir.path().join("c")).unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| digest_tree(&dir.path().join(name)).unwrap());
        assert_eq!(a, b);
        assert_eq!(a, c);
    }

    #[test]
    fn sockets_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let error = digest_tree(dir.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("a socket"), "{error}");
    }
}
