//! Roots beyond their bootstrap: branches, and the archives that their packages are from.

use rhai::Dynamic;

use super::{Access, Builtin, RootRef};
use crate::plan::{Archive, Base, Root};
use crate::script::args::{Call, Outcome};

pub static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "fork",
        params: &["root", "name"],
        optional: 0,
        access: Access::Everyone,
        doc: "Makes a branch of a root: it has all that the root has now, and goes on by itself.

Branches share the layers of their base, and are built side by side. The base can go on,
too. The name has to be one that no other root of the recipe has.",
        example: r#"let base = bootstrap(#{ distro: "debian", release: "bookworm" });
for role in ["web", "db"] {
    let node = base.fork(role);
    node.write_file("/etc/role", role + "\n");
}"#,
        run: fork,
    },
    Builtin {
        name: "archive",
        params: &["root", "archive"],
        optional: 0,
        access: Access::Stdlib,
        doc: "Names an archive that the root's packages come from.

The fields: `name`, `url` (of the file that says the archive's state), `state` (a regular
expression for the lines of it that decide what packages there are), `date` (one whose
first group is the archive's date: RFC 2822, or seconds since 1970).",
        example: "",
        run: archive,
    },
    Builtin {
        name: "uses_archives",
        params: &["root"],
        optional: 0,
        access: Access::Stdlib,
        doc: "Says that the step takes packages from the root's archives: its layer is as old as they were.",
        example: "",
        run: uses_archives,
    },
];

fn fork(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let name = call.text(1)?;
    if call.session.step_is_open() {
        return Err(call.report(
            "fork_in_step",
            "`fork` cannot be called inside of another built-in",
        ));
    }
    let mut plan = call.session.plan.borrow_mut();
    let id = plan.roots.len();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        let report = call.report("root_name", format!("`{name}` is no name for a root"));
        return Err(Box::new(report.help("letters, digits, `.`, `_` and `-`")));
    }
    if plan.roots.iter().any(|root| root.name == name) {
        let message = format!("there is a root of the name `{name}` already");
        let report = call.report("root_name", message);
        return Err(Box::new(report.help("give the branch a name of its own")));
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
    let archives: Vec<Archive> = plan
        .archives
        .iter()
        .filter(|archive| archive.root == root)
        .map(|archive| Archive {
            root: id,
            ..archive.clone()
        })
        .collect();
    plan.archives.extend(archives);
    let mut facts = call.session.facts.borrow_mut();
    let inherited: Vec<_> = facts
        .iter()
        .filter(|((of, _), _)| *of == root)
        .map(|((_, name), value)| ((id, name.clone()), value.clone()))
        .collect();
    facts.extend(inherited);
    Ok(Dynamic::from(RootRef { id }))
}

fn archive(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let fields = call.fields(1)?;
    let archive = Archive {
        root,
        name: fields.required_text("name")?,
        url: fields.required_text("url")?,
        state: fields.required_text("state")?,
        date: fields.required_text("date")?,
    };
    fields.finish()?;
    let mut plan = call.session.plan.borrow_mut();
    if !plan.archives.contains(&archive) {
        plan.archives.push(archive);
    }
    Ok(Dynamic::UNIT)
}

fn uses_archives(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let mut plan = call.session.plan.borrow_mut();
    let places: Vec<usize> = plan
        .archives
        .iter()
        .enumerate()
        .filter(|(_, archive)| archive.root == root)
        .map(|(place, _)| place)
        .collect();
    if call.session.step_is_open()
        && let Some(step) = plan.steps.last_mut()
    {
        step.archives.extend(places);
        step.archives.sort_unstable();
        step.archives.dedup();
    }
    Ok(Dynamic::UNIT)
}
