//! Changes to the files of a root.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::inside::Inside;
use super::secrets::Secrets;
use crate::diagnose::Report;
use crate::plan::{
    AppendFile, Attributes, CopyIn, EditFile, Fetch, MakeDir, MovePath, Op, RemovePath,
    RequirePaths, RequiredPath, SetMode, SetOwner, Symlink, WriteFile, digest,
};
use crate::store::Store;

/// What file operations are given beside the root.
pub struct FileContext<'a> {
    pub secrets: &'a Secrets,
    pub store: &'a Store,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {what} `{path}` in the root: {}", reason(source))]
    Path {
        what: &'static str,
        path: String,
        source: std::io::Error,
    },
    #[error("the root has no {kind} `{name}`")]
    NoSuchId { kind: &'static str, name: String },
    #[error("`{pattern}` matches nothing in `{path}`")]
    NoMatch {
        pattern: String,
        path: String,
        nearest: Option<String>,
    },
    #[error("`{path}` in the root is not UTF-8 text")]
    NotText { path: String },
    #[error("cannot copy `{source_path}`: {}", reason(source))]
    Source {
        source_path: String,
        source: std::io::Error,
    },
    #[error("`{source_path}` has changed since the plan was made")]
    Changed { source_path: String },
    #[error("the root lacks what {purpose} needs")]
    Missing {
        purpose: String,
        paths: Vec<RequiredPath>,
    },
    #[error("cannot fetch {url}: {message}")]
    Fetch { url: String, message: String },
    #[error("{url} is not the file that the recipe means")]
    Digest {
        url: String,
        wanted: String,
        found: String,
    },
}

fn reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind as K;
    match error.kind() {
        K::NotFound => "there is no such file".to_owned(),
        K::IsADirectory => "it is a directory".to_owned(),
        K::NotADirectory => "a part of the path is no directory".to_owned(),
        K::StorageFull => "the disk is full".to_owned(),
        K::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        K::InvalidInput => "it names the root itself".to_owned(),
        K::DirectoryNotEmpty => "the directory is not empty".to_owned(),
        _ => error.to_string(),
    }
}

impl Error {
    pub fn report(&self) -> Report {
        let message = self.to_string();
        match self {
            Error::Path { source, .. } => {
                let report = Report::new("files::path", message);
                match source.kind() {
                    std::io::ErrorKind::StorageFull => report.help("make room where the store is, or keep it elsewhere with `--store DIR`"),
                    std::io::ErrorKind::NotFound => report.help("an earlier step has to make it, or the package that brings it to be installed"),
                    _ => report,
                }
            }
            Error::NoSuchId { kind, .. } => Report::new("files::no_such_id", message)
                .cause(format!("names are looked up in the root's own list of {kind}s, not in the host's"))
                .help("an earlier step has to add it (`useradd`, `groupadd`), or the package that brings it to be installed"),
            Error::NoMatch { nearest, .. } => {
                let report = Report::new("files::no_match", message);
                match nearest {
                    Some(line) => report.help(format!("the nearest line is `{line}`")),
                    None => report.help("the file is empty"),
                }
            }
            Error::NotText { .. } => Report::new("files::not_text", message).help("`edit_file` changes text; replace the file with `copy_in`"),
            Error::Source { .. } => Report::new("files::source", message),
            Error::Changed { .. } => Report::new("files::changed", message).help("run the build again: the plan takes it as it is then"),
            Error::Missing { paths, .. } => {
                let mut report = Report::new("files::missing", message);
                let lines: Vec<String> = paths
                    .iter()
                    .map(|path| format!("{} is missing ({}); `{}` brings it", path.any_of.join(" or "), path.why, path.package))
                    .collect();
                report.cause = Some(lines.join("\n"));
                let packages: Vec<String> = paths.iter().map(|path| format!("\"{}\"", path.package)).collect();
                report.help(format!("root.install([{}]);", packages.join(", ")))
            }
            Error::Fetch { .. } => Report::new("files::fetch", message).help("is the address right, and can this host reach it?"),
            Error::Digest { wanted, found, .. } => Report::new("files::digest", message)
                .cause(format!("the recipe says sha256 {wanted}, the file has {found}"))
                .help("if the new file is the right one, put its digest into the recipe; if not, somebody changed it"),
        }
    }
}

fn at<'a>(what: &'static str, path: &'a str) -> impl Fn(std::io::Error) -> Error + 'a {
    move |source| Error::Path {
        what,
        path: path.to_owned(),
        source,
    }
}

/// Carries out a file operation in the root that is mounted at `root`. Commands and
/// exports are none of its business, and are left alone.
///
/// # Errors
/// What stands in the way; the file that was to change is as it was.
pub fn apply(root: &Path, op: &Op, context: &FileContext<'_>) -> Result<(), Error> {
    let inside = Inside::open(root).map_err(at("open", "/"))?;
    match op {
        Op::WriteFile(op) => write_file(&inside, op, context),
        Op::AppendFile(op) => append_file(&inside, op, context),
        Op::EditFile(op) => edit_file(&inside, op),
        Op::CopyIn(op) => copy_in(&inside, op),
        Op::MakeDir(op) => make_dir(&inside, op),
        Op::Symlink(op) => symlink(&inside, op),
        Op::RemovePath(op) => remove_path(&inside, op),
        Op::MovePath(op) => move_path(&inside, op),
        Op::SetMode(op) => set_mode(&inside, op),
        Op::SetOwner(op) => set_owner(&inside, op),
        Op::RequirePaths(op) => require_paths(&inside, op),
        Op::Fetch(op) => fetch(&inside, op, context),
        Op::HostRun(_) | Op::NspawnRun(_) | Op::Export(_) => Ok(()),
    }
}

fn owner_ids(inside: &Inside, attributes: &Attributes) -> Result<(Option<u32>, Option<u32>), Error> {
    let find = |kind: &'static str, database: &str, name: &Option<String>| match name {
        None => Ok(None),
        Some(name) => inside.id(database, name).map(Some).ok_or_else(|| Error::NoSuchId {
            kind,
            name: name.clone(),
        }),
    };
    Ok((
        find("user", "/etc/passwd", &attributes.owner)?,
        find("group", "/etc/group", &attributes.group)?,
    ))
}

/// Replaces a file's contents in one step; mode, owner and extended attributes of a file
/// that is there stay unless `attributes` says otherwise.
fn replace(
    inside: &Inside,
    path: &str,
    target: &Path,
    content: &[u8],
    attributes: &Attributes,
) -> Result<(), Error> {
    let fail = at("write", path);
    let (uid, gid) = owner_ids(inside, attributes)?;
    let old = fs::symlink_metadata(target).ok();
    if old.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        return Err(fail(std::io::ErrorKind::IsADirectory.into()));
    }
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new()
        .prefix(".rootwright-")
        .tempfile_in(folder)
        .map_err(&fail)?;
    file.write_all(content).map_err(&fail)?;
    if let Some(old) = &old {
        for name in xattr::list(target).map_err(&fail)? {
            if let Some(value) = xattr::get(target, &name).map_err(&fail)? {
                xattr::set(file.path(), &name, &value).map_err(&fail)?;
            }
        }
        std::os::unix::fs::chown(file.path(), Some(old.uid()), Some(old.gid())).map_err(&fail)?;
    }
    if uid.is_some() || gid.is_some() {
        std::os::unix::fs::chown(file.path(), uid, gid).map_err(&fail)?;
    }
    let mode = attributes.mode.or(old.map(|old| old.mode() & 0o7777)).unwrap_or(0o644);
    fs::set_permissions(file.path(), PermissionsExt::from_mode(mode)).map_err(&fail)?;
    file.persist(target).map_err(|error| fail(error.error))?;
    Ok(())
}

fn write_file(inside: &Inside, op: &WriteFile, context: &FileContext<'_>) -> Result<(), Error> {
    let target = inside.target(&op.path, true).map_err(at("write", &op.path))?;
    let content = context.secrets.reveal(&op.content);
    replace(inside, &op.path, &target, content.as_bytes(), &op.attributes)
}

fn append_file(inside: &Inside, op: &AppendFile, context: &FileContext<'_>) -> Result<(), Error> {
    let fail = at("append to", &op.path);
    let target = inside.target(&op.path, true).map_err(&fail)?;
    let mut content = match fs::read(&target) {
        Ok(content) => content,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(fail(error)),
    };
    content.extend_from_slice(context.secrets.reveal(&op.content).as_bytes());
    replace(inside, &op.path, &target, &content, &Attributes::default())
}

fn edit_file(inside: &Inside, op: &EditFile) -> Result<(), Error> {
    let fail = at("edit", &op.path);
    let target = inside.existing(&op.path).map_err(&fail)?;
    let bytes = fs::read(&target).map_err(&fail)?;
    let mut text = String::from_utf8(bytes).map_err(|_| Error::NotText { path: op.path.clone() })?;
    for edit in &op.edits {
        let pattern = regex::RegexBuilder::new(&edit.pattern).multi_line(true).build();
        // The pattern was checked when the plan was made.
        let Some(pattern) = pattern.ok().filter(|pattern| pattern.is_match(&text)) else {
            let near = text
                .lines()
                .max_by(|a, b| similarity(a, &edit.pattern).total_cmp(&similarity(b, &edit.pattern)));
            return Err(Error::NoMatch {
                pattern: edit.pattern.clone(),
                path: op.path.clone(),
                nearest: near.map(str::to_owned),
            });
        };
        text = pattern.replace_all(&text, edit.replacement.as_str()).into_owned();
    }
    replace(inside, &op.path, &target, text.as_bytes(), &Attributes::default())
}

fn similarity(line: &str, pattern: &str) -> f64 {
    strsim::sorensen_dice(line, pattern)
}

fn set_attributes(inside: &Inside, path: &str, target: &Path, attributes: &Attributes) -> Result<(), Error> {
    let fail = at("set owner and mode of", path);
    let (uid, gid) = owner_ids(inside, attributes)?;
    if uid.is_some() || gid.is_some() {
        std::os::unix::fs::lchown(target, uid, gid).map_err(&fail)?;
    }
    if let Some(mode) = attributes.mode {
        fs::set_permissions(target, PermissionsExt::from_mode(mode)).map_err(&fail)?;
    }
    Ok(())
}

fn copy_in(inside: &Inside, op: &CopyIn) -> Result<(), Error> {
    let source_fail = |source| Error::Source {
        source_path: op.source.clone(),
        source,
    };
    let source = Path::new(&op.source);
    if digest::tree(source).map_err(source_fail)? != op.digest {
        return Err(Error::Changed {
            source_path: op.source.clone(),
        });
    }
    let target = if source.is_dir() {
        inside.entry(&op.path, true)
    } else {
        inside.target(&op.path, true)
    }
    .map_err(at("copy to", &op.path))?;
    copy_tree(source, &target).map_err(at("copy to", &op.path))?;
    set_attributes(inside, &op.path, &target, &op.attributes)
}

/// Copies names, contents, permission bits and links; everything belongs to root.
fn copy_tree(source: &Path, target: &Path) -> std::io::Result<()> {
    let metadata = fs::symlink_metadata(source)?;
    if metadata.file_type().is_symlink() {
        let _ = fs::remove_file(target);
        std::os::unix::fs::symlink(fs::read_link(source)?, target)?;
        return std::os::unix::fs::lchown(target, Some(0), Some(0));
    }
    if metadata.is_dir() {
        if !target.is_dir() {
            fs::create_dir(target)?;
        }
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            copy_tree(&entry.path(), &target.join(entry.file_name()))?;
        }
    } else {
        let _ = fs::remove_file(target);
        fs::copy(source, target)?;
    }
    std::os::unix::fs::chown(target, Some(0), Some(0))?;
    fs::set_permissions(target, PermissionsExt::from_mode(metadata.mode() & 0o7777))
}

fn make_dir(inside: &Inside, op: &MakeDir) -> Result<(), Error> {
    let fail = at("make directory", &op.path);
    let target = inside.target(&op.path, true).map_err(&fail)?;
    match fs::create_dir(&target) {
        Ok(()) => fs::set_permissions(&target, PermissionsExt::from_mode(0o755)).map_err(&fail)?,
        Err(_) if target.is_dir() => {}
        Err(error) => return Err(fail(error)),
    }
    set_attributes(inside, &op.path, &target, &op.attributes)
}

fn symlink(inside: &Inside, op: &Symlink) -> Result<(), Error> {
    let fail = at("make the link", &op.path);
    let entry = inside.entry(&op.path, true).map_err(&fail)?;
    if let Ok(old) = fs::symlink_metadata(&entry) {
        if old.is_dir() {
            return Err(fail(std::io::ErrorKind::IsADirectory.into()));
        }
        fs::remove_file(&entry).map_err(&fail)?;
    }
    std::os::unix::fs::symlink(&op.target, &entry).map_err(&fail)
}

fn remove_path(inside: &Inside, op: &RemovePath) -> Result<(), Error> {
    let fail = at("remove", &op.path);
    let has_wildcard = op.path.contains(['*', '?', '[']);
    let found = inside.matches(&op.path).map_err(&fail)?;
    if found.is_empty() && !has_wildcard && !op.missing_ok {
        return Err(fail(std::io::ErrorKind::NotFound.into()));
    }
    for path in found {
        let entry = inside.entry(&path, false).map_err(&fail)?;
        let metadata = fs::symlink_metadata(&entry).map_err(&fail)?;
        if metadata.is_dir() {
            fs::remove_dir_all(&entry).map_err(&fail)?;
        } else {
            fs::remove_file(&entry).map_err(&fail)?;
        }
    }
    Ok(())
}

fn move_path(inside: &Inside, op: &MovePath) -> Result<(), Error> {
    let from = inside.entry(&op.from, false).map_err(at("move", &op.from))?;
    let to = inside.entry(&op.to, true).map_err(at("move to", &op.to))?;
    match fs::rename(&from, &to) {
        // overlayfs does not rename directories of lower layers; a copy and a removal do.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) => {
            let command = crate::plan::command::copy_argv(&from.display().to_string(), &to.display().to_string());
            fs::create_dir(&to).map_err(at("move to", &op.to))?;
            let copied = duct::cmd(&command[0], &command[1..]).run();
            copied.map_err(at("move to", &op.to))?;
            fs::remove_dir_all(&from).map_err(at("move", &op.from))
        }
        result => result.map_err(at("move", &op.from)),
    }
}

/// A path and all below it; links are not followed.
fn walk(path: &Path, recursive: bool, visit: &mut dyn FnMut(&Path, &std::fs::Metadata) -> std::io::Result<()>) -> std::io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if recursive && metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            walk(&entry?.path(), true, visit)?;
        }
    }
    visit(path, &metadata)
}

fn set_mode(inside: &Inside, op: &SetMode) -> Result<(), Error> {
    let fail = at("set the mode of", &op.path);
    let target = inside.existing(&op.path).map_err(&fail)?;
    walk(&target, op.recursive, &mut |path, metadata| {
        if metadata.file_type().is_symlink() {
            return Ok(());
        }
        fs::set_permissions(path, PermissionsExt::from_mode(op.mode))
    })
    .map_err(&fail)
}

fn set_owner(inside: &Inside, op: &SetOwner) -> Result<(), Error> {
    let fail = at("set the owner of", &op.path);
    let attributes = Attributes {
        mode: None,
        owner: Some(op.owner.clone()),
        group: op.group.clone(),
    };
    let (uid, gid) = owner_ids(inside, &attributes)?;
    let target = inside.existing(&op.path).map_err(&fail)?;
    walk(&target, op.recursive, &mut |path, _| std::os::unix::fs::lchown(path, uid, gid)).map_err(&fail)
}

fn require_paths(inside: &Inside, op: &RequirePaths) -> Result<(), Error> {
    let mut missing = Vec::new();
    for required in &op.paths {
        let mut there = false;
        for pattern in &required.any_of {
            there |= !inside.matches(pattern).map_err(at("look for", pattern))?.is_empty();
        }
        if !there {
            missing.push(required.clone());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::Missing {
        purpose: op.purpose.clone(),
        paths: missing,
    })
}

fn fetch(inside: &Inside, op: &Fetch, context: &FileContext<'_>) -> Result<(), Error> {
    let file = fetched(op, context.store)?;
    let target = inside.target(&op.path, true).map_err(at("copy to", &op.path))?;
    let content = fs::read(&file).map_err(at("copy to", &op.path))?;
    replace(inside, &op.path, &target, &content, &op.attributes)
}

/// The file in the store, fetched unless it is there.
fn fetched(op: &Fetch, store: &Store) -> Result<PathBuf, Error> {
    let fail = |message: String| Error::Fetch {
        url: op.url.clone(),
        message,
    };
    let file = store.fetched(&op.sha256);
    if file.is_file() && sha256(&file).map_err(|error| fail(error.to_string()))? == op.sha256 {
        return Ok(file);
    }
    let part = tempfile::NamedTempFile::new_in(store.root().join("fetch")).map_err(|error| fail(error.to_string()))?;
    let path = part.path().display().to_string();
    let arguments = ["--fail", "--location", "--silent", "--show-error", "--retry", "3", "--output", path.as_str(), "--", op.url.as_str()];
    let ended = duct::cmd("curl", arguments)
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(|error| fail(error.to_string()))?;
    if !ended.status.success() {
        return Err(fail(String::from_utf8_lossy(&ended.stderr).trim().to_owned()));
    }
    let found = sha256(part.path()).map_err(|error| fail(error.to_string()))?;
    if found != op.sha256 {
        return Err(Error::Digest {
            url: op.url.clone(),
            wanted: op.sha256.clone(),
            found,
        });
    }
    part.persist(&file).map_err(|error| fail(error.error.to_string()))?;
    Ok(file)
}

/// The sha256 digest of a file, in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(path: &Path) -> std::io::Result<String> {
    use sha2::Digest;
    struct Sink(sha2::Sha256);
    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(sha2::Sha256::new());
    std::io::copy(&mut fs::File::open(path)?, &mut sink)?;
    let digest = sink.0.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
