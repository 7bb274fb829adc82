//! What is put in front of a node's initramfs, or rather behind it: the kernel unpacks one
//! archive after the other. It starts the check in roots without systemd, which has words on the
//! command line for that (`guest.rs`). The export's own file stays as it is.

use std::io::Write;
use std::path::{Path, PathBuf};

use fs_err as fs;

/// Where dracut looks for what it runs when the root is mounted; after all that it has itself.
const HOOK: &str = "lib/dracut/hooks/pre-pivot/99-rootwright-check.sh";
/// A folder that comes first where programs are looked for, but only without systemd in the
/// initramfs: there this is sourced by the script that calls `switch_root` in the end.
const HOOK_TEXT: &str = "[ -d /run/systemd/system ] || PATH=/rootwright:$PATH\n";
const PROGRAM: &str = "rootwright/switch_root";

/// Writes the initramfs with what starts the check into a folder; gives the new file.
///
/// # Errors
/// When a file cannot be read or written.
pub fn with_check(initramfs: &Path, start: &str, folder: &Path) -> std::io::Result<PathBuf> {
    let path = folder.join("initramfs.img");
    let mut image = fs::File::create(&path)?;
    let length = std::io::copy(&mut fs::File::open(initramfs)?, &mut image)?;
    let mut more = vec![0; padding(length)];
    entry(&mut more, "rootwright", 0o040_755, "");
    entry(&mut more, PROGRAM, 0o100_755, start);
    // Where no hook is, there is no folder for them.
    let folder = HOOK.rsplit_once('/').map_or("", |(folder, _)| folder);
    entry(&mut more, folder, 0o040_755, "");
    entry(&mut more, HOOK, 0o100_755, HOOK_TEXT);
    entry(&mut more, "TRAILER!!!", 0, "");
    image.write_all(&more)?;
    Ok(path)
}

/// Bytes up to the next of four.
fn padding(length: u64) -> usize {
    (4 - length % 4) as usize % 4
}

/// A file or a folder of root's in the archive.
///
/// Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, text: &str) {
    let (none, links) = ("0".repeat(8), 1);
    let size = name.len() + 1;
    let head = format!(
        "070701{none}{mode:08x}{none}{none}{links:08x}{none}{:08x}{none}{none}{none}{none}{size:08x}{none}",
        text.len()
    );
    let start = archive.len();
    archive.extend(head.bytes());
    archive.extend(name.bytes());
    archive.push(0);
    for part in [&[][..], text.as_bytes()] {
        archive.extend(part);
        let missing = padding((archive.len() - start) as u64);
        archive.extend(std::iter::repeat_n(0, missing));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn cpio_unpacks_what_was_added() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        std::fs::write(&own, "not even an archive").unwrap();
        let path = with_check(&own, "#!/bin/sh\n", folder.path()).unwrap();
        let image = std::fs::read(path).unwrap();
        let (first, added) = image.split_at(20);
        assert_eq!(first, b"not even an archive\0");
        let unpacked = folder.path().join("unpacked");
        std::fs::create_dir_all(unpacked.join("lib/dracut/hooks")).unwrap();
        let mut cpio = Command::new("cpio")
            .args(["--quiet", "--extract"])
            .current_dir(&unpacked)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        cpio.stdin.take().unwrap().write_all(added).unwrap();
        assert!(cpio.wait().unwrap().success());
        let text = std::fs::read_to_string(unpacked.join(PROGRAM)).unwrap();
        assert_eq!(text, "#!/bin/sh\n");
        let hook = std::fs::metadata(unpacked.join(HOOK)).unwrap();
        assert_eq!(hook.permissions().mode() & 0o777, 0o755);
    }
}
