//! What the parts of a plan's texts stand for while a step runs.

use std::path::{Path, PathBuf};

use super::Settings;
use crate::plan::{Part, Plan, Resolve, Text, Unresolved, keyring_path};

/// Where the files of [`Plan::files`] are.
#[derive(Clone, Debug, Default)]
pub enum Files {
    /// Where they were when the plan was made.
    #[default]
    InPlace,
    /// In this folder, by digest.
    Bundle(PathBuf),
}

impl Files {
    /// The path of a file or tree; `None` if the plan has none of this digest.
    pub fn path(&self, plan: &Plan, digest: &str) -> Option<PathBuf> {
        let file = plan.file(digest)?;
        Some(match self {
            Files::InPlace => PathBuf::from(&file.path),
            Files::Bundle(folder) => folder.join(digest),
        })
    }
}

/// The values of one step's parts.
pub struct Values<'a> {
    pub plan: &'a Plan,
    pub settings: &'a Settings,
    /// Where the step's root is mounted.
    pub root: &'a Path,
}

impl Values<'_> {
    /// The paths of the host beside the root that a text names.
    pub fn paths<'t>(&'t self, text: &'t Text) -> impl Iterator<Item = PathBuf> + 't {
        let parts = text.parts().iter();
        let named =
            |part: &&Part| matches!(part, Part::Keyring(_) | Part::File(_) | Part::Download(_));
        parts
            .filter(named)
            .filter_map(|part| self.resolve(part).ok())
            .map(PathBuf::from)
    }
}

impl Resolve for Values<'_> {
    fn resolve(&self, part: &Part) -> Result<String, Unresolved> {
        let path = |path: PathBuf| path.display().to_string();
        let value = match part {
            Part::Literal(text) => Some(text.clone()),
            Part::Root {} => Some(path(self.root.to_owned())),
            Part::Keyring(name) => Some(keyring_path(name)),
            Part::File(digest) => self.settings.files.path(self.plan, digest).map(path),
            Part::Download(sha256) => Some(path(self.settings.store.download(sha256))),
            Part::Secret(name) => self.settings.secrets.value(name).cloned(),
        };
        value.ok_or_else(|| Unresolved(part.clone()))
    }
}
