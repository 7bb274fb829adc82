//! What is wrong with a command line, in the shape of every other error.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::diagnose::Report;
use crate::diagnose::render::Style;

/// How errors are to be written, for words that are no command line: the last
/// `--error-format` among them that can be read.
pub fn style(words: &[OsString]) -> Style {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let values = words.iter().enumerate().filter_map(|(index, word)| {
        let next = || words.get(index + 1).map(AsRef::as_ref);
        match word.strip_prefix("--error-format") {
            Some("") => next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        }
    });
    let styles = values.filter_map(|value| match value {
        "human" => Some(Style::Human),
        "json" => Some(Style::Json),
        "short" => Some(Style::Short),
        _ => None,
    });
    // The last one counts.
    styles.fold(Style::default(), |_, style| style)
}

/// The report of a command line's error; `None` where that is a help or a version that was
/// asked for.
pub fn report(error: &clap::Error) -> Option<Report> {
    let name = texts(error, ContextKind::InvalidArg).join(", ");
    let value = texts(error, ContextKind::InvalidValue).join(", ");
    let (code, message) = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
        ErrorKind::InvalidSubcommand => {
            let name = texts(error, ContextKind::InvalidSubcommand).concat();
            ("command", format!("there is no command `{name}`"))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            ("command", "a command is missing".to_owned())
        }
        ErrorKind::UnknownArgument => ("argument", format!("there is no argument `{name}` here")),
        ErrorKind::MissingRequiredArgument => ("missing", format!("`{name}` is missing")),
        ErrorKind::InvalidValue if value.is_empty() => ("value", format!("`{name}` wants a value")),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            ("value", format!("`{value}` is no value of `{name}`"))
        }
        ErrorKind::ArgumentConflict => {
            let others = texts(error, ContextKind::PriorArg);
            // An argument conflicts with itself where it may be given once.
            let message = match others.is_empty() || others.contains(&name) {
                true => format!("`{name}` is given twice"),
                false => format!(
                    "`{name}` does not go together with `{}`",
                    others.join("`, `")
                ),
            };
            ("conflict", message)
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let message = first.strip_prefix("error: ").unwrap_or(first);
            ("wrong", message.to_owned())
        }
    };
    let mut report = Report::new(format!("usage::{code}"), message);
    if let Some(source) = std::error::Error::source(error) {
        report = report.cause(match source.is::<std::num::ParseIntError>() {
            true => "it wants a whole number that is not negative".to_owned(),
            false => source.to_string(),
        });
    }
    let near = [
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedArg,
        ContextKind::SuggestedValue,
    ];
    let near: Vec<String> = near.iter().flat_map(|kind| texts(error, *kind)).collect();
    if let [near, ..] = near.as_slice() {
        report = report.help(format!("did you mean `{near}`?"));
    }
    let values = [ContextKind::ValidValue, ContextKind::ValidSubcommand];
    let values: Vec<String> = values.iter().flat_map(|kind| texts(error, *kind)).collect();
    if !values.is_empty() {
        report = report.help(format!("there is {}", values.join(", ")));
    }
    // `Usage: rootwright plan [OPTIONS] <RECIPE>`; an error of a value has none.
    let usage = texts(error, ContextKind::Usage).concat();
    let command: Vec<&str> = usage
        .trim_start_matches("Usage:")
        .split_whitespace()
        .take_while(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
        .collect();
    Some(match command.is_empty() {
        true => report,
        false => report.help(format!("`{} --help` says what it takes", command.join(" "))),
    })
}

fn texts(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![text.clone()],
        Some(ContextValue::Strings(texts)) => texts.clone(),
        Some(ContextValue::StyledStr(text)) => vec![text.to_string()],
        Some(ContextValue::StyledStrs(texts)) => texts.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    }
}
