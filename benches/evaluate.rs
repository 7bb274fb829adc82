//! How long a recipe takes to become a plan.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::path::Path;

use rootwright::diagnose::Report;
use rootwright::plan::{Capture, CaptureRequest, Captured};
use rootwright::recipe::{self, Settings};

struct NoCapture;

impl Capture for NoCapture {
    fn capture(&mut self, _: CaptureRequest<'_>) -> Result<Captured, Report> {
        Err(Report::new("bench", "nothing is captured here"))
    }
}

fn main() {
    divan::main();
}

#[divan::bench]
fn diskless_debian() -> usize {
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/debian-nfs.rhai");
    let settings = Settings::default();
    let evaluation = recipe::evaluate(&recipe, &settings, &mut NoCapture);
    evaluation.map(|e| e.plan.steps.len()).unwrap_or_default()
}
