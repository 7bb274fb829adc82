//! A build that has to fail, and what its report is held to.

use std::path::Path;
use std::process::Command;

use rootwright::diagnose::{Report, SourceMap};

use super::{stderr, stdout};

/// The one report of a build that failed, with the recipe that it points into.
pub struct Failure {
    pub report: Report,
    sources: SourceMap,
}

impl Failure {
    /// Runs a build, with its reports as JSON, that has to fail.
    #[track_caller]
    pub fn of(command: &mut Command, name: &str, recipe: &str) -> Failure {
        let output = command.output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}{}", stdout(&output));
        let reports: Vec<Report> = text
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(reports.len(), 1, "{text}");
        let mut sources = SourceMap::default();
        sources.insert(format!("{name}.rhai"), recipe);
        Failure {
            report: reports.into_iter().next().unwrap(),
            sources,
        }
    }

    #[track_caller]
    pub fn says(&self, code: &str, message: &str) -> &Self {
        assert_eq!(self.report.code, code, "{:#?}", self.report);
        assert_eq!(self.report.message, message, "{:#?}", self.report);
        self
    }

    /// Parts of the message, of the cause and of one of the helps.
    #[track_caller]
    pub fn explains(&self, message: &str, cause: &str, help: &str) -> &Self {
        assert!(self.report.message.contains(message), "{:#?}", self.report);
        self.because(cause, help)
    }

    #[track_caller]
    pub fn because(&self, cause: &str, help: &str) -> &Self {
        let found = self.report.cause.as_deref().unwrap_or_default();
        assert!(found.contains(cause), "{:#?}", self.report);
        assert!(
            self.report.help.iter().any(|found| found.contains(help)),
            "{:#?}",
            self.report
        );
        self
    }

    /// What is underlined, from its first to its last character.
    #[track_caller]
    pub fn underlines(&self, call: &str) -> &Self {
        let span = self.report.place().unwrap();
        let range = self.sources.byte_range(span).unwrap();
        let text = self.sources.get(&span.file).unwrap();
        assert_eq!(text.get(range), Some(call));
        self
    }

    /// A line of the output that is in the report and in the log that it names; and the
    /// layer that was kept.
    #[track_caller]
    pub fn shows(&self, line: &str) -> &Self {
        let command = self.report.command.as_ref().expect("a command");
        assert!(
            command.lines.iter().any(|found| found.contains(line)),
            "{:#?}",
            self.report
        );
        let log = std::fs::read_to_string(command.log.as_ref().unwrap()).unwrap();
        assert!(log.contains(line), "{log}");
        let next = self.report.next.first().expect("what to do next");
        let kept = next.split_whitespace().nth(1).unwrap();
        assert!(Path::new(kept).is_dir(), "{next}");
        self
    }
}
