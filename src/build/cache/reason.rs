//! Why a layer is made again, in words: a plan compared with the one that was built last.

use std::collections::BTreeMap;

use crate::diff::changed_actions;
use crate::plan::{CapturedOutput, Key, Layer, Plan, Step, layers};
use crate::store::{Built, BuiltLayer};

/// The layer that stood on `below` in a root of this name.
fn above<'a>(built: &'a Built, below: Option<&Key>, root: &str) -> Option<&'a BuiltLayer> {
    let layers = layers(&built.plan);
    layers.iter().zip(&built.layers).find_map(|(layer, made)| {
        let stands_on = layer.below.and_then(|below| built.layers.get(below));
        let name = built.plan.root(layer.root).map(|root| root.name.as_str());
        (stands_on.map(|below| &below.key) == below && name == Some(root)).then_some(made)
    })
}

/// Why `layer` of `plan`, whose layer below has the key `below`, is not the one that was
/// built last. `base` is its own key without the state of its archives.
pub fn why(
    plan: &Plan,
    layer: &Layer,
    below: Option<&Key>,
    base: Option<&Key>,
    versions: &BTreeMap<String, String>,
    built: &[Built],
) -> String {
    let root = plan.root(layer.root).map_or("", |root| root.name.as_str());
    let steps: Vec<&Step> = layer.steps(plan).collect();
    let mut before = built
        .iter()
        .filter_map(|built| Some((built, above(built, below, root)?)));
    // Among builds with other options, the one that made this very layer says most.
    let same = before.clone().find(|(_, old)| Some(&old.base) == base);
    let Some((built, old)) = same.or_else(|| before.next()) else {
        return match built.is_empty() {
            true => "not built before".to_owned(),
            false => "a new step".to_owned(),
        };
    };
    if Some(&old.base) == base {
        return "its layer is not in the store: it failed, or was removed".to_owned();
    }
    let olds: Vec<&Step> = built.plan.numbered(&old.steps).collect();
    changed_steps(plan, built, &steps, &olds)
        .or_else(|| changed_versions(versions, &built.versions, &steps))
        .unwrap_or_else(|| {
            let (then, now) = (&built.plan.rootwright, &plan.rootwright);
            match then == now {
                true => "layers are made in another way now".to_owned(),
                false => format!("rootwright {then} → {now}"),
            }
        })
}

fn changed_versions(
    now: &BTreeMap<String, String>,
    then: &BTreeMap<String, String>,
    steps: &[&Step],
) -> Option<String> {
    let mut programs = steps.iter().flat_map(|step| step.programs());
    programs.find_map(|program| {
        let (now, then) = (now.get(&program)?, then.get(&program)?);
        (now != then).then(|| format!("{program} {then} → {now}"))
    })
}

fn changed_steps(plan: &Plan, built: &Built, steps: &[&Step], olds: &[&Step]) -> Option<String> {
    let canonical = |step: Option<&&Step>| step.map(|step| step.canonical());
    let mut places = 0..steps.len().max(olds.len());
    let at = places.find(|at| canonical(steps.get(*at)) != canonical(olds.get(*at)))?;
    let (step, before) = match (steps.get(at), olds.get(at)) {
        (Some(step), Some(before)) => (step, before),
        (Some(step), None) => return Some(format!("new: {}", step.label)),
        (None, before) => return Some(format!("gone: {}", before?.label)),
    };
    let (new, old) = (step.canonical(), before.canonical());
    // What differs may be a step more or a step less, and the rest as it was.
    let follows = |plan: &Plan, step: &Step, wanted: &[u8]| {
        let later = |other: &&Step| other.root == step.root && other.number > step.number;
        let mut later = plan.steps.iter().filter(later);
        later.any(|other| other.canonical() == wanted)
    };
    if follows(plan, step, &old) {
        return Some(format!("new: {}", step.label));
    }
    if follows(&built.plan, before, &new) {
        return Some(format!("gone: {}", before.label));
    }
    let reason = changed_inputs(plan, &built.plan, &new, &old)
        .or_else(|| changed_file(plan, &built.plan, step, before));
    if reason.is_some() {
        return reason;
    }
    if step.call != before.call {
        return Some(format!("new: {}", step.label));
    }
    Some(changed_actions(step, before))
}

/// An option, or what was assumed, whose old value the old step has and whose new value
/// the new one.
fn changed_inputs(plan: &Plan, before: &Plan, new: &[u8], old: &[u8]) -> Option<String> {
    let (new, old) = (String::from_utf8_lossy(new), String::from_utf8_lossy(old));
    let word = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let options = plan.options.iter().filter_map(|now| {
        let mut before = before.options.iter();
        let then = before.find(|then| then.name == now.name)?;
        let what = format!("option {}", now.name);
        Some((what, word(&then.value), word(&now.value)))
    });
    let assumptions = plan.assumptions.iter().filter_map(|now| {
        let mut before = before.assumptions.iter();
        let then = before.find(|then| then.what == now.what)?;
        Some((now.what.clone(), then.value.clone(), now.value.clone()))
    });
    let captures = plan.captures.iter().filter_map(|now| {
        let mut before = before.captures.iter();
        let then = before.find(|then| then.command == now.command)?;
        let what = format!("output of `{}`", now.command.shown());
        let output = |one: &CapturedOutput| one.captured.output().to_owned();
        Some((what, output(then), output(now)))
    });
    options
        .chain(assumptions)
        .chain(captures)
        .find(|(_, then, now)| {
            then != now && new.contains(now.as_str()) && old.contains(then.as_str())
        })
        .map(|(what, then, now)| format!("{what}: {} → {}", shown(&then), shown(&now)))
}

/// A file of the repository, whose old digest the old step uses and whose new one the new.
fn changed_file(plan: &Plan, before: &Plan, new: &Step, old: &Step) -> Option<String> {
    let uses = |step: &Step, digest: &str| step.uses.files.contains(digest);
    let mut files = plan.files.iter().filter(|file| uses(new, &file.digest));
    let changed = files.find(|now| {
        let mut before = before.files.iter();
        before.any(|then| then.name == now.name && then != *now && uses(old, &then.digest))
    });
    changed.map(|file| format!("file {} changed", file.name))
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "\"\"" } else { value }
}
