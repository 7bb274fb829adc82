//! The scripts that an evaluation has read, and what was made of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use rhai::{AST, Module, Shared};

use super::source::Script;
use super::spans::Scan;
use crate::diagnose::{Position, SourceMap, Span};

/// Every map is by the script's name in spans, unless it says otherwise.
#[derive(Default)]
pub struct ModuleCache {
    scripts: RefCell<BTreeMap<String, Rc<Script>>>,
    pub compiled: RefCell<BTreeMap<String, Rc<AST>>>,
    pub evaluated: RefCell<BTreeMap<String, Shared<Module>>>,
    /// Where imports lead, by folder and path: what one evaluation has found stays so.
    pub found: RefCell<BTreeMap<(String, String), Rc<Script>>>,
    /// The script that is being parsed.
    pub parsing: RefCell<Parsing>,
}

/// How far the parser is, as the token hook sees it.
#[derive(Default)]
pub struct Parsing {
    pub text: Arc<str>,
    /// Whether the last token was a period.
    pub after_period: bool,
}

impl ModuleCache {
    pub fn add(&self, script: &Rc<Script>) {
        let mut scripts = self.scripts.borrow_mut();
        scripts.insert(script.file.clone(), Rc::clone(script));
    }

    pub fn script(&self, file: &str) -> Option<Rc<Script>> {
        self.scripts.borrow().get(file).cloned()
    }

    pub fn compiled(&self, file: &str) -> Option<Rc<AST>> {
        self.compiled.borrow().get(file).cloned()
    }

    pub fn add_compiled(&self, file: &str, ast: &Rc<AST>) {
        let mut compiled = self.compiled.borrow_mut();
        compiled.insert(file.to_owned(), Rc::clone(ast));
    }

    pub fn sources(&self) -> SourceMap {
        let mut sources = SourceMap::default();
        for (file, script) in &*self.scripts.borrow() {
            sources.insert(file.clone(), Arc::clone(&script.text));
        }
        sources
    }

    pub fn text(&self, file: &str) -> Arc<str> {
        let script = self.script(file);
        script.map_or_else(|| "".into(), |script| Arc::clone(&script.text))
    }

    /// A script, told apart.
    pub fn scan(&self, file: &str) -> Option<Rc<Scan>> {
        self.script(file).map(|script| script.scan())
    }

    /// The span of the call, or of the word, at a position that the engine gave.
    pub fn span_at(&self, file: &str, position: rhai::Position) -> Option<Span> {
        let at = Position {
            line: u32::try_from(position.line()?).ok()?,
            column: u32::try_from(position.position().unwrap_or(1)).ok()?,
        };
        self.script(file)?.span_at(at)
    }

    /// Whether a script has a function of that name.
    pub fn defines(&self, file: &str, function: &str) -> bool {
        self.compiled(file)
            .is_some_and(|ast| ast.iter_functions().any(|known| known.name == function))
    }

    /// Words of a script that are variables, with the word that makes them so: `let`,
    /// `const`, `for`.
    pub fn variable_names(&self, file: &str) -> BTreeMap<String, String> {
        let text = self.text(file);
        let words: Vec<&str> = text
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty())
            .collect();
        words
            .iter()
            .zip(words.iter().skip(1))
            .filter(|(word, _)| matches!(**word, "let" | "const" | "for"))
            .map(|(word, name)| ((*name).to_owned(), (*word).to_owned()))
            .collect()
    }

    /// Words of a script that name fields of maps.
    pub fn field_names(&self, file: &str) -> BTreeSet<String> {
        let no_word = |c: char| !(c.is_alphanumeric() || c == '_');
        self.text(file)
            .split(':')
            .filter_map(|before| before.trim_end().rsplit(no_word).next())
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }
}
