//! The modules of the stdlib that recipes import, their functions, and what the comments
//! above these say.

use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{FnAccess, ScriptFnMetadata};

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
        let names = stdlib.modules("").into_iter();
        names
            .filter_map(|name| Some((stdlib.text(&format!("{name}.rhai"))?, name)))
            .map(|(text, name)| module(&name, &text, settings))
            .collect()
    };
    thread::run("modules", read).map_err(Failure::of)?
}

fn module(name: &str, text: &str, settings: &Settings) -> Result<Module, Failure> {
    let file = format!("{STDLIB}{name}.rhai");
    let session = Rc::new(Session::new(settings.clone(), &file, text, ".".into()));
    let ast = engine::with(&session, |engine| loader::compile(engine, &session, &file))
        .map_err(|reports| Failure::new(reports, session.modules.sources()))?;
    let mut forms: BTreeMap<&str, Vec<ScriptFnMetadata<'_>>> = BTreeMap::new();
    for function in ast.iter_functions() {
        // A closure is a function without a name that anybody could call.
        if function.access == FnAccess::Public && !is_closure(function.name) {
            forms.entry(function.name).or_default().push(function);
        }
    }
    let mut functions: Vec<Function> = forms.values().map(|forms| of_forms(forms)).collect();
    functions.sort_by_key(|function| text.find(&format!("\nfn {}(", function.name)));
    let (title, more) = doc::of(text);
    Ok(Module {
        name: name.to_owned(),
        about: format!("{title}\n\n{more}").trim_end().to_owned(),
        functions,
    })
}

/// What the functions of one name are together.
fn of_forms(forms: &[ScriptFnMetadata<'_>]) -> Function {
    let counts = || forms.iter().map(|form| form.params.len());
    let longest = forms.iter().max_by_key(|form| form.params.len());
    let documented = forms.iter().rfind(|form| !form.comments.is_empty());
    Function {
        name: longest.map_or("", |form| form.name).to_owned(),
        params: longest
            .into_iter()
            .flat_map(|form| form.params.iter().map(|name| (*name).to_owned()))
            .collect(),
        optional: counts().max().unwrap_or(0) - counts().min().unwrap_or(0),
        doc: documented.map_or_else(String::new, |form| comment(&form.comments)),
    }
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
