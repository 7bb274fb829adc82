//! The calls that led to where an evaluation is. Every engine call knows its own only.

use std::cell::RefCell;

use rhai::NativeCallContext;

use super::boundary::{Calls, Home};
use super::module_cache::ModuleCache;
use crate::diagnose::{Frame, Position, Span};

#[derive(Default)]
pub struct CallStack {
    /// Scripts that are being evaluated or looked at, the innermost last.
    loading: RefCell<Vec<String>>,
    /// Calls that led into the engine call that is running now.
    outer: RefCell<Vec<Frame>>,
    /// What the script evaluated last ended with.
    pub ended: RefCell<Option<Home>>,
}

/// The name of a function for people; the engine names closures `anon$` and a number.
pub fn function_name(name: &str) -> &str {
    match is_closure(name) {
        true => "a closure",
        false => name,
    }
}

/// Whether the engine made up the name of a function, for a closure.
pub fn is_closure(name: &str) -> bool {
    name.starts_with("anon$")
}

/// Calls that led into an engine call, and the script that it evaluates.
pub type Start = (Vec<Frame>, String);

/// The calls as frames, after those of the start, and the script that the last one is of.
pub fn frames(modules: &ModuleCache, start: Start, calls: &Calls) -> Start {
    let (mut chain, mut file) = start;
    for call in &calls.0 {
        if let Some(span) = modules.span_at(&file, call.position) {
            let function = function_name(&call.function).to_owned();
            chain.push(Frame { function, span });
        }
        if let Some(source) = call.source.as_deref().filter(|source| !source.is_empty()) {
            file = source.to_owned();
        }
    }
    (chain, file)
}

impl CallStack {
    /// What led into the engine call that is running now, and the script it evaluates.
    pub fn start(&self) -> Start {
        let file = self.loading.borrow().last().cloned();
        (self.outer(), file.unwrap_or_default())
    }

    /// The calls from the recipe to the native function that `context` is of.
    pub fn chain(&self, modules: &ModuleCache, context: &NativeCallContext<'_>) -> Vec<Frame> {
        let calls = Calls::of(context.global_runtime_state().debugger());
        let (mut chain, file) = frames(modules, self.start(), &calls);
        let file = context.call_source().map_or(file, str::to_owned);
        // A function pointer of another script is called at a position of this one: whose it is
        // counts, also where its file has nothing at that position.
        let span = modules.span_at(&file, context.call_position());
        let span = span.or_else(|| {
            let last = chain.last().map(|frame| frame.span.file.as_str());
            let start = Position { line: 1, column: 1 };
            (last != Some(file.as_str()) && !file.is_empty()).then_some(Span {
                file,
                start,
                end: start,
            })
        });
        // The engine's stack may hold the native call itself.
        if let Some(span) = span
            && chain.last().is_none_or(|frame| frame.span != span)
        {
            let function = context.fn_name().to_owned();
            chain.push(Frame { function, span });
        }
        chain
    }

    pub fn outer(&self) -> Vec<Frame> {
        self.outer.borrow().clone()
    }

    /// Runs `work`, an engine call that evaluates `file`, below the calls of `chain`.
    pub fn below<T>(&self, chain: Vec<Frame>, file: &str, work: impl FnOnce() -> T) -> T {
        let outer = self.outer.replace(chain);
        let result = self.within(file, work);
        self.outer.replace(outer);
        result
    }

    /// Runs `work`, which looks at what `file` imports.
    pub fn within<T>(&self, file: &str, work: impl FnOnce() -> T) -> T {
        self.loading.borrow_mut().push(file.to_owned());
        let result = work();
        self.loading.borrow_mut().pop();
        result
    }

    /// Whether a script is being evaluated or looked at: an import of it would be a circle.
    pub fn is_within(&self, file: &str) -> bool {
        self.loading.borrow().iter().any(|name| name == file)
    }
}
