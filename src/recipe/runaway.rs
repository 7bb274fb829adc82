//! Where a script goes on without an end. The engine reports its limits at the outermost call;
//! a script that has met one is therefore evaluated once more, step by step.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::BTreeSet;

use rhai::{AST, ASTNode, GlobalRuntimeState, Position, Stmt};

use super::boundary::Calls;
use super::call_stack::{Start, frames};
use super::limits::CALL_LEVELS;
use super::module_cache::ModuleCache;
use crate::diagnose::Frame;

/// After so many steps, a script counts as one that doesn't end.
const STEPS: u64 = 1_000_000;
/// Steps that are looked at together, more than one round of a loop takes.
const WINDOW: u64 = 20_000;

/// What is seen of the second evaluation.
#[derive(Default)]
pub struct Watch {
    steps: Cell<u64>,
    last: RefCell<Option<SeenSteps>>,
    /// Of a window's steps those with the fewest calls around them, which are the loop's own
    /// and not those of what it calls.
    outermost: RefCell<Option<SeenSteps>>,
    recursion: Cell<bool>,
}

/// Steps below the same calls.
#[derive(Clone)]
struct SeenSteps {
    start: Start,
    calls: Calls,
    file: String,
    positions: Vec<Position>,
}

impl Watch {
    /// Takes one step in; gives whether enough was seen.
    pub fn step(&self, start: Start, global: &GlobalRuntimeState, position: Position) -> bool {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        let seen = SeenSteps {
            start,
            calls: Calls::of(global.debugger()),
            file: global.source().unwrap_or_default().to_owned(),
            positions: vec![position],
        };
        let mut outermost = self.outermost.borrow_mut();
        match &mut *outermost {
            Some(known) if !steps.is_multiple_of(WINDOW) || steps >= STEPS => {
                match seen.calls.0.len().cmp(&known.calls.0.len()) {
                    Ordering::Less => *known = seen.clone(),
                    Ordering::Equal => known.positions.push(position),
                    Ordering::Greater => {}
                }
            }
            other => *other = Some(seen.clone()),
        }
        self.last.replace(Some(seen));
        self.recursion.set(global.level + 1 >= CALL_LEVELS);
        self.recursion.get() || steps > STEPS
    }

    /// The calls that lead to the loop, and the loop; or to the call that a function makes of
    /// itself.
    pub fn found(&self, modules: &ModuleCache) -> Option<Vec<Frame>> {
        let seen = match self.steps.get() > STEPS {
            true => self.outermost.take(),
            // A loop without a body takes no steps, and a function's own is at the last.
            false => self.last.take(),
        };
        let SeenSteps {
            start,
            calls,
            file,
            positions,
        } = seen?;
        let (mut trace, _) = frames(modules, start, &calls);
        if self.recursion.get() {
            let mut spans = BTreeSet::new();
            trace.retain(|frame| spans.insert(frame.span.to_string()));
            let last = trace.pop()?;
            trace.push(Frame::here(last.span));
            return Some(trace);
        }
        let ast = modules.compiled(&file)?;
        let first = positions.first().copied()?;
        let place = innermost_loop(&ast, &positions).unwrap_or(first);
        trace.push(Frame::here(modules.span_at(&file, place)?));
        Some(trace)
    }
}

/// Where the innermost loop begins that all of the positions are in.
fn innermost_loop(ast: &AST, positions: &[Position]) -> Option<Position> {
    let mut found = None;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Stmt(statement)) = path.last() {
            let (start, body) = match statement {
                Stmt::While(flow, start) | Stmt::Do(flow, _, start) => (*start, &flow.body),
                Stmt::For(parts, start) => (*start, &parts.2.body),
                _ => return true,
            };
            let end = body.span().end();
            if positions.iter().all(|at| (start..=end).contains(at)) {
                found = found.max(Some(start));
            }
        }
        true
    });
    found
}
