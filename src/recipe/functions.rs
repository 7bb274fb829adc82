//! The modules of the stdlib that recipes import, their functions, and what the comments
//! above these say.

use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::FnAccess;

use super::call_stack::is_closure;
use super::session::{STDLIB, Session};
use super::stdlib::Stdlib;
use super::{Failure, Settings, doc, engine, loader, thread};

/// A module that recipes import: one at the top of the stdlib. What stands in its folders
/// is the business of built-ins.
#[derive(Clone, Debug)]
pub struct Module {
    /// As `import` takes it: `diskless`.
    pub name: String,
    /// The `//!` comment.
    pub about: String,
    /// In the order of the file; those marked `private` are left out.
    pub functions: Vec<Function>,
}

#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    /// Of the longest of the functions of that name.
    pub params: Vec<String>,
    /// How many of the last parameters may be left out.
    pub optional: usize,
    /// The `///` comment, without the marks.
    pub doc: String,
}

/// The modules that recipes import, by name.
///
/// # Errors
/// What is wrong with a module, where a folder stands for the embedded stdlib.
pub fn modules(settings: &Settings) -> Result<Vec<Module>, Failure> {
    let read = || {
        let stdlib = Stdlib::new(settings.stdlib.clone());
        let files = stdlib.list("");
        let names = files.iter().filter_map(|file| file.strip_suffix(".rhai"));
        names
            .filter_map(|name| Some((name, stdlib.text(&format!("{name}.rhai"))?)))
            .map(|(name, text)| module(name, &text, settings))
            .collect()
    };
    thread::run("modules", read).map_err(Failure::of)?
}

fn module(name: &str, text: &str, settings: &Settings) -> Result<Module, Failure> {
    let file = format!("{STDLIB}{name}.rhai");
    let session = Rc::new(Session::new(settings.clone(), &file, text, ".".into()));
    let ast = engine::with(&session, |engine| loader::compile(engine, &session, &file))
        .map_err(|reports| Failure::new(reports, session.modules.sources()))?;
    let mut found: BTreeMap<&str, Function> = BTreeMap::new();
    let mut shortest: BTreeMap<&str, usize> = BTreeMap::new();
    for function in ast.iter_functions() {
        // A closure is a function without a name that anybody could call.
        if function.access == FnAccess::Private || is_closure(function.name) {
            continue;
        }
        let params = &function.params;
        let least = shortest.entry(function.name).or_insert(params.len());
        *least = params.len().min(*least);
        let known = found.entry(function.name).or_insert_with(|| Function {
            name: function.name.to_owned(),
            params: Vec::new(),
            optional: 0,
            doc: String::new(),
        });
        if params.len() >= known.params.len() {
            known.params = params.iter().map(|name| (*name).to_owned()).collect();
        }
        if !function.comments.is_empty() {
            known.doc = comment(&function.comments);
        }
    }
    for function in found.values_mut() {
        let least = shortest.get(function.name.as_str()).copied();
        function.optional = function.params.len() - least.unwrap_or(function.params.len());
    }
    let mut functions: Vec<Function> = found.into_values().collect();
    functions.sort_by_key(|function| text.find(&format!("\nfn {}(", function.name)));
    let (title, more) = doc::of(text);
    Ok(Module {
        name: name.to_owned(),
        about: format!("{title}\n\n{more}").trim_end().to_owned(),
        functions,
    })
}

/// The text of a comment's lines.
fn comment(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines.iter().flat_map(|block| block.lines()) {
        let line = line.trim_start().trim_start_matches('/');
        text.push_str(line.strip_prefix(' ').unwrap_or(line).trim_end());
        text.push('\n');
    }
    text
}
