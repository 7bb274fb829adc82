//! Modules of libraries. They are named `@LIBRARY/PATH`, in imports and in spans, wherever
//! the copy is that they are read from.

use super::reports;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::nearest;
use super::read::{beside, module_file, read_within};
use super::session::Session;
use crate::diagnose::{LIBRARY, Origin, Report};
use crate::plan::LibraryUse;
use crate::project::{Library, tree};

/// The library whose module a file is.
pub fn library_of(file: &str) -> Option<&str> {
    match Origin::of(file) {
        Origin::Library(name) => Some(name),
        Origin::Stdlib | Origin::Project => None,
    }
}

/// The name and the text of the module that `import "@LIBRARY/MODULE"` means.
///
/// # Errors
/// A report without a place: no such library, no copy of it that can be trusted, no such
/// module in it, or a library that asks.
pub fn read(session: &Session, importer: &str, name: &str) -> ModuleText {
    if let Some(library) = library_of(importer) {
        let message =
            format!("the library `{library}` imports `{name}`, which is another library's");
        let report = reports::import_path(message);
        return Err(report.help(
            "a library imports its own modules and those of the stdlib; what it needs of another, the recipe can hand to it",
        ));
    }
    let parts = name.split_once('/');
    let Some((library, module)) = parts.filter(|(_, module)| !module.is_empty()) else {
        let report = reports::import_path(format!("`{name}` names no module"));
        return Err(report.help(format!("write `{name}/MODULE`")));
    };
    let library = find(session, library.trim_start_matches(LIBRARY))?;
    if let Some(found) = read_file(&library, Path::new(""), module)? {
        take(session, &library);
        return Ok(found);
    }
    let modules = tree::modules(library.folder()?);
    let name = &library.entry.name;
    let message = format!("the library `{name}` has no module `{module}`");
    let report = reports::unknown_module(message);
    Err(match nearest(module, modules.iter().map(String::as_str)) {
        Some(near) => report.help(format!("did you mean `@{name}/{near}`?")),
        None => report.help(format!("it has {}", modules.join(", "))),
    })
}

type ModuleText = Result<(String, String), Report>;

fn find(session: &Session, name: &str) -> Result<Arc<Library>, Report> {
    let known = &session.settings.project.libraries;
    if let Some(library) = known.get(name) {
        return Ok(Arc::clone(library));
    }
    let message = format!("there is no library `{name}`");
    let report = reports::unknown_library(message);
    Err(match nearest(name, known.keys().map(String::as_str)) {
        Some(near) => report.help(format!("did you mean `@{near}`?")),
        None => report.help(format!(
            "`rootwright add ADDRESS --name {name}` fetches one and writes it into rootwright.toml"
        )),
    })
}

/// Notes in the plan that a library takes part.
fn take(session: &Session, library: &Library) {
    let Some(pin) = library.pinned() else {
        return;
    };
    let used = LibraryUse {
        name: library.entry.name.clone(),
        git: pin.git.clone(),
        version: pin.tag.clone().or_else(|| pin.branch.clone()),
        commit: pin.commit.clone(),
        digest: pin.digest.clone(),
        grants: library.entry.grants.clone(),
    };
    let mut plan = session.plan.borrow_mut();
    if !plan.libraries.iter().any(|known| known.name == used.name) {
        plan.libraries.push(used);
        plan.libraries.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// A module that a module of a library imports: beside it, in `lib/` of the library, in the
/// library itself; `None` where there is none.
///
/// # Errors
/// When there is no copy of the library that can be trusted, or the file is a link that
/// leads out of it.
pub fn read_beside(
    session: &Session,
    importer: &str,
    file: &str,
) -> Result<Option<(String, String)>, Report> {
    let library = find(session, library_of(importer).unwrap_or_default())?;
    for folder in [own_folder(importer), "lib".into(), PathBuf::new()] {
        if let Some(found) = read_file(&library, &folder, file)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The folder within its library that a module is in.
fn own_folder(file: &str) -> PathBuf {
    beside(file).components().skip(1).collect()
}

fn read_file(
    library: &Library,
    folder: &Path,
    module: &str,
) -> Result<Option<(String, String)>, Report> {
    let down = |part| matches!(part, Component::Normal(_));
    if !Path::new(module).components().all(down) {
        let message = format!("`{module}` leaves the library `{}`", library.entry.name);
        let report = reports::import_path(message);
        return Err(report.help("a module of a library is named from its top"));
    }
    let inside = folder.join(module_file(module));
    let top = library.folder()?;
    let path = top.join(&inside);
    if !path.is_file() {
        return Ok(None);
    }
    let shown = format!("{LIBRARY}{}/{}", library.entry.name, inside.display());
    let text = read_within(top, &path, &shown)?;
    Ok(Some((shown, text)))
}

/// The folder on this machine that a script is in, and the one that its files stay in.
///
/// # Errors
/// When there is no copy of a library that can be trusted.
pub fn folders(session: &Session, file: &str) -> Result<(PathBuf, PathBuf), Report> {
    let Some(name) = library_of(file) else {
        return Ok((beside(file), session.repository()));
    };
    let library = find(session, name)?;
    let top = library.folder()?.to_owned();
    Ok((top.join(own_folder(file)), top))
}

/// The file of that name in a folder, unless it or a link leads out of `top`.
pub fn inside(folder: &Path, top: &Path, name: &str) -> Option<PathBuf> {
    let mut parts = Path::new(name).components();
    if parts.any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return None;
    }
    let file = folder.join(name);
    match (file.canonicalize(), top.canonicalize()) {
        (Ok(real), Ok(top)) if !real.starts_with(&top) => None,
        _ => Some(file),
    }
}
