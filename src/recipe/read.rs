//! Scripts as files.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{limits, nearest, reports};
use crate::diagnose::Report;

/// Reads a script file.
///
/// # Errors
/// A report when it is not there, is not a file, is too large or is not UTF-8.
pub fn read_script(path: &Path, name: &str) -> Result<String, Report> {
    let unreadable = |error: &std::io::Error| {
        reports::unreadable(format!("cannot read `{name}`: {}", plain(error)))
    };
    let metadata = std::fs::metadata(path).map_err(|error| {
        let report = unreadable(&error);
        match (error.kind(), similar_file(path)) {
            (std::io::ErrorKind::NotFound, Some(near)) => {
                report.help(format!("did you mean `{near}`?"))
            }
            (std::io::ErrorKind::NotFound, None) => {
                report.help("the path is taken from the current folder")
            }
            _ => report,
        }
    })?;
    if metadata.is_dir() {
        return Err(
            reports::unreadable(format!("`{name}` is a folder, not a recipe"))
                .help(format!("`rootwright list {name}` shows the recipes in it")),
        );
    }
    // A device that has no end is not read to its end; a pipe may be one of the shell's.
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(limits::SCRIPT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > limits::SCRIPT_BYTES {
        let limit = limits::SCRIPT_BYTES >> 20;
        return Err(
            reports::limit(format!("`{name}` is larger than {limit} MiB"))
                .help("a script holds steps; large files are brought in with `copy_in`"),
        );
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error
            .as_bytes()
            .iter()
            .take(error.utf8_error().valid_up_to());
        let line = valid.filter(|byte| **byte == b'\n').count() + 1;
        reports::not_utf8(format!(
            "`{name}` is not UTF-8 text: the bytes in line {line} are not characters"
        ))
        .help("save it as UTF-8")
    })
}

/// The text of a file, if it is one, and no larger than that.
pub fn small_text(path: &Path, most_bytes: u64) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    let small = metadata.is_file() && metadata.len() <= most_bytes;
    small.then(|| std::fs::read_to_string(path).ok()).flatten()
}

/// The text of a module that is a file of `folder`, or a link to one.
pub fn read_within(folder: &Path, path: &Path, shown: &str) -> Result<String, Report> {
    if escapes(folder, path) {
        let message = format!("`{shown}` is a link that leads out of its folder");
        let report = reports::import_path(message);
        return Err(report.help("put the module itself there"));
    }
    read_script(path, shown)
}

/// The file of a module that an import names with or without its ending.
pub fn module_file(name: &str) -> String {
    match name.ends_with(".rhai") {
        true => name.to_owned(),
        false => format!("{name}.rhai"),
    }
}

/// The folder that a script is in.
pub fn beside(script: impl AsRef<Path>) -> PathBuf {
    match script.as_ref().parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn similar_file(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let names: Vec<String> = std::fs::read_dir(beside(path))
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rhai"))
        .collect();
    let near = nearest(wanted, names.iter().map(String::as_str))?;
    Some(path.with_file_name(near).display().to_string())
}

/// Whether `path` really lies outside of `folder`, by way of a link.
fn escapes(folder: &Path, path: &Path) -> bool {
    match (folder.canonicalize(), path.canonicalize()) {
        (Ok(folder), Ok(path)) => !path.starts_with(folder),
        _ => true,
    }
}
