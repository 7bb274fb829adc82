//! The one shape of an error that reaches a person.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Frame, Span, nearest};

/// The worst first.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::Display,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    #[default]
    Error,
    Warning,
    /// Something to know.
    Note,
}

/// What failed, where, why, and what to do. Built with the chained setters:
///
/// ```
/// use rootwright::diagnose::Report;
/// let report = Report::new("script::unknown_option", "the recipe has no option `relase`")
///     .help("did you mean `release`?");
/// assert_eq!(report.to_string(), "the recipe has no option `relase`");
/// ```
///
/// It is as wide as a pointer, so that results that carry one stay small.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Report(Box<ReportContent>);

/// What a [`Report`] says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReportContent {
    pub severity: Severity,
    /// A stable name of the failure, `area::what_is_wrong`.
    pub code: String,
    /// What failed: one line, lower case, no full stop.
    pub message: String,
    /// From the recipe's call inwards; the first frame is underlined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<Frame>,
    /// What to underline inside of the first frame, such as one field of a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focus: Option<Span>,
    /// The words at the underlined place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandReport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// What to do next, as commands that can be pasted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
}

/// A command that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReport {
    /// Quoted as one could paste it into a shell.
    pub command: String,
    /// `in the root` or `on the host`.
    pub place: String,
    /// `exit status 100`, `killed by signal 9 (SIGKILL)`, …
    pub status: String,
    /// The lines of the output that matter, in the order of the output.
    pub lines: Vec<String>,
    /// How many lines the whole output has.
    pub total_lines: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
}

impl Report {
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Report(Box::new(ReportContent {
            code: code.into(),
            message: without_numbers(message.into()),
            ..ReportContent::default()
        }))
    }

    /// The report of an area's error, whose variant gives the code.
    pub fn of<'a, E: fmt::Display>(error: &'a E) -> Self
    where
        &'static str: From<&'a E>,
    {
        Report::new(<&'static str>::from(error), error.to_string())
    }

    pub fn warning(code: impl Into<String>, message: impl Into<String>) -> Self {
        let mut report = Report::new(code, message);
        report.severity = Severity::Warning;
        report
    }

    #[must_use]
    pub fn trace(mut self, trace: Vec<Frame>) -> Self {
        self.trace = trace;
        self
    }

    #[must_use]
    pub fn focus(mut self, span: Option<Span>) -> Self {
        self.focus = span;
        self
    }

    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(without_numbers(cause.into()));
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Helps with the one of `known` that `name` is most like, else with `otherwise`.
    #[must_use]
    pub fn help_near<S: AsRef<str>>(
        self,
        name: &str,
        known: impl IntoIterator<Item = S>,
        otherwise: impl Into<String>,
    ) -> Self {
        let known: Vec<S> = known.into_iter().collect();
        let near = nearest(name, known.iter().map(AsRef::as_ref));
        self.did_you_mean(near, otherwise)
    }

    /// Why a file of a root could not be read.
    #[must_use]
    pub fn unreadable(self, error: &std::io::Error) -> Self {
        let report = self.cause(error.to_string());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                report.help("look at the root as the user who owns it, mostly root")
            }
            _ => report,
        }
    }

    /// Asks whether a name that is near was meant, and helps otherwise where none is.
    #[must_use]
    pub fn did_you_mean(self, near: Option<&str>, otherwise: impl Into<String>) -> Self {
        match near {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self.help(otherwise),
        }
    }

    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next.push(command.into());
        self
    }

    #[must_use]
    pub fn command(mut self, command: CommandReport) -> Self {
        self.command = Some(command);
        self
    }

    /// Whether it says the same of the same calls: several recipes have one host, and one call
    /// may ask for several things.
    pub fn repeats(&self, known: &Report) -> bool {
        self.message == known.message && self.cause == known.cause && self.trace == known.trace
    }

    /// The place to show: the focus, else the innermost call that stands in the same file
    /// as the first.
    pub fn place(&self) -> Option<&Span> {
        if self.focus.is_some() {
            return self.focus.as_ref();
        }
        let first = self.trace.first()?;
        let innermost = self
            .trace
            .iter()
            .take_while(|frame| frame.span.file == first.span.file)
            .last();
        innermost.map(|frame| &frame.span)
    }
}

/// The words of an error of the system without their number, which says no more:
/// `No such file or directory (os error 2)`.
fn without_numbers(mut text: String) -> String {
    const MARK: &str = " (os error ";
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(|rest| rest.find(MARK)) {
        let start = from + start;
        let number = start + MARK.len();
        let digits = text.bytes().skip(number).take_while(u8::is_ascii_digit);
        let end = number + digits.count();
        if end > number && text.as_bytes().get(end) == Some(&b')') {
            text.replace_range(start..=end, "");
        }
        from = start + 1;
    }
    text
}

impl Deref for Report {
    type Target = ReportContent;

    fn deref(&self) -> &ReportContent {
        &self.0
    }
}

impl DerefMut for Report {
    fn deref_mut(&mut self) -> &mut ReportContent {
        &mut self.0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_systems_errors_are_left_out() {
        let errors = [
            (
                "cannot read `x`: no such file (os error 2)",
                "cannot read `x`: no such file",
            ),
            ("a (os error 28), b (os error 5)", "a, b"),
            ("ümlaut (os error 2)é", "ümlauté"),
            (
                "an (os error x) of another kind (os error ",
                "an (os error x) of another kind (os error ",
            ),
        ];
        for (said, shown) in errors {
            assert_eq!(Report::new("a::b", said).message, shown);
            assert_eq!(
                Report::new("a::b", "c")
                    .cause(said)
                    .cause
                    .as_deref()
                    .unwrap(),
                shown
            );
        }
    }
}
