//! Recipes evaluated for commands that build nothing, and the roots of their last builds.

use std::path::Path;

use super::{Chosen, Global};
use crate::build::PreviewCapture;
use crate::build::cache::Versions;
use crate::diagnose::{Report, Trouble};
use crate::plan::{Plan, RootId};
use crate::recipe::{self, Evaluation};
use crate::store::{Built, Store};

/// A recipe that was evaluated with what its last build remembers.
pub struct Preview {
    pub store: Option<Store>,
    pub versions: Versions,
    pub evaluation: Evaluation,
}

impl Global {
    pub(super) fn preview(&self, recipe: &Path, chosen: &Chosen) -> Result<Preview, Trouble> {
        let settings = self.settings(recipe, chosen)?;
        let store = Store::existing(&self.store(&settings.project));
        let versions = self.versions()?;
        let mut capture = PreviewCapture::new(store.clone(), versions.clone());
        let evaluation = recipe::evaluate(recipe, &settings, &mut capture)?;
        Ok(Preview {
            store,
            versions,
            evaluation,
        })
    }
}

impl Preview {
    /// The last build of the recipe with the same options.
    pub fn last_build(&self) -> Option<(&Store, Built)> {
        let store = self.store.as_ref()?;
        Some((store, store.last_build(&self.evaluation.plan)?))
    }
}

/// What is wrong where the store lacks what the last build of a recipe has left.
pub fn not_built(code: &str, message: impl Into<String>, recipe: &str) -> Report {
    Report::new(code, message)
        .cause("the recipe was not built as it is now, or its layers were removed")
        .next(format!("rootwright build {recipe}"))
}

/// The root of that name, else the last one.
pub fn root(plan: &Plan, name: Option<&str>) -> Result<RootId, Trouble> {
    let names: Vec<&str> = plan.roots.iter().map(|root| root.name.as_str()).collect();
    let found = match name {
        Some(name) => plan.roots.iter().find(|root| root.name == name),
        None => plan.roots.last(),
    };
    found.map(|root| root.id).ok_or_else(|| {
        let message = format!("the recipe makes no root `{}`", name.unwrap_or_default());
        let report = Report::new("shell::root", message);
        report
            .help(format!("its roots are {}", names.join(", ")))
            .into()
    })
}
