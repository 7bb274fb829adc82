//! What stdlib modules may know of the host and the site, and what they say of a plan.
//! Everything that is read is noted in the plan as an input.

use std::path::PathBuf;

use rhai::Dynamic;

use crate::diagnose::Origin;
use crate::plan::{Assumption, Input, Need, NeedKind, RootId};
use crate::recipe::args::{Call, Result};
use crate::recipe::plan_builder::add_new;
use crate::recipe::read::small_text;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone host_arch() => host_arch,
    Stdlib host_read(path) => host_read,
    Stdlib host_list(path) => host_list,
    Modules stdlib_text(path) => stdlib_text,
    Modules setting(distro, key) => setting,
    Modules assume(what, value, from) => assume,
    Modules need_file(path, why, packages) => need_file,
    Modules set_fact(root, name, value) => set_fact,
    Modules fact(root, name) => fact,
];

fn host_arch(call: &Call<'_>) -> Result<Dynamic> {
    let arch = call.session.settings.host.arch.clone();
    call.session
        .plan
        .input(Input::HostArchitecture { name: arch.clone() });
    Ok(arch.into())
}

fn host_path(call: &Call<'_>) -> Result<PathBuf> {
    Ok(call.session.settings.host.file(&call.path(0)?))
}

/// Bytes of a host file that a module may read.
const HOST_FILE_BYTES: u64 = 1 << 20;

fn host_read(call: &Call<'_>) -> Result<Dynamic> {
    let path = host_path(call)?;
    let text = small_text(&path, HOST_FILE_BYTES);
    let digest = text
        .as_ref()
        .map(|text| blake3::hash(text.as_bytes()).to_hex().to_string());
    call.session.plan.input(Input::HostFile {
        path: call.text(0)?,
        digest,
    });
    Ok(text.map_or(Dynamic::UNIT, Dynamic::from))
}

fn host_list(call: &Call<'_>) -> Result<Dynamic> {
    let entries = std::fs::read_dir(host_path(call)?)
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    Ok(names.into())
}

fn stdlib_text(call: &Call<'_>) -> Result<Dynamic> {
    let path = call.text(0)?;
    let text = call.session.stdlib().text(&path);
    text.map(Dynamic::from)
        .ok_or_else(|| call.report("stdlib_file", format!("the stdlib has no file `{path}`")))
}

fn setting(call: &Call<'_>) -> Result<Dynamic> {
    let (distro, key) = (call.text(0)?, call.text(1)?);
    let project = &call.session.settings.project;
    let value = project.distro(&distro, &key).map(str::to_owned);
    if let Some(value) = &value {
        call.session.plan.input(Input::Setting {
            distro,
            key,
            value: value.clone(),
        });
    }
    Ok(value.map_or(Dynamic::UNIT, Dynamic::from))
}

fn assume(call: &Call<'_>) -> Result<Dynamic> {
    let assumption = Assumption {
        what: call.text(0)?,
        value: call.text(1)?,
        from: call.text(2)?,
    };
    add_new(&mut call.plan_mut().assumptions, assumption);
    Ok(Dynamic::UNIT)
}

fn need_file(call: &Call<'_>) -> Result<Dynamic> {
    let need = Need {
        kind: NeedKind::File,
        name: call.path(0)?,
        why: call.text(1)?,
        packages: call
            .map(2)?
            .into_iter()
            .filter_map(|(family, package)| Some((family.to_string(), package.into_string().ok()?)))
            .collect(),
        calls: call.chain(),
    };
    let needs = &mut call.plan_mut().needs;
    let mut known = needs.iter();
    if !known.any(|known| known.kind == need.kind && known.name == need.name) {
        needs.push(need);
    }
    Ok(Dynamic::UNIT)
}

/// Whose a fact is: a library sees and sets its own, so that it cannot change what the standard
/// library and the project rely on.
fn owner(call: &Call<'_>) -> String {
    match Origin::of(&call.file()) {
        Origin::Library(name) => name.to_owned(),
        Origin::Stdlib | Origin::Project => String::new(),
    }
}

fn set_fact(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let key = (root, owner(call), call.text(1)?);
    let mut facts = call.session.plan.facts.borrow_mut();
    facts.insert(key, call.arg(2));
    Ok(Dynamic::UNIT)
}

fn fact(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let key = (root, owner(call), call.text(1)?);
    let facts = call.session.plan.facts.borrow();
    Ok(facts.get(&key).cloned().unwrap_or(Dynamic::UNIT))
}
