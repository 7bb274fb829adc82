//! The plan as a bash script that makes the same root by hand.
//!
//! It is for reading as much as for running: each step is its commands, and the functions
//! above them, which are the same for every script (`runtime.sh`), do what every such command
//! needs. What a script can't do is refused, with one exception: it leaves out boots of
//! exports, which change nothing, and says so.

mod commands;
mod export;
mod header;
mod keyrings;
mod pattern;
mod runtime;
mod script;
mod steps;
mod text_pieces;

use self::script::{Script, WIDTH, comment};
use super::shell_words::{fold, word};
use super::text::place;
use crate::diagnose::Report;
use crate::plan::command::{Mode, in_quotes};
use crate::plan::{Op, Plan, Root, RootId};

/// The script.
///
/// # Errors
/// A report for everything that no script can do: exports of the formats `ext4` and `oci`,
/// and patterns that Perl does not have.
pub fn sh(plan: &Plan) -> Result<String, Vec<Report>> {
    let mut script = Script::new(plan);
    keyrings::write(&mut script);
    steps(&mut script, plan);
    leftovers(&mut script, plan);
    if !script.refused.is_empty() {
        return Err(script.refused);
    }

    if !header::secret_variables(plan).is_empty() {
        script.uses("load_secret");
    }
    let runtime = runtime::used(&script.calls);
    let mut tools = header::needs(plan);
    let mut also = |name: &str, why: &str| {
        if !tools.iter().any(|(tool, _)| tool == name) {
            tools.push((name.to_owned(), why.to_owned()));
        }
    };
    also("unshare", "gives the script namespaces of its own");
    let containers: Vec<String> = containers(&runtime.source);
    if !containers.is_empty() {
        also("systemd-nspawn", "runs commands inside the root");
    }
    for (tool, why) in runtime.tools {
        also(tool, why);
    }
    for tool in &script.export_tools {
        also(tool, "writes exports");
    }

    let mut out = header::comments(plan);
    out.push_str(&runtime.source);
    out.push('\n');
    out.push_str(&header::checks(plan, &tools));
    containers.iter().for_each(|line| out.push_str(line));
    out.push_str(&script.out);
    Ok(out)
}

/// How systemd-nspawn is called, for the functions of the runtime that do.
fn containers(runtime: &str) -> Vec<String> {
    [
        ("nspawn_command", Mode::Command),
        ("nspawn_boot", Mode::Boot),
    ]
    .into_iter()
    .filter(|(name, _)| runtime.contains(&format!("${{{name}[@]}}")))
    .map(|(name, mode)| {
        // With a comma, shellcheck takes a bare word for several.
        let word = |flag: &String| match flag.contains(',') {
            true => in_quotes(flag),
            false => word(flag),
        };
        let words: Vec<String> = mode.argv().iter().map(word).collect();
        let lines = fold(&words, 4, WIDTH, "    ");
        let lines = lines.iter().map(|line| line.trim_end_matches(" \\"));
        let lines: Vec<String> = lines
            .map(|line| format!("    {}", line.trim_start()))
            .collect();
        format!("\n{name}=(\n{}\n)\n", lines.join("\n"))
    })
    .collect()
}

fn steps(script: &mut Script<'_>, plan: &Plan) {
    let fresh = plan.roots.iter().filter(|root| root.base.is_none());
    let fresh: Vec<&Root> = fresh.collect();
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
        script.line(&format!("# {}", "-".repeat(WIDTH - 2)));
        script.out.push_str(&comment(&title, ""));
        // What only looks at an export needs no root.
        let mut actions = step.actions.iter();
        let used = actions.any(|action| !matches!(action.op, Op::ExpectBoot(_)));
        enter(script, plan, step.root.filter(|_| used), &mut current);
        let label = word(&step.label.replace('\n', " "));
        script.line(&format!("step {} {label}", step.number));
        script.step(step);
        forks(script, plan, Some(step.number), &mut current);
    }
}

fn enter(script: &mut Script<'_>, plan: &Plan, root: Option<RootId>, current: &mut Option<RootId>) {
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
fn forks(script: &mut Script<'_>, plan: &Plan, after: Option<usize>, current: &mut Option<RootId>) {
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
        script.comment(&format!("{} is forked from {}.", root.name, from.name));
        enter(script, plan, Some(from.id), current);
        let to = directory(plan, root);
        script.line(&format!("mkdir -- {to}"));
        let copy = "cp --archive --preserve=xattr --reflink=auto --";
        script.line(&format!("{copy} \"$ROOT/.\" {to}"));
    }
}

/// Roots of a plan without an export would be thrown away with the scratch directory.
fn leftovers(script: &mut Script<'_>, plan: &Plan) {
    if !script.exported.is_empty() || plan.roots.is_empty() {
        return;
    }
    script.line("");
    script.comment("The recipe exports nothing, so the roots themselves are what is made.");
    script.line("current='putting the roots in place'");
    for root in &plan.roots {
        let name = name(plan, root);
        let exists = format!("die \"$OUT/{name} exists already\"");
        script.line(&format!("[[ ! -e $OUT/{name} ]] || {exists}"));
    }
    script.comment("Nobody but root may run their set-uid programs.");
    script.line("mkdir -p -- \"$OUT/.roots\"");
    script.line("chmod 0700 -- \"$OUT/.roots\"");
    for root in &plan.roots {
        let name = name(plan, root);
        script.line(&format!("mv -T -- \"$work/{name}\" \"$OUT/.roots/{name}\""));
        script.line(&format!("ln -s -- .roots/{} \"$OUT/{name}\"", word(&name)));
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
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let name = root.name.replace(|c: char| !plain(c), "_");
        match name.trim_start_matches(['.', '-']) {
            "" => "root".to_owned(),
            name => name.to_owned(),
        }
    };
    let name = safe(root);
    let mut others = plan.roots.iter().filter(|other| other.id != root.id);
    match others.any(|other| safe(other) == name) {
        true => format!("{name}-{}", root.id),
        false => name,
    }
}
