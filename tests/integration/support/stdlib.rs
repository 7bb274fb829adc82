//! What the stdlib's own tables name.

use std::collections::BTreeMap;

use rootwright::build::PreviewCapture;
use rootwright::plan::Plan;
use rootwright::recipe::stdlib::Stdlib;
use rootwright::recipe::{self, HostFacts, Settings};

/// Every distro that the stdlib names.
pub fn distros() -> Vec<String> {
    let names = Stdlib::default().list("distro");
    let names = names
        .iter()
        .filter_map(|path| path.strip_prefix("distro/")?.strip_suffix(".rhai"));
    names.map(str::to_owned).collect()
}

/// A plan on an empty host, which is the same on every machine.
pub fn plan(recipe: &str) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.rhai");
    std::fs::write(&path, recipe).unwrap();
    let settings = Settings {
        host: HostFacts {
            arch: "x86_64".to_owned(),
            root: folder.path().join("host"),
        },
        ..Settings::default()
    };
    let evaluated = recipe::evaluate(&path, &settings, &mut PreviewCapture::default());
    let mut plan = evaluated
        .unwrap_or_else(|failure| panic!("{recipe}\n{:#?}", failure.reports))
        .plan;
    let named = plan.recipe.path.clone();
    plan.recipe.path = "recipe.rhai".to_owned();
    plan.rootwright = "0".to_owned();
    for step in &mut plan.steps {
        for frame in &mut step.calls {
            frame.span.file = frame.span.file.replace(&named, "recipe.rhai");
            // Where in the stdlib a call stands is no business of the plan's reader.
            if frame.span.file.starts_with("stdlib:") {
                frame.span.start.line = 0;
            }
        }
    }
    plan
}

/// A release's name, and its architectures.
pub type Releases = BTreeMap<String, Vec<String>>;

/// The releases of a distro, from its own table.
pub fn releases(distro: &str) -> Releases {
    let recipe = text!(
        r#"import "distro/{distro}" as distro;
let found = distro::releases();
for name in found.keys() { log(#{ name: name, arches: found[name].arches, dracut: found[name].dracut }.to_json()); }
"#,
        distro
    );
    let plan = plan(&recipe);
    let mut releases = Releases::new();
    for message in &plan.messages {
        let facts: serde_json::Value = serde_json::from_str(&message.text).unwrap();
        let arches = facts["arches"].as_array().unwrap();
        let arches = arches.iter().map(|arch| arch.as_str().unwrap().to_owned());
        assert!(
            facts.get("dracut").is_some(),
            "{distro}: a release says which dracut it has, or that it has none"
        );
        releases.insert(facts["name"].as_str().unwrap().to_owned(), arches.collect());
    }
    assert!(!releases.is_empty(), "{distro}");
    releases
}
