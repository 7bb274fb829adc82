//! `capture`: outputs of commands that a script asks for while it is evaluated.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Command, Plan, RootId, Run};
use crate::diagnose::{Frame, Report, SourceMap};

/// A command whose output the script wants.
#[derive(Debug)]
pub struct CaptureRequest<'a> {
    /// The plan so far.
    pub plan: &'a Plan,
    pub root: RootId,
    pub run: Run,
    /// The stand-in for a preview, if the recipe has one.
    pub preview: Option<&'a str>,
    pub calls: &'a [Frame],
    /// The scripts that were read so far.
    pub sources: &'a SourceMap,
}

/// An output, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "source", content = "output", rename_all = "snake_case")]
pub enum Captured {
    /// The command ran in this build.
    Built(String),
    /// The command ran in an earlier build of the same steps.
    Remembered(String),
    /// The recipe's stand-in for previews.
    Preview(String),
}

impl Captured {
    pub fn output(&self) -> &str {
        match self {
            Captured::Built(text) | Captured::Remembered(text) | Captured::Preview(text) => text,
        }
    }

    /// Where the output comes from, in words.
    pub fn origin(&self) -> &'static str {
        match self {
            Captured::Built(_) => "captured in this build",
            Captured::Remembered(_) => "remembered from the last build of the same steps",
            Captured::Preview(_) => "the recipe's stand-in for a preview",
        }
    }
}

/// A captured output that a plan was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CapturedOutput {
    pub command: Command,
    /// The output without its last line break.
    #[serde(flatten)]
    pub captured: Captured,
}

impl CapturedOutput {
    /// ``output of `hostname` = node``
    pub fn describe(&self) -> String {
        let command = self.command.shown();
        format!("output of `{command}` = {}", self.captured.output())
    }
}

/// Answers `capture`. Builds build the plan so far; previews remember or stand in.
pub trait Capture {
    /// # Errors
    /// The build's own report when a step or the command fails; a report that asks for
    /// `preview` when a preview has no output.
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Report>;
}
