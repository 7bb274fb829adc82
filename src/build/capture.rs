//! `capture`, for builds and for previews.

use super::Events;
use super::cache::{Archives, Prepared, Refresh, Versions, remembered_keys};
use super::execute::capture;
use crate::diagnose::{HintSet, Report};
use crate::plan::{Capture, CaptureRequest, Captured, Key, layers, top};
use crate::run::Settings;
use crate::store::Store;

/// The key of a captured output: the root's layer, and the command.
fn key(request: &CaptureRequest<'_>, below: Option<&Key>) -> Key {
    let below = below.map_or("", Key::as_str);
    let run = serde_json::to_vec(&request.run).unwrap_or_default();
    Key::of(&[b"capture 1", below.as_bytes(), &run])
}

/// Runs what is planned so far, and the command.
pub struct BuildCapture<'a> {
    pub settings: &'a Settings,
    pub events: &'a dyn Events,
    pub versions: &'a Versions,
    pub archives: &'a Archives,
    pub refresh: Refresh,
}

impl Capture for BuildCapture<'_> {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Box<Report>> {
        let prepared = Prepared::new(
            request.plan.clone(),
            &self.settings.store,
            self.versions,
            self.archives,
            self.refresh,
        );
        let stack = prepared.stack(request.root, usize::MAX);
        let key = key(&request, stack.last());
        let output = capture(
            &prepared,
            request.root,
            &request.run,
            self.settings,
            self.events,
        )
        .map_err(|error| {
            let mut report = error.report(&HintSet::default());
            if report.trace.is_empty() {
                report.trace = request.calls.to_vec();
            }
            Box::new(report)
        })?;
        // A preview that does not remember is no failure of the build.
        let _ = self.settings.store.remember(&key, &output);
        Ok(Captured::Real(output))
    }
}

/// Remembers, or stands in.
#[derive(Default)]
pub struct PreviewCapture {
    /// Where builds remember; a preview needs none.
    pub store: Option<Store>,
    pub versions: Versions,
}

impl PreviewCapture {
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
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Box<Report>> {
        if let Some(output) = self.remembered(&request) {
            return Ok(Captured::Remembered(output));
        }
        match request.preview {
            Some(preview) => Ok(Captured::Preview(preview.to_owned())),
            None => Err(Box::new(
                Report::new(
                    "script::capture_preview",
                    "the output of this command is known only after a build",
                )
                .trace(request.calls.to_vec())
                .help("give a stand-in for previews: `#{ preview: \"…\" }`"),
            )),
        }
    }
}
