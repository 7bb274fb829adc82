//! Rhai's errors as reports.

mod calls;
mod evaluation;
mod parse;

use super::reports::{self, RaisedReport};
use rhai::{Dynamic, EvalAltResult};

use super::call_stack::function_name;
use super::other_languages::{self, When};
use super::session::Session;
use crate::diagnose::{Frame, Position, Report, Span};

pub use parse::{open_comment, parse};

/// A report of what went wrong while `file` was evaluated, below the calls of `prefix`.
pub fn report(session: &Session, error: EvalAltResult, file: &str, prefix: Vec<Frame>) -> Report {
    let mut trace = prefix;
    let mut file = file.to_owned();
    let mut error = error;
    loop {
        let (called, source, inner, position) = match error {
            EvalAltResult::ErrorInFunctionCall(name, source, inner, position) => {
                (function_name(&name).to_owned(), source, inner, position)
            }
            EvalAltResult::ErrorInModule(name, inner, position) => {
                ("import".to_owned(), name, inner, position)
            }
            EvalAltResult::ErrorRuntime(value, position) => {
                return raised(session, value, position, &file, trace);
            }
            other => return evaluation::describe(session, &other, &file, trace),
        };
        trace.extend(at(session, &file, position, &called));
        if !source.is_empty() {
            file = source;
        }
        error = *inner;
    }
}

/// What a built-in or `throw` has raised.
fn raised(
    session: &Session,
    value: Dynamic,
    position: rhai::Position,
    file: &str,
    mut trace: Vec<Frame>,
) -> Report {
    if let Some(raised) = value.read_lock::<RaisedReport>() {
        let report = raised.0.clone();
        if !report.trace.is_empty() {
            return report;
        }
        trace.extend(at(session, file, position, "here"));
        return report.trace(trace);
    }
    trace.extend(at(session, file, position, "throw"));
    // `throw #{ message: "…" }` means its message.
    let said = value.read_lock::<rhai::Map>().and_then(|map| {
        let message = map.get("message")?.clone();
        message.into_string().ok()
    });
    let message = match said {
        Some(said) => said,
        None if value.is_string() => value.to_string(),
        None => format!("the script threw {value}"),
    };
    reports::thrown(message).trace(trace)
}

/// A frame for the call or the word at a position.
pub fn at(session: &Session, file: &str, position: rhai::Position, what: &str) -> Vec<Frame> {
    let span = session.modules.span_at(file, position);
    let frame = span.map(|span| Frame {
        function: what.to_owned(),
        span,
    });
    frame.into_iter().collect()
}

/// Puts the words of a habit over a report, where one explains the error that stands at
/// `position` of `file`.
pub fn explain(
    session: &Session,
    mut report: Report,
    file: &str,
    position: rhai::Position,
    when: When,
) -> Report {
    let Some((found, span)) = explanation(session, file, position, when) else {
        return report;
    };
    report.message = found.message;
    report.help = vec![found.help];
    (report.label, report.focus) = (None, None);
    moved(report, span)
}

fn explanation(
    session: &Session,
    file: &str,
    position: rhai::Position,
    when: When,
) -> Option<(other_languages::Explanation, Span)> {
    let at = Position {
        line: u32::try_from(position.line()?).ok()?,
        column: u32::try_from(position.position()?).ok()?,
    };
    let scan = session.modules.scan(file)?;
    let (start, byte) = (
        scan.byte_at(Position { column: 1, ..at })?,
        scan.byte_at(at)?,
    );
    let line = scan.text(&(start..scan.len())).lines().next()?;
    let found = other_languages::find(line, byte - start, when)?;
    let range = start + found.range.start..start + found.range.end;
    let span = scan.span(file, &range);
    Some((found, span))
}

/// Moves the place of the error itself, which the last frame is, to `span`.
fn moved(mut report: Report, span: Span) -> Report {
    if let Some(last) = report.trace.last_mut()
        && last.is_here()
    {
        last.span = span;
    }
    report
}

/// The place of an error, or the end of the script where the engine names none.
fn at_or_end(session: &Session, file: &str, position: rhai::Position) -> Vec<Frame> {
    let found = at(session, file, position, "here");
    if !found.is_empty() {
        return found;
    }
    let Some(scan) = session.modules.scan(file) else {
        return Vec::new();
    };
    let end = scan.text.trim_end().len();
    vec![Frame::here(scan.span(file, &(end..end)))]
}

impl Session {
    /// Runs `work`, an engine call that evaluates `file`, below the calls of `chain`.
    ///
    /// # Errors
    /// What goes wrong in it, as a report.
    pub fn evaluate<T>(
        &self,
        chain: Vec<Frame>,
        file: &str,
        work: impl FnOnce() -> Result<T, Box<EvalAltResult>>,
    ) -> Result<T, Report> {
        let result = self.calls.below(chain.clone(), file, work);
        result.map_err(|error| report(self, *error, file, chain))
    }
}
