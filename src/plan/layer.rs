//! Which steps make which layers, and the keys of those: what a layer is made from, as a
//! digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::digest;
use super::{Action, Command, Op, Plan, RootId, Step};

/// A blake3 digest, in hexadecimal.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Key(String);

impl Key {
    /// The digest of `parts`, each with its length, so that no two lists run together.
    pub fn of<P: AsRef<[u8]>>(parts: &[P]) -> Key {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            digest::part(&mut hasher, part.as_ref());
        }
        Key(hasher.finalize().to_hex().to_string())
    }

    /// `None` unless the text is one: names of files in a store are.
    pub fn parse(text: &str) -> Option<Key> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(hex)).then(|| Key(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As much as people read.
    pub fn short(&self) -> &str {
        short(&self.0)
    }
}

/// A digest or a commit in as many digits as a person compares.
pub fn short(digits: &str) -> &str {
    digits.get(..12).unwrap_or(digits)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Steps of one root that become one layer: any number that only change files, and the
/// command that comes after them. Files are cheap to make again, and a layer each would
/// make stacks high.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    pub root: RootId,
    /// Numbers of the steps, in their order; never empty.
    pub steps: Vec<usize>,
    /// The layer below, as its place in the list.
    pub below: Option<usize>,
}

impl Layer {
    /// Its steps, which are in `plan`.
    pub fn steps<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = &'a Step> {
        plan.numbered(&self.steps)
    }

    pub fn last_step(&self) -> usize {
        self.steps.last().copied().unwrap_or_default()
    }
}

impl Step {
    /// Whether the step changes its root.
    pub fn makes_layer(&self) -> bool {
        self.root.is_some() && self.actions.iter().any(|action| action.op.changes_root())
    }

    fn runs_a_command(&self) -> bool {
        let runs = |action: &Action| action.only_if.is_some() || action.op.run().is_some();
        self.actions.iter().any(runs)
    }

    /// What of the step decides the bytes that come out: operations and conditions,
    /// neither where they stand in a script nor what is said about them.
    pub fn canonical(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Canonical<'a> {
            op: &'a Op,
            only_if: &'a Option<Command>,
        }
        let actions: Vec<Canonical<'_>> = self
            .actions
            .iter()
            .map(|Action { op, only_if, .. }| Canonical { op, only_if })
            .collect();
        // Operations are maps with string keys and no floats: this cannot fail.
        serde_json::to_vec(&actions).unwrap_or_default()
    }

    /// The programs of the host that the step runs.
    pub fn programs(&self) -> BTreeSet<String> {
        let runs = self.actions.iter().filter_map(|action| action.op.run());
        runs.filter(|run| run.place.is_host())
            .flat_map(|run| run.command.programs())
            .collect()
    }
}

/// The layers of a plan, each after the one that it stands on.
pub fn layers(plan: &Plan) -> Vec<Layer> {
    // An export or a fork sees its root as it is after a step: a layer ends there.
    let mut ends: BTreeSet<(RootId, usize)> = plan
        .roots
        .iter()
        .filter_map(|root| root.base.as_ref())
        .map(|base| (base.root, base.after_step))
        .collect();
    let mut pending: BTreeMap<RootId, Vec<usize>> = BTreeMap::new();
    let mut layers: Vec<Layer> = Vec::new();
    let mut close = |root: RootId, pending: &mut BTreeMap<RootId, Vec<usize>>| {
        if let Some(steps) = pending.remove(&root) {
            let below = top(plan, &layers, root, usize::MAX);
            layers.push(Layer { root, steps, below });
        }
    };
    for step in &plan.steps {
        // The ends that come before this step, whichever root it is of.
        while let Some(end) = ends.iter().find(|(_, after)| *after < step.number).copied() {
            ends.remove(&end);
            close(end.0, &mut pending);
        }
        let Some(root) = step.root else { continue };
        if step.makes_layer() {
            pending.entry(root).or_default().push(step.number);
            if step.runs_a_command() {
                close(root, &mut pending);
            }
        } else if step.exports().next().is_some() {
            // An export sees its root as it is after the step before.
            close(root, &mut pending);
        }
    }
    for root in plan.roots.iter().map(|root| root.id) {
        close(root, &mut pending);
    }
    layers
}

/// The uppermost layer that `root` has after the step `after`, as its place in `layers`.
pub fn top(plan: &Plan, layers: &[Layer], root: RootId, after: usize) -> Option<usize> {
    let own = layers
        .iter()
        .rposition(|layer| layer.root == root && layer.last_step() <= after);
    own.or_else(|| {
        let base = plan.root(root)?.base.as_ref()?;
        // A base has a smaller number than its forks, so this ends.
        (base.root < root)
            .then(|| top(plan, layers, base.root, base.after_step.min(after)))
            .flatten()
    })
}

/// What else than a plan decides what its layers hold.
pub trait Circumstances {
    /// The version of a program of the host, where it changes what comes out.
    fn version(&self, program: &str) -> Option<String>;

    /// The state of the archives that a layer draws from, as a digest; `base` is the
    /// layer's key without it. `None` while nobody has looked.
    fn archives(&self, base: &Key, archives: &BTreeSet<usize>) -> Option<String>;
}

/// The key of a layer, and the key that it has whatever state its archives are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerKey {
    pub base: Key,
    pub key: Key,
}

/// Changes when the meaning of an operation does.
const MEANING: &str = "layer 3";

/// The keys of `layers`. `None` for a layer that draws from archives which nobody has
/// looked at, and for those above it.
pub fn keys(
    plan: &Plan,
    layers: &[Layer],
    circumstances: &dyn Circumstances,
) -> Vec<Option<LayerKey>> {
    let mut keys: Vec<Option<LayerKey>> = Vec::new();
    for layer in layers {
        let below = match layer.below {
            None => Some(""),
            Some(below) => keys
                .get(below)
                .and_then(Option::as_ref)
                .map(|key| key.key.as_str()),
        };
        let key = below.and_then(|below| key(plan, layer, below, circumstances));
        keys.push(key);
    }
    keys
}

fn key(
    plan: &Plan,
    layer: &Layer,
    below: &str,
    circumstances: &dyn Circumstances,
) -> Option<LayerKey> {
    let mut parts: Vec<Vec<u8>> = vec![MEANING.into(), below.into()];
    let mut archives = BTreeSet::new();
    for step in layer.steps(plan) {
        for program in step.programs() {
            if let Some(version) = circumstances.version(&program) {
                parts.push(format!("{program} {version}").into_bytes());
            }
        }
        parts.push(step.canonical());
        archives.extend(step.repositories.iter().copied());
    }
    let base = Key::of(&parts);
    if archives.is_empty() {
        return Some(LayerKey {
            key: base.clone(),
            base,
        });
    }
    let state = circumstances.archives(&base, &archives)?;
    Some(LayerKey {
        key: Key::of(&[base.as_str(), &state]),
        base,
    })
}
