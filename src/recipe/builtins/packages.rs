//! Built-ins that a distro's module or another module of the stdlib carries out.

use std::rc::Rc;

use rhai::{CallFnOptions, Dynamic, EvalAltResult, Scope};

use super::{Fetched, RootRef};
use crate::diagnose::Report;
use crate::plan::address::without_credentials;
use crate::plan::{self, Root, RootId};
use crate::recipe::args::{Call, Result, STRINGS, as_strings};
use crate::recipe::boundary::{self, Home};
use crate::recipe::loader;
use crate::recipe::session::STDLIB;
use crate::recipe::source::Script;
use crate::recipe::spans::Step;

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone bootstrap(spec) => bootstrap,
    Everyone install(root, packages, [opts]) => with_packages,
    Everyone remove(root, packages, [opts]) => with_packages,
    Everyone upgrade(root, [opts]) => upgrade,
    Everyone dracut(root, [spec]) => dracut,
];

fn bootstrap(call: &Call<'_>) -> Result<Dynamic> {
    let fields = call.fields(0)?;
    let distro = fields.required_text("distro")?;
    let name = fields.text("name")?;
    let name = name.unwrap_or_else(|| unused_name(call, &distro));
    let refuse = |code: &str, message| fields.refuse("distro", code, message);
    let file = module_of(call, &distro, refuse)?;
    let mut spec = call.map(0)?;
    spec.remove("distro");
    spec.remove("name");
    let id = {
        let mut plan = call.plan_mut();
        let id = plan.roots.len();
        plan.roots.push(Root {
            id,
            name,
            distro: distro.clone(),
            release: String::new(),
            arch: call.session.settings.host.arch.clone(),
            machine: None,
            base: None,
            package_sources: Vec::new(),
            allowed: Vec::new(),
        });
        id
    };
    let label = format!("bootstrap {distro}");
    call.requires(Some(id), plan::Access::Bootstrap { distro });
    let root = Dynamic::from(RootRef { id });
    call.step(id, label, || {
        call_module(call, &file, "bootstrap", vec![root.clone(), spec.into()]).map(drop)
    })?;
    relabel(call, id);
    Ok(root)
}

/// The release is known only after the distro's module has read the spec.
fn relabel(call: &Call<'_>, id: RootId) {
    let mut plan = call.plan_mut();
    let Some(root) = plan.root(id).cloned() else {
        return;
    };
    let step = plan.steps.last_mut();
    if let Some(step) = step.filter(|step| step.call == "bootstrap") {
        let name = format!("{} {}", root.distro, root.release);
        step.label = format!("bootstrap {}, {}", name.trim_end(), root.arch);
    }
}

fn unused_name(call: &Call<'_>, distro: &str) -> String {
    let plan = call.plan();
    let same = plan.roots.iter().filter(|root| root.distro == distro);
    match same.count() {
        0 => distro.to_owned(),
        count => format!("{distro}-{}", count + 1),
    }
}

fn with_packages(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let function = call.builtin.name;
    let (packages, files) = match function {
        "install" => names_and_files(call)?,
        _ => (call.strings(1)?, Vec::new()),
    };
    let mut opts = call.map(2)?;
    if opts.contains_key("files") {
        let message = format!("`{function}` has no field `files`");
        let report = call.fields(2)?.refuse("files", "unknown_field", message);
        return Err(report.help("name what `fetch` returns among the packages"));
    }
    if packages.is_empty() && files.is_empty() {
        let message = format!("`{function}` has no packages to {function}");
        let report = call.refuse(1, "no_packages", message);
        return Err(report.help("name one, or leave the call out with `if`"));
    }
    for (index, package) in packages.iter().enumerate() {
        let blank = package.chars().any(|c| c.is_whitespace() || c.is_control());
        let cure = if package.is_empty() {
            "leave the empty name out"
        } else if package.starts_with('-') {
            "options of the package manager are fields of the last argument: `#{ recommends: true }`"
        } else if blank {
            "each package is a string of its own: `[\"a\", \"b\"]`"
        } else if package.contains("://") {
            let shown = without_credentials(package).unwrap_or_else(|| package.clone());
            let message = format!("`{shown}` is an address, and nothing verifies what is there");
            let place = [Step::Argument(1), Step::Item(index)];
            let report = call.refuse_at(&place, "package_url", message);
            return Err(report.help(format!(
                "name the file by its digest: `fetch(\"{shown}\", #{{ sha256: \"…\" }})`"
            )));
        } else {
            continue;
        };
        let place = [Step::Argument(1), Step::Item(index)];
        let message = format!("`{}` is no package's name", package.escape_debug());
        let report = call.refuse_at(&place, "package_name", message);
        return Err(report.help(cure));
    }
    let files_shown = files.iter().map(|file| file.url.clone());
    let shown: Vec<String> = packages.iter().cloned().chain(files_shown).collect();
    let label = format!("{function} {}", shown.join(", "));
    if !files.is_empty() {
        let files: rhai::Array = files.into_iter().map(Dynamic::from).collect();
        opts.insert("files".into(), files.into());
    }
    call.step(root, label, || {
        call_distro(call, root, function, vec![packages.into(), opts.into()])
    })
}

/// The names among the packages of a call, and the files that `fetch` has returned.
fn names_and_files(call: &Call<'_>) -> Result<(Vec<String>, Vec<Fetched>)> {
    let given = call.arg(1);
    let items = match given.clone().into_array() {
        Ok(items) => items,
        Err(_) => vec![given],
    };
    let (files, names): (Vec<Dynamic>, Vec<Dynamic>) =
        items.into_iter().partition(|item| item.is::<Fetched>());
    let names = match files.is_empty() {
        true => call.strings(1)?,
        false => as_strings(&names.into()).ok_or_else(|| call.wrong(1, STRINGS, &call.arg(1)))?,
    };
    let files = files.into_iter().filter_map(Dynamic::try_cast::<Fetched>);
    Ok((names, files.collect()))
}

fn upgrade(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let opts = call.map(1)?;
    call.step(root, "upgrade all packages".to_owned(), || {
        call_distro(call, root, "upgrade", vec![opts.into()])
    })
}

fn dracut(call: &Call<'_>, root: RootId) -> Result<Dynamic> {
    let spec = call.map(1)?;
    call.step(root, "initramfs with dracut".to_owned(), || {
        call_stdlib(call, root, "dracut/dracut", "dracut", spec)
    })
}

/// Calls a function of a stdlib module with a root and a map.
pub fn call_stdlib(
    call: &Call<'_>,
    root: RootId,
    module: &str,
    function: &str,
    spec: rhai::Map,
) -> Result<Dynamic> {
    let found = loader::find(call.session, STDLIB, module)?;
    load(call, &found)?;
    let arguments = vec![Dynamic::from(RootRef { id: root }), spec.into()];
    call_module(call, &found.file, function, arguments)
}

pub fn call_distro(
    call: &Call<'_>,
    root: RootId,
    function: &str,
    arguments: Vec<Dynamic>,
) -> Result<Dynamic> {
    let distro = call.distro(root);
    let file = module_of(call, &distro, |code, message| call.report(code, message))?;
    if function == "bootstrap" {
        call.requires(Some(root), plan::Access::Bootstrap { distro });
    }
    let mut all = vec![Dynamic::from(RootRef { id: root })];
    all.extend(arguments);
    call_module(call, &file, function, all)
}

/// The file of a distro's module, compiled: of the recipe's repository before the stdlib's.
/// `refuse` reports an unknown distro, from a code and a message.
fn module_of(
    call: &Call<'_>,
    distro: &str,
    refuse: impl FnOnce(&str, String) -> Report,
) -> Result<String> {
    let importer = call.plan().recipe.path.clone();
    let module = format!("distro/{distro}");
    let found = loader::find(call.session, &importer, &module).map_err(|_| {
        let known = call.session.stdlib().modules("distro");
        let all = known.join(", ");
        let report = refuse("unknown_distro", format!("there is no distro `{distro}`"));
        report.help_near(
            distro,
            known,
            format!("there is {all}; a recipe repository can bring its own `distro/{distro}.rhai`"),
        )
    })?;
    load(call, &found)?;
    Ok(found.file.clone())
}

fn load(call: &Call<'_>, script: &Rc<Script>) -> Result<()> {
    if call.session.modules.compiled(&script.file).is_some() {
        return Ok(());
    }
    call.session.modules.add(script);
    loader::compile(call.context.engine(), call.session, &script.file)
        .map(|_| ())
        .map_err(|mut reports| reports.swap_remove(0))
}

/// Calls a function of a compiled module, in an engine call of its own.
fn call_module(
    call: &Call<'_>,
    file: &str,
    function: &str,
    mut arguments: Vec<Dynamic>,
) -> Result<Dynamic> {
    let Some(ast) = call.session.modules.compiled(file) else {
        return Err(call.report("unknown_module", format!("`{file}` is not loaded")));
    };
    let mut functions = ast.iter_functions();
    if !functions.any(|it| it.name == function && it.params.len() == arguments.len()) {
        let parameters = match arguments.len() {
            1 => "1 parameter".to_owned(),
            count => format!("{count} parameters"),
        };
        let message = format!("`{file}` has no function `{function}` with {parameters}");
        let report = call.report("distro_lacks", message);
        return Err(report.help("docs/distros.md says what a distro module brings"));
    }
    for argument in &mut arguments {
        boundary::attach(argument, &|| Home::of(call.context.global_runtime_state()));
    }
    // The module's own top level runs again: its constants and imports belong to the call.
    let options = CallFnOptions::new().eval_ast(true).rewind_scope(true);
    let mut scope = Scope::new();
    let engine = call.context.engine();
    let mut value: Dynamic = call.session.evaluate(call.chain(), file, || {
        let result = engine.call_fn_with_options(options, &mut scope, &ast, function, arguments);
        // What the module's function was called as is the engine's own frame.
        result.map_err(|error| match *error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, position) if position.is_none() => {
                inner
            }
            _ => error,
        })
    })?;
    if let Some(home) = call.session.calls.ended.take() {
        boundary::attach(&mut value, &|| home.clone());
    }
    Ok(value)
}
