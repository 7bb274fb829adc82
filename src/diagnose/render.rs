//! Reports, drawn for people by miette, or written for programs.

use std::fmt::Write;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource};

use super::terminal::{json_line, of_same_length, visible};
use super::{Report, Severity, SourceMap, Span};

/// How reports are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Human,
    /// One JSON object a line.
    Json,
    /// `file:line:column: message`
    Short,
}

/// One report as text that ends with a line break.
pub fn render(
    report: &Report,
    sources: &SourceMap,
    style: Style,
    color: bool,
    width: usize,
) -> String {
    match style {
        Style::Human => human(report, sources, color, width),
        Style::Json => {
            let place = report.place();
            json_line(&ReportData { report, place })
        }
        Style::Short => {
            let place = report.place().map(Span::to_string);
            let place = place.as_deref().unwrap_or("rootwright");
            visible(&format!("{place}: {}\n", one_line(&report.message))).into_owned()
        }
    }
}

/// A report as data, with the place that the other forms show.
#[derive(serde::Serialize)]
struct ReportData<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a Span>,
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn human(report: &Report, sources: &SourceMap, color: bool, width: usize) -> String {
    let mut out = String::new();
    // Without colour in a pipe, the drawing is of plain characters.
    let theme = if color {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::none()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width)
        .with_context_lines(1)
        .with_links(false);
    let diagnostic = diagnostic(report, sources);
    if handler
        .render_report(&mut out, diagnostic.as_ref())
        .is_err()
    {
        let _ = writeln!(out, "{}", visible(&report.message));
    }
    let mut after = String::new();
    rest(&mut after, report);
    format!("{}\n{}", out.trim_end(), visible(&after))
}

/// What miette has no place for: the calls, the command, the cause, what to do.
fn rest(out: &mut String, report: &Report) {
    // A call that the drawing shows is not named again.
    let shown = |span: &Span| {
        report.place().is_some_and(|place| {
            place.file == span.file && span.start <= place.start && place.end <= span.end
        })
    };
    let deeper: Vec<String> = report
        .trace
        .iter()
        .filter(|frame| !shown(&frame.span))
        .map(|frame| format!("    {}  {}", frame.span, frame.function))
        .collect();
    if !deeper.is_empty() {
        let _ = writeln!(out, "  calls:\n{}", deeper.join("\n"));
    }
    if let Some(command) = &report.command {
        let _ = writeln!(out, "  command ({}), {}:", command.place, command.status);
        block(out, &command.command);
        if !command.lines.is_empty() {
            let _ = writeln!(out, "  it said:");
            command.lines.iter().for_each(|line| block(out, line));
        }
        if let Some(log) = &command.log {
            let log = log.display();
            let _ = match command.total_lines {
                0 => writeln!(out, "  it printed nothing; the log: {log}"),
                1 => writeln!(out, "  the log: {log}"),
                lines => writeln!(out, "  all {lines} lines: {log}"),
            };
        }
    }
    if let Some(cause) = &report.cause {
        labelled(out, "cause", cause);
    }
    for help in &report.help {
        labelled(out, "help", help);
    }
    for next in &report.next {
        labelled(out, "next", next);
    }
}

fn block(out: &mut String, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "    {line}");
    }
}

fn labelled(out: &mut String, label: &str, text: &str) {
    let mut lines = text.lines();
    let _ = writeln!(out, "  {label}: {}", lines.next().unwrap_or_default());
    let indent = " ".repeat(label.len() + 4);
    for line in lines {
        let _ = writeln!(out, "{indent}{line}");
    }
}

/// The message of a report with its source, as miette wants it.
fn diagnostic(report: &Report, sources: &SourceMap) -> miette::Report {
    let severity = match report.severity {
        Severity::Error => miette::Severity::Error,
        Severity::Warning => miette::Severity::Warning,
        Severity::Note => miette::Severity::Advice,
    };
    let diagnostic = MietteDiagnostic::new(visible(&report.message)).with_severity(severity);
    let place = report.place().and_then(|span| {
        let text = sources.get(&span.file)?;
        let range = sources.byte_range(span)?;
        let underlined = text.get(range.clone())?;
        Some((
            NamedSource::new(visible(&span.file), of_same_length(text).into_owned()),
            range.start,
            underlined,
        ))
    });
    let Some((source, start, underlined)) = place else {
        return diagnostic.into();
    };
    // An underline over several lines hides more than it shows: the first will do.
    let first_line = underlined.split('\n').next().unwrap_or_default();
    let label = report
        .label
        .as_deref()
        .map(|label| visible(label).into_owned());
    let label = LabeledSpan::new(label, start, first_line.len().max(1));
    miette::Report::new(diagnostic.with_label(label)).with_source_code(source)
}
