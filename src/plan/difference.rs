//! Why a layer is made again, in words: a plan compared with the one that was built last.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Action, HostRun, Key, Layer, NspawnRun, Op, Plan, Step, Text};

/// A build, as it is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Built {
    pub plan: Plan,
    pub layers: Vec<BuiltLayer>,
    /// Versions of the host's programs that decide what layers hold.
    pub versions: BTreeMap<String, String>,
    /// When the build began, in seconds since 1970.
    pub began: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuiltLayer {
    pub steps: Vec<usize>,
    /// The layer's key without the state of its archives.
    pub base: Key,
    pub key: Key,
}

impl Built {
    fn steps(&self, layer: &BuiltLayer) -> Vec<&Step> {
        layer
            .steps
            .iter()
            .filter_map(|number| self.plan.step(*number))
            .collect()
    }

    /// The layer that stood on `below` in a root of this name.
    fn above(&self, below: Option<&Key>, root: &str) -> Option<&BuiltLayer> {
        let layers = super::layers(&self.plan);
        layers.iter().zip(&self.layers).find_map(|(layer, built)| {
            let stands_on = layer.below.and_then(|below| self.layers.get(below));
            let name = self.plan.root(layer.root).map(|root| root.name.as_str());
            (stands_on.map(|below| &below.key) == below && name == Some(root)).then_some(built)
        })
    }
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
    let steps: Vec<&Step> = layer
        .steps
        .iter()
        .filter_map(|number| plan.step(*number))
        .collect();
    let mut before = built
        .iter()
        .filter_map(|built| Some((built, built.above(below, root)?)));
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
    let olds = built.steps(old);
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
        let (now, then) = (now.get(program)?, then.get(program)?);
        (now != then).then(|| format!("{program} {then} → {now}"))
    })
}

fn changed_steps(plan: &Plan, built: &Built, steps: &[&Step], olds: &[&Step]) -> Option<String> {
    let canonical =
        |steps: &[&Step]| -> Vec<Vec<u8>> { steps.iter().map(|step| step.canonical()).collect() };
    let (new, old) = (canonical(steps), canonical(olds));
    let at = (0..new.len().max(old.len())).find(|at| new.get(*at) != old.get(*at))?;
    let (Some(step), Some(before)) = (steps.get(at), olds.get(at)) else {
        return Some(match steps.get(at) {
            Some(step) => format!("new: {}", step.label),
            None => format!("gone: {}", olds.get(at)?.label),
        });
    };
    // What differs may be a step more or a step less, and the rest as it was.
    let all = |plan: &Plan, step: &Step| -> Vec<Vec<u8>> {
        let later = |other: &&Step| other.root == step.root && other.number > step.number;
        plan.steps
            .iter()
            .filter(later)
            .map(Step::canonical)
            .collect()
    };
    if old.get(at).is_some_and(|old| all(plan, step).contains(old)) {
        return Some(format!("new: {}", step.label));
    }
    if new
        .get(at)
        .is_some_and(|new| all(&built.plan, before).contains(new))
    {
        return Some(format!("gone: {}", before.label));
    }
    let texts = (new.get(at), old.get(at));
    if let (Some(new), Some(old)) = texts
        && let Some(reason) = changed_inputs(plan, &built.plan, new, old)
    {
        return Some(reason);
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
    let options = plan.options.iter().filter_map(|option| {
        let then = before
            .options
            .iter()
            .find(|then| then.name == option.name)?;
        Some((
            format!("option {}", option.name),
            word(&then.value),
            word(&option.value),
        ))
    });
    let assumptions = plan.assumptions.iter().filter_map(|now| {
        let then = before
            .assumptions
            .iter()
            .find(|then| then.what == now.what)?;
        Some((now.what.clone(), then.value.clone(), now.value.clone()))
    });
    options
        .chain(assumptions)
        .find(|(_, then, now)| {
            then != now && new.contains(now.as_str()) && old.contains(then.as_str())
        })
        .map(|(what, then, now)| format!("{what}: {} → {}", shown(&then), shown(&now)))
}

fn shown(value: &str) -> &str {
    if value.is_empty() { "\"\"" } else { value }
}

pub(super) fn changed_actions(step: &Step, before: &Step) -> String {
    let pairs = step.actions.iter().zip(&before.actions);
    let changes: Vec<String> = pairs
        .filter(|(now, then)| now.op != then.op || now.only_if != then.only_if)
        .map(|(now, then)| changed_action(step, now, then))
        .collect();
    match changes.as_slice() {
        [] => format!("the commands of `{}` changed", step.call),
        [one] => one.clone(),
        [first, second] => format!("{first}; {second}"),
        [first, rest @ ..] => format!("{first}, and {} changes more", rest.len()),
    }
}

fn changed_action(step: &Step, now: &Action, then: &Action) -> String {
    if now.only_if != then.only_if {
        return "its `only_if` changed".to_owned();
    }
    match (&now.op, &then.op) {
        (Op::NspawnRun(now), Op::NspawnRun(then)) => changed_run(step, now, then),
        (Op::NspawnBoot(now), Op::NspawnBoot(then)) => changed_run(step, &now.run, &then.run),
        (Op::HostRun(now), Op::HostRun(then)) => changed_host_run(step, now, then),
        (Op::WriteFile(now), Op::WriteFile(then)) if now.path == then.path => {
            match now.content == then.content {
                true => format!("{}: its mode or owner changed", now.path),
                false => format!("{} changed", now.path),
            }
        }
        (Op::AppendFile(now), Op::AppendFile(then)) if now.path == then.path => {
            format!("what is added to {} changed", now.path)
        }
        (Op::EditFile(now), Op::EditFile(then)) if now.path == then.path => {
            format!("the edit of {} changed", now.path)
        }
        (Op::CopyIn(now), Op::CopyIn(then)) if now.source == then.source => {
            let source = now.source.trim_start_matches("./");
            match now.digest == then.digest {
                true => format!("where {source} is copied to changed"),
                false => format!("file {source} changed"),
            }
        }
        (Op::Fetch(now), Op::Fetch(then)) => format!("fetch: {} → {}", then.url, now.url),
        _ => format!("the operations of `{}` changed", step.call),
    }
}

fn changed_run(step: &Step, now: &NspawnRun, then: &NspawnRun) -> String {
    changed_words(step, &now.argv, &then.argv)
        .or_else(|| changed_env(&now.env, &then.env))
        .or_else(|| (now.stdin != then.stdin).then(|| "its standard input changed".to_owned()))
        .unwrap_or_else(|| format!("how `{}` runs changed", program(&now.argv)))
}

fn changed_host_run(step: &Step, now: &HostRun, then: &HostRun) -> String {
    changed_words(step, &now.argv, &then.argv)
        .or_else(|| changed_env(&now.env, &then.env))
        .or_else(|| (now.stdin != then.stdin).then(|| "its standard input changed".to_owned()))
        .unwrap_or_else(|| format!("how `{}` runs changed", program(&now.argv)))
}

fn program(argv: &[String]) -> &str {
    argv.first().map_or("", String::as_str)
}

/// `packages: + curl, - nano`
fn changed_words(step: &Step, now: &[String], then: &[String]) -> Option<String> {
    if now == then {
        return None;
    }
    let missing = |from: &[String], other: &[String]| -> Vec<String> {
        from.iter()
            .filter(|word| !other.contains(word))
            .cloned()
            .collect()
    };
    let (added, gone) = (missing(now, then), missing(then, now));
    let what = match step.call.as_str() {
        "install" | "remove" => "packages".to_owned(),
        _ => format!("`{}`", program(now)),
    };
    // A script is one long word.
    let long = |words: &[String]| {
        words
            .iter()
            .any(|word| word.len() > 60 || word.contains('\n'))
    };
    if long(&added) || long(&gone) {
        return Some(format!("the script of `{}` changed", step.call));
    }
    let words: Vec<String> = added
        .iter()
        .map(|word| format!("+ {word}"))
        .chain(gone.iter().map(|word| format!("- {word}")))
        .collect();
    Some(match words.is_empty() {
        true => format!("{what}: in another order"),
        false => format!("{what}: {}", words.join(", ")),
    })
}

fn changed_env(now: &BTreeMap<String, Text>, then: &BTreeMap<String, Text>) -> Option<String> {
    let mut names = now.keys().chain(then.keys());
    names
        .find(|name| now.get(*name) != then.get(*name))
        .map(|name| format!("the variable {name} changed"))
}
