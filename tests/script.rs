//! Scripts, evaluated: limits, hygiene, and what is found before evaluating.

use std::path::Path;

use rootwright::diagnose::Report;
use rootwright::plan::{Capture, CaptureRequest, Captured};
use rootwright::script::{self, Evaluation, Settings};

struct Stand;

impl Capture for Stand {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Box<Report>> {
        request
            .preview
            .map(|text| Captured::Preview(text.to_owned()))
            .ok_or_else(|| Box::new(Report::new("test", "no preview")))
    }
}

fn evaluate_in(folder: &Path, text: &str) -> Result<Evaluation, Vec<Report>> {
    let recipe = folder.join("recipe.rhai");
    std::fs::write(&recipe, text).unwrap();
    script::evaluate(&recipe, &Settings::default(), &mut Stand).map_err(|failure| failure.reports)
}

fn evaluate(text: &str) -> Result<Evaluation, Vec<Report>> {
    evaluate_in(tempfile::tempdir().unwrap().path(), text)
}

#[track_caller]
fn error(text: &str) -> Report {
    let reports = evaluate(text).map(|e| e.plan).unwrap_err();
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.into_iter().next().unwrap()
}

#[test]
fn a_plan_has_a_step_for_every_call() {
    let plan = evaluate(
        "//! Title.\nlet release = option(\"release\", #{ default: \"bookworm\" });\nlet root = bootstrap(#{ distro: \"debian\", release: release, mirror: \"http://mirror.example.org/debian\" });\nroot.install([\"vim\"]);\nroot.export(#{ format: \"dir\", name: \"x\" });\nexport(root, #{ format: \"tar\", name: \"y\" });\n",
    )
    .unwrap_or_else(|r| panic!("{}: {:#?}", r[0].message, r[0].trace))
    .plan;
    let calls: Vec<&str> = plan.steps.iter().map(|step| step.call.as_str()).collect();
    assert_eq!(calls, ["bootstrap", "install", "export", "export"]);
    assert_eq!(plan.steps[1].site.len(), 1);
    assert_eq!(plan.steps[1].site[0].span.start.line, 4);
}
