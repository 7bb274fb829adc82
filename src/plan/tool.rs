//! The tools that write exports, as command lines for the runner and for the shell script
//! alike.

use super::{Compression, Export, Key};

/// A piece of a [`ToolWord`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolPart {
    /// Means itself, whatever it holds.
    Literal(String),
    /// The root that is exported.
    Root,
    /// The copy of the root that image tools take.
    Tree,
    /// What is written: a file, or an empty folder to fill.
    Output,
    /// The second after which times are clamped.
    Time,
}

/// A word of a tool's command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolWord(pub Vec<ToolPart>);

impl<S: Into<String>> From<S> for ToolWord {
    fn from(text: S) -> Self {
        ToolPart::Literal(text.into()).into()
    }
}

impl From<ToolPart> for ToolWord {
    fn from(part: ToolPart) -> Self {
        ToolWord(vec![part])
    }
}

/// The command line, in which `value` says what the parts stand for.
pub fn resolved(words: &[ToolWord], value: impl Fn(&ToolPart) -> String) -> Vec<String> {
    let part = |part: &ToolPart| match part {
        ToolPart::Literal(text) => text.clone(),
        part => value(part),
    };
    let word = |word: &ToolWord| word.0.iter().map(part).collect();
    words.iter().map(word).collect()
}

/// `--file=` and the part.
fn flag(name: &str, part: ToolPart) -> ToolWord {
    ToolWord(vec![ToolPart::Literal(name.to_owned()), part])
}

fn words<'a>(words: impl IntoIterator<Item = &'a &'a str>) -> Vec<ToolWord> {
    words.into_iter().map(|&word| word.into()).collect()
}

/// Attributes beyond names and contents. The form is pax: times below a second, extended
/// attributes and long names fit in no other.
const TAR_ATTRIBUTES: &[&str] = &[
    "--numeric-owner",
    "--acls",
    "--xattrs",
    "--xattrs-include=*",
];

/// Packs the root into `output`, a file, or `-` for standard output. Members are named
/// `./etc/hosts`; the order, the headers' names and the absence of access and change
/// times make the same tree the same archive. An exclude pattern is anchored at the
/// root, its wildcards match within one path component (a leading dot too), and what it
/// matches is left out with all below it.
pub fn tar(export: &Export, compression: Compression, output: ToolPart) -> Vec<ToolWord> {
    let mut argv = words(&["tar", "--create"]);
    argv.push(flag("--file=", output));
    // A colon in the name would mean another machine, and a remote shell.
    argv.push("--force-local".into());
    argv.push(flag("--directory=", ToolPart::Root));
    argv.extend(words(&[
        "--format=posix",
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
        "--sort=name",
        "--sparse",
        // The later forms put tar's process number into the name of a file with holes.
        "--sparse-version=0.0",
    ]));
    argv.extend(words(TAR_ATTRIBUTES));
    if !export.times.is_kept() {
        argv.push(flag("--mtime=@", ToolPart::Time));
        argv.push("--clamp-mtime".into());
    }
    if let Some(program) = compression.argv() {
        argv.push(format!("--use-compress-program={}", program.join(" ")).into());
    }
    if !export.exclude.is_empty() {
        argv.extend(words(&[
            "--anchored",
            "--wildcards",
            "--no-wildcards-match-slash",
        ]));
    }
    for pattern in &export.exclude {
        let pattern = pattern.trim_start_matches("./").trim_matches('/');
        argv.push(format!("--exclude=./{pattern}").into());
    }
    argv.push(".".into());
    argv
}

/// [`tar`] to standard output, and what unpacks that into the empty folder `to`.
pub fn tar_copy(export: &Export, to: ToolPart) -> [Vec<ToolWord>; 2] {
    let stdout = ToolPart::Literal("-".to_owned());
    let mut unpack = words(&["tar", "--extract", "--file=-"]);
    unpack.push(flag("--directory=", to));
    unpack.extend(words(&[
        "--preserve-permissions",
        "--same-owner",
        // Hard links and attributes touch directories again after they are left.
        "--delay-directory-restore",
    ]));
    unpack.extend(words(TAR_ATTRIBUTES));
    [tar(export, Compression::None, stdout), unpack]
}

/// Copies the root into the empty folder `Output`, which gets the attributes of the root
/// itself. cp has no exclude patterns: with these, an export is a [`tar_copy`], so that a
/// pattern means the same everywhere.
pub fn copy() -> Vec<ToolWord> {
    let mut argv = words(&[
        "cp",
        "--archive",
        // `--archive` alone ignores attributes that the target cannot hold: file
        // capabilities would be lost without a word.
        "--preserve=xattr",
        "--reflink=auto",
        "--",
    ]);
    argv.push(ToolWord(vec![
        ToolPart::Root,
        ToolPart::Literal("/.".to_owned()),
    ]));
    argv.push(ToolPart::Output.into());
    argv
}

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

/// Packs the tree. Every image tool takes the image's time from `SOURCE_DATE_EPOCH`.
pub fn squashfs(compression: Compression) -> Vec<ToolWord> {
    let mut argv = vec!["mksquashfs".into()];
    argv.extend([ToolPart::Tree.into(), ToolPart::Output.into()]);
    argv.extend(words(&["-noappend", "-no-progress", "-quiet", "-xattrs"]));
    argv.extend(match compression {
        Compression::None => words(&["-noI", "-noId", "-noD", "-noF", "-noX"]),
        Compression::Lz4hc => words(&["-comp", "lz4", "-Xhc"]),
        // A higher level takes several times as long for a few per cent.
        Compression::Zstd => words(&["-comp", "zstd", "-Xcompression-level", "6"]),
        other => words(&["-comp", other.name()]),
    });
    argv
}

/// Packs the tree, in which times are clamped already.
pub fn erofs(export: &Export, compression: Compression) -> Vec<ToolWord> {
    let mut argv = words(&["mkfs.erofs", "--quiet", "-U", &uuid(export)]);
    argv.push("--preserve-mtime".into());
    // With this level, every attribute that the root has is visible.
    argv.push("-x1".into());
    if compression != Compression::None {
        argv.push(format!("-z{}", compression.name()).into());
    }
    argv.extend([ToolPart::Output.into(), ToolPart::Tree.into()]);
    argv
}

/// A pipe that packs the tree, which is its working directory. `sort` sorts by bytes with
/// `LC_ALL=C`.
pub fn cpio(compression: Compression) -> Vec<Vec<ToolWord>> {
    let mut pipe = vec![
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
    ];
    pipe.extend(compression.argv().map(words));
    pipe
}

/// A file system of `size` (`4096k`) with room for `inodes` files, and the tree in it.
pub fn ext4(export: &Export, size: &str, inodes: &str) -> Vec<ToolWord> {
    let id = uuid(export);
    let mut argv = words(&["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0"]);
    argv.extend(words(&["-L", "root", "-U", &id, "-N", inodes, "-E"]));
    let tail = "lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0";
    argv.push(format!("hash_seed={id},{tail}").into());
    argv.push("-d".into());
    argv.extend([ToolPart::Tree.into(), ToolPart::Output.into(), size.into()]);
    argv
}

/// Packs an OCI image layout, the tree; neither owners nor modes of the host are in the
/// archive.
pub fn oci_archive(export: &Export) -> Vec<ToolWord> {
    let mut argv = words(&["tar", "--create", "--force-local", "--format=ustar"]);
    argv.extend(words(&[
        "--sort=name",
        "--numeric-owner",
        "--owner=0",
        "--group=0",
    ]));
    argv.push("--mode=u=rwX,go=rX".into());
    argv.push(match export.times.is_kept() {
        true => "--mtime=@0".into(),
        false => flag("--mtime=@", ToolPart::Time),
    });
    argv.push(flag("--file=", ToolPart::Output));
    argv.push(flag("--directory=", ToolPart::Tree));
    argv.extend(words(&["index.json", "oci-layout", "blobs"]));
    argv
}
