//! Scripts as a thread knows them: what is made of a text is made once, and found again by
//! the file's name and all of its text.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;

use rhai::AST;

use super::spans::{self, Scan};
use crate::diagnose::{Position, Span};

/// How many texts of one file are kept: a module that differs between two repositories is
/// asked for in turns.
const TEXTS: usize = 4;
/// How many files are kept. More than a repository has; a long run over others ends.
const FILES: usize = 4096;

thread_local! {
    /// They stay when the thread ends, as its engines do.
    static KNOWN: RefCell<ManuallyDrop<HashMap<String, Vec<Rc<Script>>>>> = RefCell::default();
}

/// What a session evaluates; the two have not the same functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScriptKind {
    Recipe,
    Test,
}

/// A text with its name, and what follows from those two alone.
#[derive(Default)]
pub struct Script {
    pub file: String,
    pub text: Arc<str>,
    /// Once it has parsed.
    pub ast: OnceCell<Rc<AST>>,
    scan: OnceCell<Rc<Scan>>,
    /// Spans of calls that were looked up.
    spans: RefCell<BTreeMap<Position, Span>>,
    /// Where its imports led when nothing was wrong with it nor with them, by the kind of
    /// session. While they lead there, nothing is.
    sound: RefCell<BTreeMap<ScriptKind, Vec<Import>>>,
}

/// An import, and what it led to.
#[derive(Clone)]
pub struct Import {
    pub path: String,
    pub script: Rc<Script>,
}

/// The script of that name and text; the same one for as long as the thread keeps it.
pub fn script(file: &str, text: &str) -> Rc<Script> {
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= FILES {
            known.clear();
        }
        let texts = known.entry(file.to_owned()).or_default();
        if let Some(at) = texts.iter().position(|script| &*script.text == text) {
            let script = texts.remove(at);
            texts.push(Rc::clone(&script));
            return script;
        }
        if texts.len() >= TEXTS {
            texts.remove(0);
        }
        let script = Rc::new(Script {
            file: file.to_owned(),
            text: text.into(),
            ..Script::default()
        });
        texts.push(Rc::clone(&script));
        script
    })
}

impl Script {
    /// Its characters, told apart.
    pub fn scan(&self) -> Rc<Scan> {
        let scan = || Rc::new(Scan::new(Arc::clone(&self.text)));
        Rc::clone(self.scan.get_or_init(scan))
    }

    /// The span of the call, or of the word, at a place in it.
    pub fn span_at(&self, at: Position) -> Option<Span> {
        // Every operation names the calls that led to it, mostly the same ones.
        if let Some(span) = self.spans.borrow().get(&at) {
            return Some(span.clone());
        }
        let scan = self.scan();
        let span = scan.span(&self.file, &spans::call(&scan, scan.byte_at(at)?));
        self.spans.borrow_mut().insert(at, span.clone());
        Some(span)
    }

    /// Where its imports led when it was found to be sound.
    pub fn imports(&self, kind: ScriptKind) -> Option<Vec<Import>> {
        self.sound.borrow().get(&kind).cloned()
    }

    pub fn set_sound(&self, kind: ScriptKind, imports: Vec<Import>) {
        self.sound.borrow_mut().insert(kind, imports);
    }
}
