//! What is put in front of a node's initramfs, or rather behind it: the kernel unpacks one
//! archive after the other. It starts the check in roots without systemd, which has words on the
//! command line for that (`guest.rs`). The export's own file stays as it is.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use cpio::newc::{self, Builder};
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
    // An archive begins at a multiple of four bytes.
    let missing = length.wrapping_neg() % 4;
    std::io::copy(&mut std::io::repeat(0).take(missing), &mut image)?;
    // Where no hook is, there is no folder for them.
    let folder = HOOK.rsplit_once('/').map_or("", |(folder, _)| folder);
    for (name, mode, text) in [
        ("rootwright", 0o040_755, ""),
        (PROGRAM, 0o100_755, start),
        (folder, 0o040_755, ""),
        (HOOK, 0o100_755, HOOK_TEXT),
    ] {
        let size = u32::try_from(text.len()).map_err(std::io::Error::other)?;
        let mut file = Builder::new(name).mode(mode).write(&mut image, size);
        file.write_all(text.as_bytes())?;
        file.finish()?;
    }
    newc::trailer(image)?;
    Ok(path)
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
