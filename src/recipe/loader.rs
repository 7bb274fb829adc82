//! Finding, reading, compiling and checking scripts.

use super::reports;
use std::path::{Component, Path};
use std::rc::Rc;
use std::sync::Arc;

use rhai::{AST, Engine, EvalAltResult, ModuleResolver, ParseErrorType, Position, Scope, Shared};

use super::current_session::CurrentSession;
use super::error;
use super::module_cache::Parsing;
use super::read::{beside, module_file, read_within};
use super::reports::RaisedReport;
use super::session::{STDLIB, Session};
use super::source::Script;
use super::{analysis, boundary, library_modules, source};
use crate::diagnose::Report;
use crate::project::LIBRARY;

/// A byte order mark and a `#!` line do not parse; they are blanked so that lines keep
/// their numbers.
fn parsable(text: &str) -> String {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    match body.strip_prefix("#!") {
        Some(rest) => rest
            .split_once('\n')
            .map_or_else(String::new, |(_, after)| format!("\n{after}")),
        None => body.to_owned(),
    }
}

/// Compiles a script and everything it imports, and checks all of it.
///
/// # Errors
/// Every finding in all of the files.
pub fn compile(engine: &Engine, session: &Rc<Session>, file: &str) -> Result<Rc<AST>, Vec<Report>> {
    if let Some(ast) = session.modules.compiled(file) {
        return Ok(ast);
    }
    // Whoever compiles a script has read it.
    let Some(script) = session.modules.script(file) else {
        let message = format!("`{file}` is not loaded");
        return Err(vec![reports::unknown_module(message)]);
    };
    if let Some(ast) = script.ast.get().filter(|_| adopt(session, &script)) {
        return Ok(Rc::clone(ast));
    }
    let (ast, mut reports) = match script.ast.get() {
        Some(ast) => (Some(Rc::clone(ast)), Vec::new()),
        None => parse(engine, session, &script),
    };
    let Some(ast) = ast else { return Err(reports) };
    // A script that names variables that there are not is looked through for what else is wrong.
    let knows_its_names = reports.is_empty();
    if knows_its_names {
        let _ = script.ast.set(Rc::clone(&ast));
    }
    // So that a module that imports this one in turn does not start anew.
    session.modules.add_compiled(file, &ast);
    let (found, imports) = analysis::check(engine, session, file, &ast);
    reports.extend(found);
    if !knows_its_names {
        session.modules.compiled.borrow_mut().remove(file);
    }
    if !reports.is_empty() {
        return Err(reports);
    }
    script.set_sound(session.kind(), imports);
    Ok(ast)
}

/// How many unknown variables of a script are looked for, each of which takes another
/// parse; and the bytes of a script for which that takes no time.
const MOST_UNKNOWN: usize = 20;
const SMALL_SCRIPT: usize = 64 << 10;

/// The script's syntax tree, where there is one, and what is wrong. The engine stops at the
/// first variable that it does not know: it is told of it, and goes on to the next.
fn parse(engine: &Engine, session: &Session, script: &Script) -> (Option<Rc<AST>>, Vec<Report>) {
    let text: Arc<str> = parsable(&script.text).into();
    if let Some(report) = error::open_comment(&script.file, &text) {
        return (None, vec![report]);
    }
    let most = match text.len() > SMALL_SCRIPT {
        true => 1,
        false => MOST_UNKNOWN,
    };
    let mut known = Scope::new();
    let mut reports = Vec::new();
    loop {
        session.modules.parsing.replace(Parsing {
            text: Arc::clone(&text),
            after_period: false,
        });
        let error = match engine.compile_with_scope(&known, &text) {
            Ok(mut ast) => {
                ast.set_source(&script.file);
                return (Some(Rc::new(ast)), reports);
            }
            Err(error) => error,
        };
        let unknown = match error.err_type() {
            ParseErrorType::VariableUndefined(name) => Some(name.clone()),
            _ => None,
        };
        // What does not parse after an unknown name is most often part of the same mistake,
        // and so is a name that has been met: a function sees no variable from outside.
        let new = unknown.as_ref().is_some_and(|name| !known.contains(name));
        if !new && !reports.is_empty() {
            return (None, reports);
        }
        let unparsed = error::parse(session, &error, &script.file);
        reports.push(unparsed.report);
        match unparsed.undeclared.filter(|_| reports.len() < most) {
            Some(name) => drop(known.push(name, ())),
            None => return (None, reports),
        }
    }
}

/// Makes a script, and all that it imports, part of a session without looking at them
/// again: if nothing was wrong with them, and their imports lead to the very same scripts
/// now.
fn adopt(session: &Session, script: &Rc<Script>) -> bool {
    let known = |script: &Script| session.modules.compiled.borrow().contains_key(&script.file);
    let (Some(ast), Some(imports)) = (script.ast.get(), script.imports(session.kind())) else {
        return false;
    };
    let sound = imports.iter().all(|import| {
        let found = find(session, &script.file, &import.path);
        found.is_ok_and(|found| Rc::ptr_eq(&found, &import.script))
            && (known(&import.script) || adopt(session, &import.script))
    });
    if sound {
        session.modules.add(script);
        session.modules.add_compiled(&script.file, ast);
    }
    sound
}

/// Looks for a module: beside the importing script, in `lib/` of the recipe's repository,
/// in the repository itself, in the stdlib. The stdlib's own imports look there only, those
/// of a library in the library and in the stdlib. `@NAME/MODULE` is a module of a library.
///
/// # Errors
/// A report without a place: a name that is no plain path, or nothing found.
pub fn find(session: &Session, importer: &str, name: &str) -> Result<Rc<Script>, Report> {
    // Where an import leads depends on the importer's folder.
    let folder = match importer.starts_with(STDLIB) {
        true => STDLIB.to_owned(),
        false => beside(importer).display().to_string(),
    };
    let key = (folder, name.to_owned());
    if let Some(script) = session.modules.found.borrow().get(&key) {
        return Ok(Rc::clone(script));
    }
    let (file, text) = read(session, importer, name)?;
    let script = source::script(&file, &text);
    let mut found = session.modules.found.borrow_mut();
    found.insert(key, Rc::clone(&script));
    Ok(script)
}

/// The name and the text of a module.
fn read(session: &Session, importer: &str, name: &str) -> Result<(String, String), Report> {
    let mut parts = Path::new(name).components();
    let plain = !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)));
    if name.contains("://") {
        return Err(reports::import_path(format!("`{name}` is an address, and a module is a file"))
            .help("put the file into `lib/` of the recipe's repository; `rootwright add ADDRESS` fetches a library from git"));
    }
    if name.starts_with(LIBRARY) {
        return library_modules::read(session, importer, name);
    }
    if !plain {
        return Err(reports::import_path(format!("`{name}` is no module's name: it leaves the folders that modules are looked for in"))
            .help("a module stands beside the script that imports it, in `lib/` of the recipe's repository, or in the stdlib"));
    }
    let file = module_file(name);
    if importer.starts_with(LIBRARY) {
        if let Some(found) = library_modules::read_beside(session, importer, &file)? {
            return Ok(found);
        }
    } else if !importer.starts_with(STDLIB) {
        let repository = session.repository();
        for folder in [beside(importer), repository.join("lib"), repository] {
            let path = folder.join(&file);
            if path.is_file() {
                let shown = path.strip_prefix(".").unwrap_or(&path);
                let text = read_within(&folder, &path, &shown.display().to_string())?;
                return Ok((shown.display().to_string(), text));
            }
        }
    }
    let stdlib = session.stdlib();
    if let Some(text) = stdlib.text(&file) {
        return Ok((format!("{STDLIB}{file}"), text));
    }
    let known: Vec<String> = stdlib
        .all()
        .iter()
        .map(|name| name.trim_end_matches(".rhai").to_owned())
        .collect();
    let searched = match importer.starts_with(LIBRARY) {
        true => "in the library and in the stdlib: a library knows no other modules",
        false => "beside the script, in `lib/` of its repository, and in the stdlib",
    };
    let report = reports::unknown_module(format!("there is no module `{name}`"));
    Err(report.help_near(name, known, format!("looked for `{file}` {searched}")))
}

/// The resolver of `import`.
pub struct Resolver {
    current: CurrentSession,
}

impl Resolver {
    pub fn new(current: CurrentSession) -> Self {
        Resolver { current }
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<rhai::Module>, Box<EvalAltResult>> {
        let not_found = || EvalAltResult::ErrorModuleNotFound(path.to_owned(), position);
        let session = self.current.session().ok_or_else(not_found)?;
        let importer = source.unwrap_or_default();
        let found = find(&session, importer, path).map_err(RaisedReport::raise)?;
        if let Some(module) = session.modules.evaluated.borrow().get(&found.file) {
            return Ok(Shared::clone(module));
        }
        session.modules.add(&found);
        let ast = compile(engine, &session, &found.file)
            .map_err(|mut reports| RaisedReport::raise(reports.swap_remove(0)))?;
        let evaluate = || rhai::Module::eval_ast_as_new(Scope::new(), &ast, engine);
        let module = session
            .evaluate(session.calls.outer(), &found.file, evaluate)
            .map_err(RaisedReport::raise)?;
        // The engine says what the module ended with; without it there is no boundary.
        let home = session.calls.ended.take().ok_or_else(not_found)?;
        let module = Shared::new(boundary::enclose(&ast, &module, &home));
        let mut evaluated = session.modules.evaluated.borrow_mut();
        evaluated.insert(found.file.clone(), Shared::clone(&module));
        Ok(module)
    }
}
