//! `capture` in previews, and the keys under which builds remember outputs for them.

use std::path::Path;

use super::cache::{Versions, remembered_keys};
use crate::diagnose::{Frame, Report, SourceMap};
use crate::plan::{Capture, CaptureRequest, Captured, Key, Plan, layers, top};
use crate::recipe::{self, Failure, Settings};
use crate::store::Store;

/// The key of a captured output: the root's layer, and the command.
pub fn key(request: &CaptureRequest<'_>, below: Option<&Key>) -> Key {
    let below = below.map_or("", Key::as_str);
    let run = serde_json::to_vec(&request.run).unwrap_or_default();
    Key::of(&[b"capture 1", below.as_bytes(), &run])
}

/// Answers with what builds remember, else with the recipe's stand-in.
#[derive(Default)]
pub struct PreviewCapture {
    /// Where builds remember; a preview needs none.
    pub store: Option<Store>,
    pub versions: Versions,
    /// The first request that had no answer: the plan until then, and its calls.
    unanswered: Option<(Plan, Vec<Frame>)>,
}

impl PreviewCapture {
    pub fn new(store: Option<Store>, versions: Versions) -> Self {
        PreviewCapture {
            store,
            versions,
            unanswered: None,
        }
    }

    fn remembered(&self, request: &CaptureRequest<'_>) -> Option<String> {
        let store = self.store.as_ref()?;
        let layers = layers(request.plan);
        let keys = remembered_keys(request.plan, store, &self.versions);
        let below = match top(request.plan, &layers, request.root, usize::MAX) {
            Some(top) => Some(&keys.get(top)?.as_ref()?.key),
            None => None,
        };
        store.captured(&key(request, below))
    }
}

impl Capture for PreviewCapture {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Report> {
        if let Some(output) = self.remembered(&request) {
            return Ok(Captured::Remembered(output));
        }
        if let Some(preview) = request.preview {
            return Ok(Captured::Preview(preview.to_owned()));
        }
        let first = (request.plan.clone(), request.calls.to_vec());
        self.unanswered.get_or_insert(first);
        let report = Report::new(
            "script::capture_preview",
            "the output of this command is known only after a build",
        );
        Err(report
            .trace(request.calls.to_vec())
            .help("give a stand-in for previews: `#{ preview: \"…\" }`"))
    }
}

/// A plan as far as it is known without a build.
pub struct KnownPlan {
    pub plan: Plan,
    pub sources: SourceMap,
    /// The calls to the `capture` where it ends, if it does.
    pub ends_at: Option<Vec<Frame>>,
}

/// Evaluates a recipe for what has to be known before its first build: a `capture` without an
/// answer ends the plan, and is no error.
///
/// # Errors
/// As [`recipe::evaluate`].
pub fn preview_until_capture(
    recipe: &Path,
    settings: &Settings,
    store: Option<Store>,
    versions: &Versions,
) -> Result<KnownPlan, Failure> {
    let mut capture = PreviewCapture::new(store, versions.clone());
    let evaluated = recipe::evaluate(recipe, settings, &mut capture);
    match (capture.unanswered, evaluated) {
        (_, Ok(evaluation)) => Ok(KnownPlan {
            plan: evaluation.plan,
            sources: evaluation.sources,
            ends_at: None,
        }),
        (Some((plan, calls)), Err(failure)) => Ok(KnownPlan {
            plan,
            sources: failure.sources,
            ends_at: Some(calls),
        }),
        (None, Err(failure)) => Err(failure),
    }
}
