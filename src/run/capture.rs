//! `capture`, for builds and for previews.

use super::execute::{SALT, capture};
use super::{Events, Settings};
use crate::diagnose::{HintSet, Report};
use crate::plan::{Capture, CaptureRequest, Captured, Key, keys};
use crate::store::Store;

/// The key of a captured output: the root's layer, and the command.
fn key(request: &CaptureRequest<'_>) -> Key {
    let layers = keys(request.plan, SALT);
    let below = layers.iter().rfind(|layer| layer.root == request.root);
    let below = below.map_or("", |layer| layer.key.as_str());
    let run = serde_json::to_vec(&request.run).unwrap_or_default();
    Key::of(&[b"capture 1", below.as_bytes(), &run])
}

/// Runs what is planned so far, and the command.
pub struct BuildCapture<'a> {
    pub settings: &'a Settings,
    pub events: &'a dyn Events,
}

impl Capture for BuildCapture<'_> {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Box<Report>> {
        let key = key(&request);
        let output = capture(
            request.plan,
            request.root,
            &request.run,
            self.settings,
            self.events,
        )
        .map_err(|error| {
            let mut report = error.report(&HintSet::default());
            if report.trace.is_empty() {
                report.trace = request.site.to_vec();
            }
            Box::new(report)
        })?;
        // A preview that does not remember is no failure of the build.
        let _ = self.settings.store.remember(&key, &output);
        Ok(Captured::Real(output))
    }
}

/// Remembers, or stands in.
pub struct PreviewCapture {
    /// Where builds remember; a preview needs none.
    pub store: Option<Store>,
}

impl Capture for PreviewCapture {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Box<Report>> {
        if let Some(output) = self
            .store
            .as_ref()
            .and_then(|store| store.captured(&key(&request)))
        {
            return Ok(Captured::Remembered(output));
        }
        match request.preview {
            Some(preview) => Ok(Captured::Preview(preview.to_owned())),
            None => Err(Box::new(
                Report::new(
                    "script::capture_preview",
                    "the output of this command is known only after a build",
                )
                .trace(request.site.to_vec())
                .help("give a stand-in for previews: `#{ preview: \"…\" }`"),
            )),
        }
    }
}
