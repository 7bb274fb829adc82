//! Modules of libraries. They are named `@LIBRARY/PATH`, in imports and in spans, wherever
//! the copy is that they are read from.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::loader::{beside, read_within};
use super::nearest;
use super::session::Session;
use super::stdlib::Stdlib;
use crate::diagnose::{Frame, Report};
use crate::plan::LibraryUse;
use crate::project::{Grant, LIBRARY, Library, tree};

/// Folders of the stdlib with modules that built-ins are carried out by. One that has
/// something run on the host, itself or by way of another, does so with what it is given.
const TRUSTED: [&str; 3] = ["distro/", "package/", "host/"];
const ON_THE_HOST: [&str; 3] = ["host_run(", "check_before(", "keyring("];

/// The library whose module a file is.
pub fn library_of(file: &str) -> Option<&str> {
    let name = file.strip_prefix(LIBRARY)?;
    Some(name.split('/').next().unwrap_or(name))
}

/// The libraries whose modules take part in a chain of calls, outermost first.
pub fn libraries_in(chain: &[Frame]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in chain
        .iter()
        .filter_map(|frame| library_of(&frame.span.file))
    {
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

/// The name and the text of the module that `import "@LIBRARY/MODULE"` means.
///
/// # Errors
/// A report without a place: no such library, no copy of it that can be trusted, no such
/// module in it, or a library that asks.
pub fn read(session: &Session, importer: &str, name: &str) -> Found {
    if let Some(library) = library_of(importer) {
        let message =
            format!("the library `{library}` imports `{name}`, which is another library's");
        let report = Report::new("script::import_path", message);
        return Err(Box::new(report.help(
            "a library imports its own modules and those of the stdlib; what it needs of another, the recipe can hand to it",
        )));
    }
    let (library, module) = match name.split_once('/') {
        Some((library, module)) if !module.is_empty() => (library, module),
        _ => {
            let report = Report::new("script::import_path", format!("`{name}` names no module"));
            return Err(Box::new(report.help(format!("write `{name}/MODULE`"))));
        }
    };
    let library = find(session, library.trim_start_matches(LIBRARY))?;
    if let Some(found) = read_file(&library, Path::new(""), module)? {
        take(session, &library);
        return Ok(found);
    }
    let modules = tree::modules(library.folder()?);
    let name = &library.entry.name;
    let message = format!("the library `{name}` has no module `{module}`");
    let report = Report::new("script::unknown_module", message);
    Err(Box::new(
        match nearest(module, modules.iter().map(String::as_str)) {
            Some(near) => report.help(format!("did you mean `@{name}/{near}`?")),
            None => report.help(format!("it has {}", modules.join(", "))),
        },
    ))
}

type Found = Result<(String, String), Box<Report>>;

fn find(session: &Session, name: &str) -> Result<Arc<Library>, Box<Report>> {
    let known = &session.settings.project.libraries;
    if let Some(library) = known.get(name) {
        return Ok(Arc::clone(library));
    }
    let message = format!("there is no library `{name}`");
    let report = Report::new("script::unknown_library", message);
    Err(Box::new(
        match nearest(name, known.keys().map(String::as_str)) {
            Some(near) => report.help(format!("did you mean `@{near}`?")),
            None => report.help(format!(
                "`rootwright add ADDRESS --name {name}` fetches one and writes it into rootwright.toml"
            )),
        },
    ))
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
        grants: library
            .entry
            .grants
            .iter()
            .map(ToString::to_string)
            .collect(),
        asked: Vec::new(),
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
) -> Result<Option<(String, String)>, Box<Report>> {
    let library = find(session, library_of(importer).unwrap_or_default())?;
    let own = beside(importer);
    let own = own.components().skip(1).collect::<PathBuf>();
    for folder in [own.as_path(), Path::new("lib"), Path::new("")] {
        if let Some(found) = read_file(&library, folder, file)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn read_file(
    library: &Library,
    folder: &Path,
    module: &str,
) -> Result<Option<(String, String)>, Box<Report>> {
    let module = Path::new(module);
    let down = |part| matches!(part, Component::Normal(_));
    if !module.components().all(down) {
        let message = format!(
            "`{}` leaves the library `{}`",
            module.display(),
            library.entry.name
        );
        let report = Report::new("script::import_path", message);
        return Err(Box::new(
            report.help("a module of a library is named from its top"),
        ));
    }
    let inside = folder.join(module);
    let inside = match inside.extension() {
        Some(extension) if extension == "rhai" => inside,
        _ => PathBuf::from(format!("{}.rhai", inside.display())),
    };
    let top = library.folder()?;
    let path = top.join(&inside);
    if !path.is_file() {
        return Ok(None);
    }
    let shown = format!("{LIBRARY}{}/{}", library.entry.name, inside.display());
    let text = read_within(top, &path, &shown)?;
    Ok(Some((shown, text)))
}

/// Whether a library may import a module of the stdlib.
///
/// # Errors
/// A report without a place, where that runs commands of the host and the library may not.
pub fn may_import(session: &Session, importer: &str, module: &str) -> Result<(), Box<Report>> {
    let Some(library) = library_of(importer) else {
        return Ok(());
    };
    let library = find(session, library)?;
    let granted = library.entry.grants.contains(&Grant::HostRun);
    let trusted = TRUSTED.iter().any(|folder| module.starts_with(folder));
    if granted || !trusted || !reaches_the_host(session, module) {
        return Ok(());
    }
    Err(Box::new(refused(
        Report::new(
            "script::library_grant",
            format!(
                "the library `{}` imports `{module}`, which runs commands of the host, and has no grant for it",
                library.entry.name
            ),
        ),
        &library.entry.name,
        &Grant::HostRun,
    )))
}

/// Whether a module of the stdlib, or one that it imports, has something run on the host.
fn reaches_the_host(session: &Session, module: &str) -> bool {
    let stdlib = Stdlib::new(session.settings.stdlib.clone());
    let (mut seen, mut left) = (Vec::new(), vec![module.to_owned()]);
    while let Some(module) = left.pop() {
        let name = module.trim_end_matches(".rhai").to_owned();
        if seen.contains(&name) {
            continue;
        }
        let Some(text) = stdlib.text(&format!("{name}.rhai")) else {
            continue;
        };
        if ON_THE_HOST.iter().any(|call| text.contains(call)) {
            return true;
        }
        let imports = text.lines().filter_map(|line| {
            let rest = line.trim_start().strip_prefix("import \"")?;
            rest.split('"').next().map(str::to_owned)
        });
        left.extend(imports);
        seen.push(name);
    }
    false
}

/// What to do where a library has no grant.
pub fn refused(report: Report, library: &str, grant: &Grant) -> Report {
    report.help(format!(
        "look at the library; if that is right, grant it in rootwright.toml, below `[libraries.{library}]`: grants = [\"{grant}\"]"
    ))
}

/// The folder on this machine that a script is in, and the one that its files stay in.
///
/// # Errors
/// When there is no copy of a library that can be trusted.
pub fn folders(session: &Session, file: &str) -> Result<(PathBuf, PathBuf), Box<Report>> {
    let Some(name) = library_of(file) else {
        let repository = session.settings.project.root.clone();
        return Ok((
            beside(file),
            repository.unwrap_or_else(|| session.recipe_dir.clone()),
        ));
    };
    let library = find(session, name)?;
    let top = library.folder()?.to_owned();
    let own = beside(file);
    let own = own.components().skip(1).collect::<PathBuf>();
    Ok((top.join(own), top))
}
