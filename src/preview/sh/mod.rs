//! The plan as a bash script that makes the same root by hand.
//!
//! It is for reading as much as for running: each step is its commands, and the functions
//! above them hold what every such command needs.

mod export;
mod header;
mod input;
mod keyrings;
mod nspawn;
mod ops;
mod prelude;

use self::ops::{Emitter, comment};
use super::shell_words::word;
use super::text::place;
use crate::plan::{Op, Plan, Root, RootId};

/// The environment variable from which a script, and a build, takes a secret:
/// `root-password` is in `ROOTWRIGHT_SECRET_ROOT_PASSWORD`.
pub fn secret_variable(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
            _ => '_',
        })
        .collect();
    format!("ROOTWRIGHT_SECRET_{name}")
}

/// The script.
pub fn sh(plan: &Plan) -> String {
    let mut script = Emitter::default();
    keyrings::write(&mut script, plan);
    steps(&mut script, plan);
    leftovers(&mut script, plan);

    script.helpers.insert("base");
    let helpers = prelude::closure(&script.helpers);
    let mut tools = header::needs(plan);
    let mut also = |name: &str, why: &str| {
        if !tools.iter().any(|(tool, _)| tool == name) {
            tools.push((name.to_owned(), why.to_owned()));
        }
    };
    also("unshare", "gives the script namespaces of its own");
    let containers = script.offline || script.online || script.containers;
    if containers {
        also("systemd-nspawn", "runs commands inside of the root");
    }
    for helper in &helpers {
        for (tool, why) in helper.tools() {
            also(tool, why);
        }
    }
    if script.helpers.contains("export") {
        also("tar", "packs exports");
    }
    for tool in &script.compressors {
        also(tool, "writes exports");
    }

    let mut out = header::comments(plan);
    out.push_str(&header::checks(plan, &tools));
    out.push('\n');
    out.push_str(&header::entrance(containers || !plan.keyrings.is_empty()));
    for helper in &helpers {
        out.push('\n');
        out.push_str(helper.source());
    }
    for network in [false, true] {
        if if network {
            script.online
        } else {
            script.offline
        } {
            out.push('\n');
            out.push_str(&nspawn::definition(network));
        }
    }
    out.push_str(&script.out);
    out
}

fn steps(script: &mut Emitter, plan: &Plan) {
    let fresh: Vec<&Root> = plan
        .roots
        .iter()
        .filter(|root| root.base.is_none())
        .collect();
    if !fresh.is_empty() {
        script.line("");
    }
    for root in &fresh {
        script.line(&format!("mkdir -- {}", directory(plan, root)));
    }
    let mut current = None;
    forks(script, plan, None, &mut current);
    for step in &plan.steps {
        let mut title = format!("Step {}: {}", step.number, step.label.replace('\n', " "));
        let place = place(&step.calls);
        if !place.is_empty() {
            title.push('\n');
            title.push_str(&place);
        }
        script.line("");
        script.line(&format!("# {}", "-".repeat(ops::WIDTH - 2)));
        script.out.push_str(&comment(&title, ""));
        // What only looks at an export needs no root.
        let mut actions = step.actions.iter();
        let used = actions.any(|action| !matches!(action.op, Op::ExpectBoot(_)));
        enter(script, plan, step.root.filter(|_| used), &mut current);
        script.line(&format!(
            "step {} {}",
            step.number,
            word(&step.label.replace('\n', " "))
        ));
        script.step(plan, step);
        forks(script, plan, Some(step.number), &mut current);
    }
}

fn enter(script: &mut Emitter, plan: &Plan, root: Option<RootId>, current: &mut Option<RootId>) {
    let Some(root) = root.and_then(|id| plan.root(id)) else {
        return;
    };
    if *current != Some(root.id) {
        script.line(&format!("ROOT={}", directory(plan, root)));
        *current = Some(root.id);
    }
}

/// Copies the roots that are forked after a step, or before the first. A root that is
/// forked before its base's first step follows the base at once.
fn forks(script: &mut Emitter, plan: &Plan, after: Option<usize>, current: &mut Option<RootId>) {
    let first = plan.steps.iter().map(|step| step.number).min().unwrap_or(0);
    for root in &plan.roots {
        let Some(base) = &root.base else { continue };
        let due = match after {
            None => base.after_step < first,
            // Steps are counted over the whole plan, so every number comes along.
            Some(number) => base.after_step == number,
        };
        if !due {
            continue;
        }
        let Some(from) = plan.root(base.root) else {
            continue;
        };
        script.line("");
        script.out.push_str(&comment(
            &format!("{} is forked from {}.", root.name, from.name),
            "",
        ));
        enter(script, plan, Some(from.id), current);
        script.line(&format!("mkdir -- {}", directory(plan, root)));
        script.line(&format!(
            "cp --archive --preserve=xattr --reflink=auto -- \"$ROOT/.\" {}",
            directory(plan, root)
        ));
    }
}

/// Roots of a plan without an export would be thrown away with the scratch directory.
fn leftovers(script: &mut Emitter, plan: &Plan) {
    if !script.exported.is_empty() || plan.roots.is_empty() {
        return;
    }
    script.line("");
    script.comment("The recipe exports nothing, so the roots themselves are what is made.");
    script.line("current='putting the roots in place'");
    for root in &plan.roots {
        let name = name(plan, root);
        script.line(&format!(
            "[[ ! -e $OUT/{name} ]] || die \"$OUT/{name} is there already\""
        ));
    }
    for root in &plan.roots {
        let name = name(plan, root);
        script.line(&format!("mv -T -- \"$work/{name}\" \"$OUT/{name}\""));
        script.line(&format!("printf 'made %s\\n' \"$OUT/{name}\" >&2"));
    }
}

/// A root's directory, as a word of the script.
fn directory(plan: &Plan, root: &Root) -> String {
    format!("\"$work/{}\"", name(plan, root))
}

/// A root's name as the name of a directory that no other root has.
fn name(plan: &Plan, root: &Root) -> String {
    let safe = |root: &Root| -> String {
        let name: String = root
            .name
            .chars()
            .map(|c| match c {
                c if c.is_ascii_alphanumeric() || "._-".contains(c) => c,
                _ => '_',
            })
            .collect();
        match name.trim_start_matches(['.', '-']) {
            "" => "root".to_owned(),
            name => name.to_owned(),
        }
    };
    let name = safe(root);
    let shared = plan
        .roots
        .iter()
        .any(|other| other.id != root.id && safe(other) == name);
    if shared {
        format!("{name}-{}", root.id)
    } else {
        name
    }
}
