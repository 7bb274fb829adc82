//! Roots beyond their bootstrap: branches, and the archives that their packages are from.

use std::collections::BTreeMap;
use std::path::Path;

use rhai::Dynamic;

use super::RootRef;
use crate::diagnose::{Frame, Origin, Span, innermost_origin, own_calls};
use crate::plan::{
    Action, Argument, Base, Check, Op, PathPurpose, Plan, Repository, Root, RootId, Step, Want,
};
use crate::recipe::args::{Call, Result, is_name};
use crate::recipe::plan_builder::add_new;
use crate::recipe::shape;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone fork(root, name) => fork,
    Modules archive(root, archive) => archive,
    Modules uses_archives(root) => uses_archives,
    Modules package_source(root, path) => package_source,
    Modules check_before(root, check) => check_before,
    Modules wanted(root, names) => wanted,
];

fn fork(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let name = call.text(1)?;
    if call.session.plan.step_is_open() {
        return Err(call.report(
            "fork_in_step",
            "`fork` cannot be called inside of another built-in",
        ));
    }
    let mut plan = call.plan_mut();
    let id = plan.roots.len();
    if !is_name(&name, "._-") {
        let report = call.refuse(1, "root_name", format!("`{name}` is no name for a root"));
        return Err(report.help("a name has letters, digits, `.`, `_` and `-`"));
    }
    if plan.roots.iter().any(|root| root.name == name) {
        let message = format!("there is a root of the name `{name}` already");
        let report = call.refuse(1, "root_name", message);
        return Err(report.help("give the branch a name of its own"));
    }
    let Some(base) = plan.root(root).cloned() else {
        return Err(call.report("root_name", "the root of this branch is gone"));
    };
    let after_step = plan.steps.len();
    plan.roots.push(Root {
        id,
        name,
        base: Some(Base { root, after_step }),
        ..base
    });
    // What modules know of the base holds for the branch, and its archives are its own.
    let mut archives = plan.repositories.clone();
    archives.retain(|archive| archive.root == root);
    archives.iter_mut().for_each(|archive| archive.root = id);
    plan.repositories.extend(archives);
    let mut facts = call.session.plan.facts.borrow_mut();
    let inherited: Vec<_> = facts
        .iter()
        .filter(|((of, ..), _)| *of == root)
        .map(|((_, owner, name), value)| ((id, owner.clone(), name.clone()), value.clone()))
        .collect();
    facts.extend(inherited);
    Ok(Dynamic::from(RootRef { id }))
}

fn archive(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let fields = call.fields(1)?;
    let archive = Repository {
        root,
        name: fields.required_text("name")?,
        url: fields.required_text("url")?,
        state: fields.required_text("state")?,
        date: fields.required_text("date")?,
        proxy: fields.text("proxy")?,
    };
    let addresses = [
        ("url", Some(&archive.url)),
        ("proxy", archive.proxy.as_ref()),
    ];
    for (field, address) in addresses {
        if let Some((message, help)) = address.and_then(|address| shape::credentials(address)) {
            return Err(fields.refuse(field, "unsafe_text", message).help(help));
        }
    }
    fields.finish()?;
    add_new(&mut call.plan_mut().repositories, archive);
    Ok(Dynamic::UNIT)
}

/// A folder of the host that packages are installed from: a path, or an address `file:///…`.
fn package_source(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let path = call.path(1)?;
    let path = match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    };
    call.requires_path(Some(root), &path, PathPurpose::PackageSource);
    let mut plan = call.plan_mut();
    if let Some(root) = plan.roots.get_mut(root) {
        add_new(&mut root.package_sources, path);
    }
    Ok(Dynamic::UNIT)
}

fn check_before(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    call.of_root(1, root)?;
    let fields = call.fields(1)?;
    let mut env = BTreeMap::new();
    for (name, value) in fields.texts("env")? {
        let Some(value) = Argument::new(value) else {
            let report = fields.refuse("env", "secret_place", "a check gets no secrets");
            return Err(report.help("leave the secret out"));
        };
        env.insert(name, value);
    }
    let command = fields.command("command")?;
    let command = command.ok_or_else(|| fields.missing("command"))?;
    super::run::requires_host(call, Some(root), &command);
    let check = Check {
        root,
        about: fields.required_text("about")?,
        command,
        env,
        sources: fields.strings("sources")?.unwrap_or_default(),
        wants: Vec::new(),
        calls: call.chain(),
    };
    fields.finish()?;
    call.plan_mut().checks.push(check);
    Ok(Dynamic::UNIT)
}

fn wanted(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let names = call.strings(1)?;
    // What modules of the stdlib call on the way is of no interest to who made a mistake.
    let calls = own_calls(&call.chain());
    let mut plan = call.plan_mut();
    // A branch's packages come from where its base's do.
    let mut lineage = vec![root];
    while let Some(base) = lineage
        .last()
        .and_then(|id| plan.root(*id)?.base.as_ref())
        .map(|base| base.root)
        .filter(|base| !lineage.contains(base))
    {
        lineage.push(base);
    }
    let Plan { steps, checks, .. } = &mut *plan;
    let earlier = steps.split_last().map_or(&[][..], |(_, earlier)| earlier);
    for check in checks {
        if check.sources.is_empty() || !lineage.contains(&check.root) {
            continue;
        }
        let after = earlier.iter().find(|step| {
            let of_lineage = step.root.is_some_and(|root| lineage.contains(&root));
            of_lineage && may_add_sources(step, &check.sources)
        });
        for name in &names {
            if check.wants.iter().any(|want| want.name == *name) {
                continue;
            }
            let last = calls.last();
            check.wants.push(Want {
                name: name.clone(),
                calls: calls.clone(),
                after: after.map(|step| step.number),
                literal: last.and_then(|frame| literal(call, &frame.span, name)),
            });
        }
    }
    Ok(Dynamic::UNIT)
}

/// Whether a step of the recipe's own may have added sources of packages: a command can do
/// anything, a file tells by its path.
fn may_add_sources(step: &Step, sources: &[String]) -> bool {
    // What a module of the stdlib runs adds none but through `add_repository`.
    let own =
        |calls: &[Frame]| innermost_origin(calls).is_some_and(|origin| origin != Origin::Stdlib);
    let runs = |action: &Action| match action.calls.is_empty() {
        true => own(&step.calls),
        false => own(&action.calls),
    };
    let mut actions = step.actions.iter();
    actions.any(|action| action.op.run().is_some() && runs(action))
        || step.actions.iter().any(|action| {
            let path = match &action.op {
                Op::WriteFile(file) => &file.path,
                Op::AppendFile(file) => &file.path,
                Op::EditFile(file) => &file.path,
                Op::CopyIn(copy) => &copy.path,
                Op::Symlink(link) => &link.path,
                Op::MovePath(path) => &path.to,
                _ => return false,
            };
            // A tree that is copied to a folder above may bring one.
            let below = |a: &str, b: &str| Path::new(a).starts_with(b);
            step.call != "bootstrap"
                && sources
                    .iter()
                    .any(|source| below(path, source) || below(source, path))
        })
}

/// Where `name` stands as a string, in the call at `span` or after it.
fn literal(call: &Call<'_>, span: &Span, name: &str) -> Option<Span> {
    let scan = call.session.modules.scan(&span.file)?;
    let start = scan.byte_at(span.start)?;
    let at = start + scan.text.get(start..)?.find(&format!("\"{name}\""))?;
    Some(scan.span(&span.file, &(at..at + name.len() + 2)))
}

fn uses_archives(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let mut plan = call.plan_mut();
    let archives = plan.repositories.iter().enumerate();
    let own = archives.filter(|(_, archive)| archive.root == root);
    let places: Vec<usize> = own.map(|(place, _)| place).collect();
    if call.session.plan.step_is_open()
        && let Some(step) = plan.steps.last_mut()
    {
        step.repositories.extend(places);
        step.repositories.sort_unstable();
        step.repositories.dedup();
    }
    Ok(Dynamic::UNIT)
}
