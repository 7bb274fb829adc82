//! Where a call in a script names the field or word that a report is about.

use crate::diagnose::{Frame, Report, SourceMap, Span, own_calls, position};

/// The report, drawn at the first of these fields that the call has.
pub fn at_field(mut report: Report, sources: &SourceMap, fields: &[&str]) -> Report {
    report.trace = own_calls(&report.trace);
    let focus = fields.iter().find_map(|name| {
        let mut frames = report.trace.iter().rev();
        frames.find_map(|frame| field(sources, frame, name))
    });
    match focus {
        Some(span) => report.focus(Some(span)).label("here"),
        None => report,
    }
}

/// Where a call names a word in quotes.
pub fn word(sources: &SourceMap, frame: &Frame, word: &str) -> Option<Span> {
    let quoted = ['"', '`'].map(|quote| format!("{quote}{word}{quote}"));
    find(sources, frame, |text| {
        let at = quoted.iter().find_map(|quoted| text.find(quoted))?;
        Some((at, word.len() + 2))
    })
}

/// Where a call has a field of this name.
pub fn field(sources: &SourceMap, frame: &Frame, name: &str) -> Option<Span> {
    find(sources, frame, |text| {
        let begins = |at: usize| {
            let before = text.get(..at).and_then(|text| text.chars().next_back());
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '"')
        };
        let ends = |at: usize| {
            let rest = text.get(at + name.len()..).unwrap_or_default();
            rest.trim_start().starts_with(':')
        };
        text.match_indices(name)
            .map(|(at, _)| at)
            .find(|at| begins(*at) && ends(*at))
            .map(|at| (at, name.len()))
    })
}

/// A place in the text of a call, from its byte offset and its length.
fn find(
    sources: &SourceMap,
    frame: &Frame,
    search: impl FnOnce(&str) -> Option<(usize, usize)>,
) -> Option<Span> {
    let text = sources.get(&frame.span.file)?;
    let range = sources.byte_range(&frame.span)?;
    let (offset, length) = search(text.get(range.clone())?)?;
    let start = range.start + offset;
    Some(Span {
        file: frame.span.file.clone(),
        start: position(text, start),
        end: position(text, start + length),
    })
}
