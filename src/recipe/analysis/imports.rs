//! Imports: their paths, their names, circles, and what is wrong in what they bring.

use crate::recipe::reports;
use std::rc::Rc;

use rhai::Engine;

use super::{Functions, Import, Names, at, functions};
use crate::diagnose::{Frame, Report};
use crate::recipe::session::Session;
use crate::recipe::source::{self, Script};
use crate::recipe::{error, loader};

pub(super) fn check(
    engine: &Engine,
    session: &Rc<Session>,
    file: &str,
    imports: Vec<Import>,
    names: &mut Names,
    reports: &mut Vec<Report>,
) -> Vec<source::Import> {
    let mut led = Vec::new();
    for import in imports {
        let found = match one(session, file, &import, names) {
            Ok(found) => found,
            Err(report) => {
                reports.push(at(session, file, import.position, report));
                // What is called of it is not reported as well.
                names.modules.entry(import.alias).or_default();
                continue;
            }
        };
        session.modules.add(&found);
        let compile = || loader::compile(engine, session, &found.file);
        let compiled = session.calls.within(file, compile);
        let known = match compiled {
            Ok(ast) => functions(&ast),
            Err(inside) => {
                let frame = error::at(session, file, import.position, "import");
                reports.extend(inside.into_iter().map(|report| below(report, &frame)));
                Functions::new()
            }
        };
        names.modules.insert(import.alias, known);
        led.extend(import.path.map(|path| source::Import {
            path,
            script: found,
        }));
    }
    led
}

fn one(
    session: &Session,
    file: &str,
    import: &Import,
    names: &Names,
) -> Result<Rc<Script>, Report> {
    let Some(path) = &import.path else {
        return Err(reports::import_path(
            "the path of an import is plain text, and is not computed",
        )
        .help("import both modules, and choose between their functions"));
    };
    if !import.alias.is_empty() && names.modules.contains_key(&import.alias) {
        return Err(reports::duplicate(format!(
            "a module is imported as `{}` already",
            import.alias
        ))
        .help(format!(
            "give this one another name: `import \"{path}\" as other;`"
        )));
    }
    let found = loader::find(session, file, path)?;
    if session.calls.is_within(&found.file) || found.file == file {
        return Err(
            reports::import_circle(format!("`{path}` imports this module in turn"))
                .help("move what both need into a third module"),
        );
    }
    Ok(found)
}

/// A finding in a module, with the import that led there.
fn below(mut report: Report, import: &[Frame]) -> Report {
    report.focus = report.place().cloned();
    report.trace.splice(0..0, import.iter().cloned());
    report
}
