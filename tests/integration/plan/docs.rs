//! The examples of the documentation are scripts that evaluate.

use std::path::Path;

use rootwright::build::PreviewCapture;

use rootwright::recipe::{self, Settings};

#[test]
fn every_rhai_example_evaluates() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut count = 0;
    for name in [
        "README.md",
        "docs/guide.md",
        "docs/exports.md",
        "docs/diskless.md",
        "docs/lint.md",
        "docs/architecture.md",
        "docs/plan.md",
        "docs/diff.md",
    ] {
        let text = std::fs::read_to_string(base.join(name)).unwrap();
        for example in text.split("```rhai\n").skip(1) {
            let script = example.split("```").next().unwrap();
            let folder = tempfile::tempdir().unwrap();
            let recipe = folder.path().join("example.rhai");
            std::fs::write(&recipe, script).unwrap();
            let result = recipe::evaluate(
                &recipe,
                &Settings::default(),
                &mut PreviewCapture::default(),
            );
            if let Err(failure) = result {
                panic!("{name}: {:#?}\n{script}", failure.reports);
            }
            count += 1;
        }
    }
    assert!(count >= 4);
}
