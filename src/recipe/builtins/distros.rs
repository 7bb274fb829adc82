//! What a root's distro knows of itself, and the upkeep of its packages; all of it is asked of
//! the distro's module.

use rhai::{Dynamic, Map};

use super::packages::call_distro;
use crate::plan::RootId;
use crate::recipe::args::{Call, Result, as_strings, is_name};
use crate::recipe::nearest;
use crate::recipe::type_names::type_words;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone role(root, name) => role,
    Everyone kernels(root) => ask,
    Everyone repositories(root) => ask,
    Everyone add_repository(root, spec) => add_repository,
    Everyone clean(root) => clean,
    Modules distro_call(root, function, [arguments]) => distro_call,
    Modules describe_root(root, facts) => describe_root,
];

fn role(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let name = call.text(1)?;
    let distro = call.distro(root);
    let answer = call_distro(call, root, "roles", Vec::new())?;
    let given = type_words(answer.type_name());
    let Some(roles) = answer.try_cast::<Map>() else {
        let message =
            format!("`roles` of the distro `{distro}` has to give a map, and gives {given}");
        return Err(call.report("roles", message));
    };
    let Some(packages) = roles.get(name.as_str()) else {
        let message = format!("the distro `{distro}` has no role `{name}`");
        let report = call.refuse(1, "unknown_role", message);
        let names: Vec<&str> = roles.keys().map(|key| key.as_str()).collect();
        let all = format!("it has {}", names.join(", "));
        return Err(match nearest(&name, names.iter().copied()) {
            Some(near) => report.help(format!("did you mean `{near}`?")).help(all),
            None => report.help(all),
        });
    };
    let Some(packages) = as_strings(packages) else {
        let given = type_words(packages.type_name());
        let message = format!(
            "the role `{name}` of the distro `{distro}` has to be an array of packages, and is {given}"
        );
        return Err(call.report("roles", message));
    };
    Ok(packages.into())
}

fn ask(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    call_distro(call, root, call.builtin.name, Vec::new())
}

fn add_repository(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let spec = call.map(1)?;
    let name = call.fields(1)?.required_text("name")?;
    if name.starts_with('.') || !is_name(&name, "._-") {
        let message = format!("`{}` is no name for a repository", name.escape_debug());
        let report = call.fields(1)?.refuse("name", "repository_name", message);
        return Err(report.help("it becomes the name of a file: letters, digits, `.`, `_` and `-`"));
    }
    call.step(root, format!("add the repository {name}"), || {
        call_distro(call, root, "add_repository", vec![spec.into()])
    })
}

fn clean(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let label = "remove what the package manager keeps".to_owned();
    call.step(root, label, || call_distro(call, root, "clean", Vec::new()))
}

fn distro_call(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let function = call.text(1)?;
    let arguments = match call.has(2) {
        true => call.array(2)?,
        false => Vec::new(),
    };
    call_distro(call, root, &function, arguments)
}

fn describe_root(call: &Call<'_>, id: RootId) -> Result<Dynamic> {
    let fields = call.fields(1)?;
    let release = fields.text("release")?;
    let arch = fields.text("arch")?;
    let machine = fields.text("machine")?;
    fields.finish()?;
    let mut plan = call.plan_mut();
    if let Some(root) = plan.roots.get_mut(id) {
        root.release = release.unwrap_or_default();
        root.arch = arch.unwrap_or_else(|| root.arch.clone());
        root.machine = machine.filter(|machine| !machine.is_empty());
    }
    Ok(Dynamic::UNIT)
}
