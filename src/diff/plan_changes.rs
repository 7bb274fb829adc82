//! Two plans, step by step: what a change of a recipe, of its options or of the stdlib
//! comes to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use strum::IntoEnumIterator;

use super::step_changes::changed_actions;
use crate::plan::{Action, Op, Plan, Root, Step};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
    Changed,
}

impl Change {
    /// By which of the two sides there is.
    pub fn of<T>(from: Option<T>, to: Option<T>) -> Change {
        match (from, to) {
            (None, Some(_)) => Change::Added,
            (Some(_), None) => Change::Removed,
            _ => Change::Changed,
        }
    }
}

/// What stands before something that changed.
pub fn mark(change: Change) -> char {
    match change {
        Change::Added => '+',
        Change::Removed => '-',
        Change::Changed => '~',
    }
}

/// `1 added, 2 changed`
pub fn counts(changes: impl Iterator<Item = Change>) -> String {
    let mut counts: BTreeMap<Change, usize> = BTreeMap::new();
    for change in changes {
        *counts.entry(change).or_default() += 1;
    }
    let words = counts
        .iter()
        .map(|(change, count)| format!("{count} {change}"));
    words.collect::<Vec<_>>().join(", ")
}

/// What differs between two plans; all of it empty where nothing does. Places in scripts
/// and labels are not compared: they change nothing in a root.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PlanDiff {
    /// Every list is in it, the empty ones too.
    #[serde(flatten)]
    pub lists: BTreeMap<List, Vec<Differing>>,
    pub roots: Vec<RootDiff>,
    /// Steps that are the same in both.
    pub same_steps: usize,
}

/// What a plan has beside its steps, each a list of values by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::EnumIter)]
#[serde(rename_all = "snake_case")]
pub enum List {
    Options,
    /// The commits of libraries.
    Libraries,
    /// What the evaluations looked at beside the scripts.
    Inputs,
    Assumptions,
    /// Outputs of commands that the evaluations captured.
    Captures,
    /// Programs and files that the host must have.
    Needs,
    /// Where packages come from, by root and name.
    Repositories,
    /// The fingerprints of keys, by what is signed with them.
    Keys,
    /// What is installed unchecked, and why.
    Capabilities,
}

impl List {
    fn of(self, plan: &Plan) -> BTreeMap<String, Value> {
        fn named<'a, T: 'a, V: Into<Value>>(
            list: impl IntoIterator<Item = &'a T>,
            named: impl Fn(&'a T) -> (String, V),
        ) -> BTreeMap<String, Value> {
            let list = list.into_iter().map(named);
            list.map(|(name, value)| (name, value.into())).collect()
        }
        match self {
            List::Options => named(&plan.options, |one| (one.name.clone(), one.value.clone())),
            List::Libraries => named(&plan.libraries, |one| {
                (one.name.clone(), one.commit.clone())
            }),
            List::Inputs => {
                let mut found = named(&plan.inputs, |one| (one.name(), one.value()));
                found.extend(named(&plan.files, |file| {
                    (format!("file {}", file.name), file.digest.clone())
                }));
                found
            }
            List::Assumptions => named(&plan.assumptions, |one| {
                (one.what.clone(), format!("{} ({})", one.value, one.from))
            }),
            List::Captures => named(&plan.captures, |one| {
                (one.command.shown(), one.captured.output())
            }),
            List::Needs => named(&plan.needs, |need| (need.name.clone(), need.why.clone())),
            List::Repositories => named(&plan.repositories, |one| {
                let root = plan.root(one.root).map_or("", |root| root.name.as_str());
                (format!("{root} {}", one.name), one.url.clone())
            }),
            List::Keys => named(&plan.keyrings, |one| match one.fingerprints.is_empty() {
                // Its name tells what is in it.
                true => (one.about.clone(), one.name.clone()),
                false => (one.about.clone(), one.fingerprints.join(" ")),
            }),
            List::Capabilities => named(&plan.capabilities, |one| (one.access.to_string(), true)),
        }
    }
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
        let lists = List::iter().map(|list| (list, differences(list.of(from), list.of(to))));
        PlanDiff {
            lists: lists.collect(),
            roots: roots(from, to, &mut same_steps),
            same_steps,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.lists.values().all(Vec::is_empty) && self.roots.is_empty()
    }
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
        let change = Change::of(old, new);
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
    let mut roots = plan.roots.iter();
    roots.find(|root| Some(root.name.as_str()) == name)
}

fn facts(plan: &Plan, root: &Root) -> BTreeMap<String, Value> {
    let base = root.base.as_ref().and_then(|base| plan.root(base.root));
    let facts = [
        ("distro", root.distro.as_str()),
        ("release", &root.release),
        ("arch", &root.arch),
        ("base", base.map_or("", |base| &base.name)),
    ];
    facts
        .map(|(name, value)| (name.to_owned(), value.into()))
        .into()
}

fn steps_of<'a>(plan: &'a Plan, name: Option<&str>) -> Vec<&'a Step> {
    let of = |step: &&Step| {
        let root = step.root.and_then(|id| plan.root(id));
        root.map(|root| root.name.as_str()) == name
    };
    plan.steps.iter().filter(of).collect()
}

/// An item as it was and as it is.
type Pair<'a, T> = (Option<&'a T>, Option<&'a T>);

/// What differs between two lists, in order, and how many items do not: those with the same
/// key. Of the others, one that is about the same as another has become that.
fn pairs<'a, T, K: std::hash::Hash + Ord>(
    from: &'a [T],
    to: &'a [T],
    key: impl Fn(&T) -> K,
    about: impl Fn(&T) -> String,
) -> (Vec<Pair<'a, T>>, usize) {
    let keys = |items: &[T]| items.iter().map(&key).collect::<Vec<K>>();
    let (mut pairs, mut same) = (Vec::new(), 0);
    // What stands on either side between two stretches that are the same.
    let (mut olds, mut news) = (0..0, 0..0);
    let mut ops = capture_diff_slices(Algorithm::Myers, &keys(from), &keys(to));
    ops.push(DiffOp::Equal {
        old_index: from.len(),
        new_index: to.len(),
        len: 0,
    });
    for op in ops {
        let (old, new) = (op.old_range(), op.new_range());
        let DiffOp::Equal { len, .. } = op else {
            continue;
        };
        same += len;
        (olds.end, news.end) = (old.start, new.start);
        let mut added = to.get(news).unwrap_or_default();
        for one in from.get(olds).unwrap_or_default() {
            let subject = about(one);
            match added.iter().position(|other| about(other) == subject) {
                Some(at) => {
                    let (before, rest) = added.split_at(at);
                    pairs.extend(before.iter().map(|new| (None, Some(new))));
                    pairs.push((Some(one), rest.first()));
                    added = rest.get(1..).unwrap_or_default();
                }
                None => pairs.push((Some(one), None)),
            }
        }
        pairs.extend(added.iter().map(|new| (None, Some(new))));
        (olds, news) = (old.end..old.end, new.end..new.end);
    }
    (pairs, same)
}

fn steps(from: &[&Step], to: &[&Step], same: &mut usize) -> Vec<StepDiff> {
    let key = |step: &&Step| (step.call.clone(), step.canonical());
    let keys = |steps: &[&Step]| steps.iter().map(key).collect::<BTreeSet<_>>();
    let (old_keys, new_keys) = (keys(from), keys(to));
    let (pairs, unchanged) = pairs(from, to, key, |step| subject(step));
    *same += unchanged;
    let refer = |step: &&Step| StepRef {
        number: step.number,
        call: step.call.clone(),
        label: step.label.clone(),
    };
    let moved = |is: bool| if is { "moved" } else { "" }.to_owned();
    let diff = |(old, new): Pair<'_, &Step>| StepDiff {
        change: Change::of(old, new),
        from: old.map(refer),
        to: new.map(refer),
        what: match (old, new) {
            (Some(old), Some(new)) => changed_actions(new, old),
            (Some(old), None) => moved(new_keys.contains(&key(old))),
            (None, new) => moved(new.is_some_and(|new| old_keys.contains(&key(new)))),
        },
        actions: match (old, new) {
            (Some(old), Some(new)) => actions(&old.actions, &new.actions),
            _ => Vec::new(),
        },
    };
    pairs.into_iter().map(diff).collect()
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
    let diff = |(old, new): Pair<'_, Action>| ActionDiff {
        change: Change::of(old, new),
        from: old.map(|action| action.op.clone()),
        to: new.map(|action| action.op.clone()),
        fields: old
            .zip(new)
            .map_or_else(Vec::new, |(old, new)| fields(old, new)),
    };
    let (pairs, _) = pairs(from, to, key, |action| kind(&action.op));
    pairs.into_iter().map(diff).collect()
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
