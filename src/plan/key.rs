//! Keys of layers: what a layer is made from, as a digest.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, Op, Plan, RootId, Step};

/// A blake3 digest, in hexadecimal.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Key(String);

impl Key {
    /// The digest of `parts`, each with its length, so that no two lists run together.
    pub fn of(parts: &[&[u8]]) -> Key {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Key(hasher.finalize().to_hex().to_string())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The layer that a step makes, and the one it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerKey {
    pub step: usize,
    pub root: RootId,
    pub parent: Option<Key>,
    pub key: Key,
}

impl Step {
    /// Whether the step changes its root; an export only reads it.
    pub fn makes_layer(&self) -> bool {
        self.root.is_some()
            && self
                .actions
                .iter()
                .any(|action| !matches!(action.op, Op::Export(_)))
    }

    /// What of the step decides the bytes that come out: operations and conditions,
    /// neither where they stand in a script nor what is said about them.
    pub fn canonical(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Canonical<'a> {
            op: &'a Op,
            only_if: &'a Option<Vec<String>>,
        }
        let actions: Vec<Canonical<'_>> = self
            .actions
            .iter()
            .map(|Action { op, only_if, .. }| Canonical { op, only_if })
            .collect();
        // Operations are maps with string keys and no floats: this cannot fail.
        serde_json::to_vec(&actions).unwrap_or_default()
    }
}

/// The layers of a plan, one per step that makes one, in the order of the steps. `salt`
/// is what else decides the outcome on this host, such as the versions of its tools.
pub fn keys(plan: &Plan, salt: &[u8]) -> Vec<LayerKey> {
    let mut history: BTreeMap<RootId, Vec<(usize, Key)>> = BTreeMap::new();
    let mut layers = Vec::new();
    for step in plan.steps.iter().filter(|step| step.makes_layer()) {
        let Some(root) = step.root else { continue };
        let parent = history
            .get(&root)
            .and_then(|steps| steps.last())
            .map(|(_, key)| key.clone())
            .or_else(|| {
                let base = plan.root(root)?.base.as_ref()?;
                history
                    .get(&base.root)?
                    .iter()
                    .rfind(|(number, _)| *number <= base.after_step)
                    .map(|(_, key)| key.clone())
            });
        let below = parent.as_ref().map_or("", Key::as_str);
        let key = Key::of(&[b"layer 1", salt, below.as_bytes(), &step.canonical()]);
        history
            .entry(root)
            .or_default()
            .push((step.number, key.clone()));
        layers.push(LayerKey {
            step: step.number,
            root,
            parent,
            key,
        });
    }
    layers
}
