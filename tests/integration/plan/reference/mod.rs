//! The reference: complete, true to what the functions take, and shown.

mod complete;
mod fields;
mod shown;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rootwright::diagnose::Report;
use rootwright::plan::policy::Permissions;
use rootwright::plan::{Capture, CaptureRequest, Captured};
use rootwright::recipe::{self, Access, Settings, parallel};
use rootwright::reference::{Entry, Reference};

fn reference() -> Reference {
    Reference::new(&Settings::default()).unwrap_or_else(|failure| panic!("{:#?}", failure.reports))
}

struct Stand;

impl Capture for Stand {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Report> {
        let preview = request.preview.unwrap_or("a stand-in");
        Ok(Captured::Preview(preview.to_owned()))
    }
}

/// A folder for scripts, and a stdlib that one of them can be a module of.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        // For what takes a file of the recipe's repository.
        std::fs::write(folder.path().join("motd"), "A node.\n").unwrap();
        std::fs::write(folder.path().join("site.tar"), "").unwrap();
        Bench { folder }
    }

    /// Evaluates a recipe, or a module of the stdlib, in a thread of [`parallel::each`].
    fn evaluate(&self, text: &str, access: Access) -> Result<(), Vec<Report>> {
        let recipe = self.folder.path().join("recipe.rhai");
        let mut settings = Settings {
            permissions: Permissions {
                allow_host_run: true,
            },
            ..Settings::default()
        };
        if access != Access::Everyone {
            let stdlib = self.stdlib();
            std::fs::write(stdlib.join("example.rhai"), text).unwrap();
            std::fs::write(&recipe, r#"import "example" as example;"#).unwrap();
            settings.stdlib = Some(stdlib);
        } else {
            std::fs::write(&recipe, text).unwrap();
        }
        recipe::evaluate_here(&recipe, &settings, Rc::new(RefCell::new(Stand)))
            .map(drop)
            .map_err(|failure| failure.reports)
    }

    /// A copy of the stdlib.
    fn stdlib(&self) -> PathBuf {
        let stdlib = Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib");
        let copy = self.folder.path().join("stdlib");
        if !copy.exists() {
            for entry in walk(&stdlib) {
                let to = copy.join(entry.strip_prefix(&stdlib).unwrap());
                std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                std::fs::copy(&entry, to).unwrap();
            }
        }
        copy
    }
}

/// What `look` finds wrong with each function, on all of the machine's cores.
fn all_wrong(look: impl Fn(&Entry, &Bench) -> Vec<String> + Sync) -> Vec<String> {
    let reference = reference();
    let entries: Vec<&Entry> = reference.entries().collect();
    let mut wrong = Vec::new();
    let work = |entry: &&Entry| look(entry, &Bench::new());
    parallel::each(&entries, work, |found| wrong.extend(found)).unwrap();
    wrong
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
