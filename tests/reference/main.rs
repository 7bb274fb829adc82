//! The reference: complete, true to what the functions take, and shown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod complete;
mod fields;
mod page;
mod shown;

use std::path::{Path, PathBuf};

use rootwright::diagnose::Report;
use rootwright::plan::{Capture, CaptureRequest, Captured};
use rootwright::reference::Reference;
use rootwright::script::{self, Settings};

fn reference() -> Reference {
    Reference::new(&Settings::default()).unwrap_or_else(|failure| panic!("{:#?}", failure.reports))
}

struct Stand;

impl Capture for Stand {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Box<Report>> {
        let preview = request.preview.unwrap_or("a stand-in");
        Ok(Captured::Preview(preview.to_owned()))
    }
}

/// A folder for scripts, and a stdlib that one of them is a module of.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let stdlib = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
        for entry in walk(&stdlib) {
            let to = folder
                .path()
                .join("stdlib")
                .join(entry.strip_prefix(&stdlib).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&entry, to).unwrap();
        }
        Bench { folder }
    }

    /// Evaluates a recipe, or a module of the stdlib.
    fn evaluate(&self, text: &str, in_stdlib: bool) -> Result<(), Vec<Report>> {
        let recipe = self.folder.path().join("recipe.rhai");
        let mut settings = Settings {
            allow_host_run: true,
            ..Settings::default()
        };
        if in_stdlib {
            let stdlib = self.folder.path().join("stdlib");
            std::fs::write(stdlib.join("example.rhai"), text).unwrap();
            std::fs::write(&recipe, "import \"example\" as example;").unwrap();
            settings.stdlib = Some(stdlib);
        } else {
            std::fs::write(&recipe, text).unwrap();
        }
        script::evaluate(&recipe, &settings, &mut Stand)
            .map(drop)
            .map_err(|failure| failure.reports)
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => walk(&path),
            false => vec![path],
        })
        .collect()
}
