//! Two plans, step by step: what a change of a recipe, of its options or of the stdlib
//! comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::step_changes::changed_actions;
use crate::plan;
use crate::plan::{Action, Keyring, Op, OptionValue, Plan, Root, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
    Changed,
}

/// What differs between two plans; all of it empty where nothing does. Places in scripts
/// and labels are not compared: they change nothing in a root.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanDiff {
    pub options: Vec<Differing>,
    /// The commits of libraries.
    pub libraries: Vec<Differing>,
    /// What the evaluations looked at beside the scripts.
    pub inputs: Vec<Differing>,
    pub assumptions: Vec<Differing>,
    /// Outputs of commands that the evaluations captured.
    pub captures: Vec<Differing>,
    /// Programs and files that the host must have.
    pub needs: Vec<Differing>,
    /// Where packages come from, by root and name.
    pub repositories: Vec<Differing>,
    /// The fingerprints of keys, by what is signed with them.
    pub keys: Vec<Differing>,
    /// What is installed unchecked, and why.
    pub capabilities: Vec<Differing>,
    pub roots: Vec<RootDiff>,
    /// Steps that are the same in both.
    pub same_steps: usize,
}

/// A value that differs; absent where one side does not have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differing {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RootDiff {
    pub name: String,
    pub change: Change,
    /// Its distro, release, architecture and base.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<Differing>,
    pub steps: Vec<StepDiff>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepDiff {
    pub change: Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<StepRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<StepRef>,
    /// In words; empty for a step that is only there or gone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub what: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionDiff>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepRef {
    pub number: usize,
    pub call: String,
    pub label: String,
}

/// An operation of a step that is in both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActionDiff {
    pub change: Change,
    /// The one that was, and the one that is: data of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Op>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Op>,
    /// Which of its fields differ, of one that is in both.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Differing>,
}

impl PlanDiff {
    /// What leads from one plan to another.
    pub fn between(from: &Plan, to: &Plan) -> PlanDiff {
        let mut same_steps = 0;
        let roots = roots(from, to, &mut same_steps);
        PlanDiff {
            options: differing(from, to, |plan| {
                let options = plan.options.iter();
                let pair = |option: &OptionValue| (option.name.clone(), option.value.clone());
                options.map(pair).collect()
            }),
            libraries: differing(from, to, |plan| {
                let libraries = plan.libraries.iter();
                libraries
                    .map(|one| (one.name.clone(), one.commit.clone().into()))
                    .collect()
            }),
            keys: differing(from, to, |plan| {
                let keys = plan.keyrings.iter();
                let said = |one: &Keyring| match one.fingerprints.is_empty() {
                    // Its name tells what is in it.
                    true => one.name.clone().into(),
                    false => one.fingerprints.join(" ").into(),
                };
                keys.map(|one| (one.about.clone(), said(one))).collect()
            }),
            capabilities: differing(from, to, |plan| {
                let capabilities = plan.capabilities.iter();
                capabilities
                    .map(|one| (one.access.to_string(), Value::from(true)))
                    .collect()
            }),
            inputs: differing(from, to, |plan| {
                let inputs = plan.inputs.iter();
                let pair = |input: &plan::Input| (input.name(), input.value().into());
                let files = plan.files.iter();
                let files =
                    files.map(|file| (format!("file {}", file.name), file.digest.clone().into()));
                inputs.map(pair).chain(files).collect()
            }),
            assumptions: differing(from, to, |plan| {
                let assumptions = plan.assumptions.iter();
                assumptions
                    .map(|one| {
                        (
                            one.what.clone(),
                            format!("{} ({})", one.value, one.from).into(),
                        )
                    })
                    .collect()
            }),
            captures: differing(from, to, |plan| {
                let captures = plan.captures.iter();
                captures
                    .map(|one| {
                        let command = one.command.shown();
                        (command, one.captured.output().into())
                    })
                    .collect()
            }),
            needs: differing(from, to, |plan| {
                let needs = plan.needs.iter();
                needs
                    .map(|need| (need.name.clone(), need.why.clone().into()))
                    .collect()
            }),
            repositories: differing(from, to, |plan| {
                let name = |root| plan.root(root).map_or("", |root| root.name.as_str());
                let repositories = plan.repositories.iter();
                repositories
                    .map(|one| {
                        (
                            format!("{} {}", name(one.root), one.name),
                            one.url.clone().into(),
                        )
                    })
                    .collect()
            }),
            roots,
            same_steps,
        }
    }

    pub fn is_empty(&self) -> bool {
        let lists = [
            &self.options,
            &self.libraries,
            &self.keys,
            &self.capabilities,
            &self.inputs,
            &self.assumptions,
            &self.captures,
            &self.needs,
            &self.repositories,
        ];
        lists.iter().all(|list| list.is_empty()) && self.roots.is_empty()
    }
}

/// The same of two plans.
fn differing(
    from: &Plan,
    to: &Plan,
    values: impl Fn(&Plan) -> BTreeMap<String, Value>,
) -> Vec<Differing> {
    differences(values(from), values(to))
}

/// The values that are not the same, by name.
pub fn differences(
    mut from: BTreeMap<String, Value>,
    mut to: BTreeMap<String, Value>,
) -> Vec<Differing> {
    let names: BTreeSet<String> = from.keys().chain(to.keys()).cloned().collect();
    names
        .into_iter()
        .map(|name| Differing {
            from: from.remove(&name),
            to: to.remove(&name),
            name,
        })
        .filter(|one| one.from != one.to)
        .collect()
}

/// The roots of both by name, then what belongs to none.
fn roots(from: &Plan, to: &Plan, same: &mut usize) -> Vec<RootDiff> {
    let mut names: Vec<Option<&str>> = Vec::new();
    for root in from.roots.iter().chain(&to.roots) {
        if !names.contains(&Some(root.name.as_str())) {
            names.push(Some(&root.name));
        }
    }
    names.push(None);
    let mut found = Vec::new();
    for name in names {
        let (old, new) = (root(from, name), root(to, name));
        let change = match (old, new) {
            (Some(_), None) => Change::Removed,
            (None, Some(_)) => Change::Added,
            _ => Change::Changed,
        };
        let facts = match (old, new) {
            (Some(old), Some(new)) => differences(facts(from, old), facts(to, new)),
            _ => Vec::new(),
        };
        let steps = steps(&steps_of(from, name), &steps_of(to, name), same);
        if change != Change::Changed || !facts.is_empty() || !steps.is_empty() {
            found.push(RootDiff {
                name: name.unwrap_or_default().to_owned(),
                change,
                facts,
                steps,
            });
        }
    }
    found
}

fn root<'a>(plan: &'a Plan, name: Option<&str>) -> Option<&'a Root> {
    plan.roots
        .iter()
        .find(|root| Some(root.name.as_str()) == name)
}

fn facts(plan: &Plan, root: &Root) -> BTreeMap<String, Value> {
    let base = root.base.as_ref().and_then(|base| plan.root(base.root));
    [
        ("distro", root.distro.clone()),
        ("release", root.release.clone()),
        ("arch", root.arch.clone()),
        (
            "base",
            base.map(|base| base.name.clone()).unwrap_or_default(),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.into()))
    .collect()
}

fn steps_of<'a>(plan: &'a Plan, name: Option<&str>) -> Vec<&'a Step> {
    let of = |step: &&Step| {
        let root = step.root.and_then(|id| plan.root(id));
        root.map(|root| root.name.as_str()) == name
    };
    plan.steps.iter().filter(of).collect()
}

/// A stretch of either side.
type Block = (Range<usize>, Range<usize>);

/// What stands on either side between two stretches that are the same, and how many are.
fn blocks<T: std::hash::Hash + Ord>(from: &[T], to: &[T]) -> (Vec<Block>, usize) {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut same, mut open) = (0, false);
    for op in capture_diff_slices(Algorithm::Myers, from, to) {
        if let DiffOp::Equal { len, .. } = op {
            same += len;
            open = false;
            continue;
        }
        let (old, new) = (op.old_range(), op.new_range());
        match blocks.last_mut().filter(|_| open) {
            Some((olds, news)) => {
                olds.end = old.end.max(olds.end);
                news.end = new.end.max(news.end);
            }
            None => blocks.push((old, new)),
        }
        open = true;
    }
    (blocks, same)
}

/// Which of `old` became which of `new`, in their order, by what each is about; then what
/// is left of both.
fn pairs<T>(
    old: &[T],
    new: &[T],
    about: impl Fn(&T) -> String,
) -> Vec<(Option<usize>, Option<usize>)> {
    let mut pairs = Vec::new();
    let mut next = 0;
    for (at, one) in old.iter().enumerate() {
        let subject = about(one);
        let found = new
            .iter()
            .enumerate()
            .skip(next)
            .find(|(_, other)| about(other) == subject);
        match found {
            Some((place, _)) => {
                pairs.extend((next..place).map(|added| (None, Some(added))));
                pairs.push((Some(at), Some(place)));
                next = place + 1;
            }
            None => pairs.push((Some(at), None)),
        }
    }
    pairs.extend((next..new.len()).map(|added| (None, Some(added))));
    pairs
}

fn steps(from: &[&Step], to: &[&Step], same: &mut usize) -> Vec<StepDiff> {
    let key = |step: &&Step| (step.call.clone(), step.canonical());
    let keys = |steps: &[&Step]| steps.iter().map(key).collect::<Vec<_>>();
    let (old_keys, new_keys) = (keys(from), keys(to));
    let (blocks, unchanged) = blocks(&old_keys, &new_keys);
    *same += unchanged;
    let refer = |step: &Step| StepRef {
        number: step.number,
        call: step.call.clone(),
        label: step.label.clone(),
    };
    let moved = |is: bool| {
        if is {
            "moved".to_owned()
        } else {
            String::new()
        }
    };
    let mut found = Vec::new();
    for (old, new) in blocks {
        let olds = from.get(old).unwrap_or_default();
        let news = to.get(new).unwrap_or_default();
        for (old, new) in pairs(olds, news, |step| subject(step)) {
            let old = old.and_then(|at| olds.get(at));
            let new = new.and_then(|at| news.get(at));
            let (change, what, actions) = match (old, new) {
                (Some(old), Some(new)) => (
                    Change::Changed,
                    changed_actions(new, old),
                    actions(&old.actions, &new.actions),
                ),
                (Some(old), None) => (
                    Change::Removed,
                    moved(new_keys.contains(&key(old))),
                    Vec::new(),
                ),
                (None, Some(new)) => (
                    Change::Added,
                    moved(old_keys.contains(&key(new))),
                    Vec::new(),
                ),
                (None, None) => continue,
            };
            found.push(StepDiff {
                change,
                from: old.map(|step| refer(step)),
                to: new.map(|step| refer(step)),
                what,
                actions,
            });
        }
    }
    found
}

/// What a step is about, so that the same one is found again when it has changed.
fn subject(step: &Step) -> String {
    let first = step.actions.first();
    let about = match step.call.as_str() {
        // One step of the distro's module has many operations, of which the first is by chance.
        "bootstrap" | "install" | "remove" | "upgrade" | "dracut" => String::new(),
        _ => first.map(|action| of_op(&action.op)).unwrap_or_default(),
    };
    format!("{} {about}", step.call)
}

fn of_op(op: &Op) -> String {
    match op {
        Op::Run(run) => run.command.program(),
        Op::Export(export) => export.name.clone(),
        other => {
            // Every other operation is on a path, or has none.
            let value = serde_json::to_value(other).unwrap_or_default();
            let path = value.get("path").or_else(|| value.get("from"));
            path.and_then(Value::as_str).unwrap_or_default().to_owned()
        }
    }
}

fn kind(op: &Op) -> String {
    let value = serde_json::to_value(op).unwrap_or_default();
    let kind = value.get("op").and_then(Value::as_str).unwrap_or_default();
    format!("{kind} {}", of_op(op))
}

fn actions(from: &[Action], to: &[Action]) -> Vec<ActionDiff> {
    // As `Step::canonical` has them.
    let key =
        |action: &Action| serde_json::to_string(&(&action.op, &action.only_if)).unwrap_or_default();
    let keys = |actions: &[Action]| actions.iter().map(key).collect::<Vec<_>>();
    let mut found = Vec::new();
    for (old, new) in blocks(&keys(from), &keys(to)).0 {
        let olds = from.get(old).unwrap_or_default();
        let news = to.get(new).unwrap_or_default();
        for (old, new) in pairs(olds, news, |action| kind(&action.op)) {
            let old = old.and_then(|at| olds.get(at));
            let new = new.and_then(|at| news.get(at));
            let (change, fields) = match (old, new) {
                (Some(old), Some(new)) => (Change::Changed, fields(old, new)),
                (Some(_), None) => (Change::Removed, Vec::new()),
                _ => (Change::Added, Vec::new()),
            };
            found.push(ActionDiff {
                change,
                from: old.map(|action| action.op.clone()),
                to: new.map(|action| action.op.clone()),
                fields,
            });
        }
    }
    found
}

/// The fields of two operations that differ: `argv`, `env.LC_ALL`, `content`.
fn fields(from: &Action, to: &Action) -> Vec<Differing> {
    let leaves = |action: &Action| {
        let mut found = BTreeMap::new();
        let op = serde_json::to_value(&action.op).unwrap_or_default();
        leaves("", op, &mut found);
        if let Some(only_if) = &action.only_if {
            found.insert("only_if".to_owned(), only_if.shown().into());
        }
        found
    };
    differences(leaves(from), leaves(to))
}

/// The values in an object, by the way to them; a list is one value.
fn leaves(at: &str, value: Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let at = match at.is_empty() {
                    true => name,
                    false => format!("{at}.{name}"),
                };
                leaves(&at, value, found);
            }
        }
        other => {
            found.insert(at.to_owned(), other);
        }
    }
}
