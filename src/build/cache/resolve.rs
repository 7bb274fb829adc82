//! A plan with the keys of its layers: what is in the store, what has to be made, and why.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::inputs::{Archives, BuildInputs, PreviewInputs, Refresh, Versions};
use super::reason::why;
use crate::plan::{Key, Layer, LayerKey, Plan, RootId, Step, keys, layers, top};
use crate::preview::StepStatus;
use crate::store::{ArchiveStates, Built, BuiltLayer, LayerInfo, Store, now};

/// A plan that can run.
pub struct Prepared {
    pub plan: Plan,
    pub layers: Vec<Layer>,
    pub keys: Vec<LayerKey>,
    /// Versions of the host's programs that are part of the keys.
    pub versions: BTreeMap<String, String>,
    /// The archives' states that are part of the keys, by the layer's base key.
    pub states: BTreeMap<Key, ArchiveStates>,
    /// By the step's number.
    pub status: BTreeMap<usize, StepStatus>,
}

impl Prepared {
    /// Finds the keys; asks archives where that is needed.
    pub fn new(
        plan: Plan,
        store: &Store,
        versions: &Versions,
        archives: &Archives,
        refresh: Refresh,
    ) -> Self {
        let versions = versions.of(&plan, store);
        let layers = layers(&plan);
        let asked = BuildInputs {
            plan: &plan,
            store,
            versions: &versions,
            refresh,
            archives,
            states: RefCell::default(),
        };
        // With what archives answer, or that they do not, every layer has a key.
        let keys: Vec<Option<LayerKey>> = keys(&plan, &layers, &asked);
        let states = asked.states.into_inner();
        let status = statuses(&plan, &layers, &keys, &versions, store);
        let keys = keys.into_iter().flatten().collect();
        Prepared {
            plan,
            layers,
            keys,
            versions,
            states,
            status,
        }
    }

    /// The keys of the layers that `root` has after a step, the lowest first.
    pub fn stack(&self, root: RootId, after: usize) -> Vec<Key> {
        self.below(top(&self.plan, &self.layers, root, after))
    }

    /// The keys of a layer and of those below it, the lowest first.
    pub fn below(&self, layer: Option<usize>) -> Vec<Key> {
        let mut stack = Vec::new();
        let mut at = layer;
        while let Some(index) = at {
            stack.extend(self.keys.get(index).map(|key| key.key.clone()));
            // Every layer comes after the one that it stands on, so this ends.
            at = self.layers.get(index).and_then(|layer| layer.below);
        }
        stack.reverse();
        stack
    }

    pub fn steps<'a>(&'a self, layer: &'a Layer) -> impl Iterator<Item = &'a Step> {
        self.plan.numbered(&layer.steps)
    }

    /// The build, as it is remembered.
    pub fn built(&self) -> Built {
        let layers = self.layers.iter().zip(&self.keys);
        let layers = layers.map(|(layer, key)| BuiltLayer {
            steps: layer.steps.clone(),
            base: key.base.clone(),
            key: key.key.clone(),
        });
        Built {
            plan: self.plan.clone(),
            layers: layers.collect(),
            versions: self.versions.clone(),
            began: now(),
        }
    }
}

/// What a build would find in the store, from what is there; nobody is asked.
pub fn preview(plan: &Plan, store: &Store, versions: &Versions) -> BTreeMap<usize, StepStatus> {
    let versions = versions.of(plan, store);
    let layers = layers(plan);
    let remembered = PreviewInputs {
        store,
        versions: &versions,
    };
    let keys = keys(plan, &layers, &remembered);
    statuses(plan, &layers, &keys, &versions, store)
}

/// The keys of a plan's layers, as far as the store knows them.
pub fn remembered_keys(plan: &Plan, store: &Store, versions: &Versions) -> Vec<Option<LayerKey>> {
    let versions = versions.of(plan, store);
    let remembered = PreviewInputs {
        store,
        versions: &versions,
    };
    keys(plan, &layers(plan), &remembered)
}

fn statuses(
    plan: &Plan,
    layers: &[Layer],
    keys: &[Option<LayerKey>],
    versions: &BTreeMap<String, String>,
    store: &Store,
) -> BTreeMap<usize, StepStatus> {
    let mut status = BTreeMap::new();
    let mut built: Option<Vec<Built>> = None;
    let mut cached = vec![false; layers.len()];
    for (index, (layer, key)) in layers.iter().zip(keys).enumerate() {
        let below = layer.below.and_then(|below| cached.get(below).copied());
        let there = below != Some(false) && key.as_ref().is_some_and(|key| store.has(&key.key));
        if let Some(slot) = cached.get_mut(index) {
            *slot = there;
        }
        let said = if there {
            let info = key.as_ref().and_then(|key| store.info(&key.key));
            StepStatus::Cached(info.as_ref().and_then(age))
        } else if below == Some(false) {
            let after = layer.below.and_then(|below| layers.get(below));
            let after = after.map_or(0, Layer::last_step);
            StepStatus::Follows(after)
        } else {
            let built = built.get_or_insert_with(|| store.recorded(&plan.recipe.path));
            let below = layer.below.and_then(|below| keys.get(below)?.as_ref());
            let base = key.as_ref().map(|key| &key.base);
            let below = below.map(|key| &key.key);
            let stale = stale(key.as_ref(), built, store);
            StepStatus::Runs(
                stale.unwrap_or_else(|| why(plan, layer, below, base, versions, built)),
            )
        };
        for step in &layer.steps {
            status.insert(*step, said.clone());
        }
    }
    status
}

/// Which archives have changed since the layer was last made.
fn stale(key: Option<&LayerKey>, built: &[Built], store: &Store) -> Option<String> {
    let key = key?;
    let mut layers = built.iter().flat_map(|built| &built.layers);
    let old =
        layers.find(|old| old.base == key.base && old.key != key.key && store.has(&old.key))?;
    let archives = store.info(&old.key)?.archives;
    let names: Vec<String> = archives.into_iter().map(|archive| archive.name).collect();
    Some(format!("archives changed: {}", names.join(", ")))
}

/// `packages of 2026-11-20, 3 days old`
fn age(info: &LayerInfo) -> Option<String> {
    let archives = info.archives.iter();
    let dates = archives.filter_map(|archive| archive.look.as_ref()?.date);
    let youngest = dates.max()?;
    let day = jiff::Timestamp::from_second(i64::try_from(youngest).ok()?).ok()?;
    let day = day.strftime("%Y-%m-%d");
    Some(match now().saturating_sub(youngest) / 86_400 {
        0 => format!("packages of {day}, today"),
        1 => format!("packages of {day}, 1 day old"),
        days => format!("packages of {day}, {days} days old"),
    })
}
