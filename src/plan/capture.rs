//! What `capture` needs of the world outside of the scripts.

use super::{NspawnRun, Plan, RootId};
use crate::diagnose::{Frame, Report};

/// A command whose output the script wants while it is being evaluated.
#[derive(Debug)]
pub struct CaptureRequest<'a> {
    /// All that is planned so far.
    pub plan: &'a Plan,
    pub root: RootId,
    pub run: NspawnRun,
    /// The stand-in for a preview, if the recipe gives one.
    pub preview: Option<&'a str>,
    pub calls: &'a [Frame],
}

/// An output, and whether it is real.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Captured {
    /// The command ran in this build.
    Real(String),
    /// Remembered from the last build of the same steps.
    Remembered(String),
    /// The recipe's stand-in.
    Preview(String),
}

impl Captured {
    pub fn output(&self) -> &str {
        match self {
            Captured::Real(text) | Captured::Remembered(text) | Captured::Preview(text) => text,
        }
    }
}

/// Builds run what is planned so far; previews remember or stand in.
pub trait Capture {
    /// # Errors
    /// The build's own report when a step or the command fails; a report that asks for
    /// `preview` when there is nothing to show.
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Box<Report>>;
}
