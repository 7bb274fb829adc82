//! The tools that write images as command lines, for the runner and for the shell script
//! alike.

use super::{Compression, Export, Key};

/// The file system's identity, the same for exports of the same name: a random one would
/// be the only thing that differs between two images of the same root.
pub fn uuid(export: &Export) -> String {
    uuid_of(&Key::of(&[b"file system", export.name.as_bytes()]))
}

/// A UUID that is the same for the same key.
pub fn uuid_of(key: &Key) -> String {
    let mut digits: Vec<char> = key.as_str().chars().take(32).collect();
    // Version 8, variant 1 (RFC 9562): of our own making.
    for (at, digit) in [(12, '8'), (16, 'a')] {
        if let Some(place) = digits.get_mut(at) {
            *place = digit;
        }
    }
    for at in [20, 16, 12, 8] {
        digits.insert(at, '-');
    }
    digits.into_iter().collect()
}

/// Packs the tree at `tree`. As every tool here it takes the time of the image from
/// `SOURCE_DATE_EPOCH`.
pub fn squashfs_argv(compression: Compression, file: &str, tree: &str) -> Vec<String> {
    let mut argv = words(&["mksquashfs", tree, file, "-noappend"]);
    argv.extend(words(&["-no-progress", "-quiet", "-xattrs"]));
    match compression {
        Compression::None => {
            argv.extend(words(&["-noI", "-noId", "-noD", "-noF", "-noX"]));
        }
        Compression::Lz4hc => argv.extend(words(&["-comp", "lz4", "-Xhc"])),
        // A higher level takes several times as long for a few per cent.
        Compression::Zstd => argv.extend(words(&["-comp", "zstd", "-Xcompression-level", "6"])),
        other => argv.extend(words(&["-comp", other.name()])),
    }
    argv
}

/// Packs the tree at `tree`, in which times are clamped already.
pub fn erofs_argv(
    export: &Export,
    compression: Compression,
    file: &str,
    tree: &str,
) -> Vec<String> {
    let mut argv = words(&["mkfs.erofs", "--quiet", "-U", &uuid(export)]);
    argv.push("--preserve-mtime".to_owned());
    // One sees every attribute that the root has.
    argv.push("-x1".to_owned());
    match compression {
        Compression::None => {}
        other => argv.push(format!("-z{}", other.name())),
    }
    argv.extend(words(&[file, tree]));
    argv
}

/// The three parts of a pipe that packs the tree in the working directory.
pub fn cpio_argvs() -> [Vec<String>; 3] {
    [
        words(&["find", ".", "-mindepth", "1", "-print0"]),
        words(&["sort", "-z"]),
        words(&[
            "cpio",
            "--null",
            "--create",
            "--format=newc",
            "--reproducible",
            "--quiet",
        ]),
    ]
}

/// A file system of `size` (`4096k`) with room for `inodes` files, and the tree at `tree`
/// in it.
pub fn ext4_argv(export: &Export, size: &str, inodes: &str, file: &str, tree: &str) -> Vec<String> {
    let id = uuid(export);
    let mut argv = words(&["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0"]);
    argv.extend(words(&["-L", "root", "-U", &id, "-N", inodes]));
    argv.push("-E".to_owned());
    argv.push(format!(
        "hash_seed={id},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
    ));
    argv.extend(words(&["-d", tree, file, size]));
    argv
}

/// Packs a folder of rootwright's own making; neither owners nor modes of the host are in
/// the archive.
pub fn archive_argv(export: &Export, folder: &str, file: &str) -> Vec<String> {
    let mut argv = words(&["tar", "--create", "--force-local", "--format=ustar"]);
    argv.extend(words(&[
        "--sort=name",
        "--numeric-owner",
        "--owner=0",
        "--group=0",
    ]));
    argv.push("--mode=u=rwX,go=rX".to_owned());
    let time = export.times.word().unwrap_or_else(|| "0".to_owned());
    argv.push(format!("--mtime=@{time}"));
    argv.push(format!("--file={file}"));
    argv.push(format!("--directory={folder}"));
    argv.extend(words(&["index.json", "oci-layout", "blobs"]));
    argv
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
