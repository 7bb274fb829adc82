//! What the parts of a plan's texts stand for while a step runs.

use std::path::{Path, PathBuf};

use super::Settings;
use crate::plan::{Part, Plan, Resolve, Text, keyring_path};

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
            .filter_map(|part| self.path(part))
            .map(PathBuf::from)
    }
}

impl Resolve for Values<'_> {
    fn path(&self, part: &Part) -> Option<String> {
        let path = match part {
            Part::Root {} => self.root.to_owned(),
            Part::Keyring(name) => return Some(keyring_path(name)),
            Part::File(digest) => self.settings.files.path(self.plan, digest)?,
            Part::Download(sha256) => self.settings.store.download(sha256),
            Part::Secret(_) | Part::SecretLine(_) | Part::Literal(_) => return None,
        };
        Some(path.display().to_string())
    }

    fn secret(&self, name: &str) -> Option<&[u8]> {
        self.settings.secrets.value(name)
    }
}
