//! Built-ins that a distro's module or another module of the stdlib carries out.

use std::rc::Rc;

use rhai::{CallFnOptions, Dynamic, Scope};

use super::{Access, Builtin, RootRef};
use crate::diagnose::Report;
use crate::plan::{self, Root, RootId};
use crate::recipe::args::{Call, Outcome};
use crate::recipe::boundary::{self, Home};
use crate::recipe::session::STDLIB;
use crate::recipe::source::Script;
use crate::recipe::spans::Step;
use crate::recipe::stdlib::Stdlib;
use crate::recipe::{error, loader, nearest};

pub static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "bootstrap",
        params: &["spec"],
        optional: 0,
        access: Access::Everyone,
        doc: include_str!("doc/bootstrap.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });"#,
        run: bootstrap,
    },
    Builtin {
        name: "install",
        params: &["root", "packages", "opts"],
        optional: 1,
        access: Access::Everyone,
        doc: include_str!("doc/install.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.install(["openssh-server"]);"#,
        run: |call| with_packages(call, "install"),
    },
    Builtin {
        name: "remove",
        params: &["root", "packages", "opts"],
        optional: 1,
        access: Access::Everyone,
        doc: include_str!("doc/remove.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.remove(["nano"]);"#,
        run: |call| with_packages(call, "remove"),
    },
    Builtin {
        name: "upgrade",
        params: &["root", "opts"],
        optional: 1,
        access: Access::Everyone,
        doc: include_str!("doc/upgrade.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.upgrade();"#,
        run: upgrade,
    },
    Builtin {
        name: "dracut",
        params: &["root", "spec"],
        optional: 1,
        access: Access::Everyone,
        doc: include_str!("doc/dracut.md"),
        example: r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.install(["linux-image-amd64", "dracut"]);
root.dracut(#{ add: ["bash"] });"#,
        run: dracut,
    },
];

fn bootstrap(call: &Call<'_>) -> Outcome<Dynamic> {
    let fields = call.fields(0)?;
    let distro = fields.required_text("distro")?;
    let name = fields.text("name")?;
    let name = name.unwrap_or_else(|| unused_name(call, &distro));
    let file = module_of(call, &distro).map_err(|report| {
        if report.code != "script::unknown_distro" {
            return report;
        }
        let mut report = *report;
        report.trace = call.chain();
        let focused = fields.refuse("distro", &report.code, report.message.clone());
        Box::new(Report {
            focus: focused.focus,
            label: focused.label,
            ..report
        })
    })?;
    let mut spec = call.map(0)?;
    spec.remove("distro");
    spec.remove("name");
    let id = {
        let mut plan = call.session.plan.borrow_mut();
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
    let access = plan::Access::Bootstrap {
        distro: distro.clone(),
    };
    call.requires(Some(id), access);
    let root = Dynamic::from(RootRef { id });
    let label = || format!("bootstrap {distro}");
    call.session
        .step(Some(id), "bootstrap", label, &call.chain(), || {
            call_module(call, &file, "bootstrap", vec![root.clone(), spec.into()]).map(drop)
        })?;
    relabel(call, id);
    Ok(root)
}

/// The release is known only after the distro's module has read the spec.
fn relabel(call: &Call<'_>, id: RootId) {
    let mut plan = call.session.plan.borrow_mut();
    let Some(root) = plan.root(id).cloned() else {
        return;
    };
    if let Some(step) = plan
        .steps
        .last_mut()
        .filter(|step| step.call == "bootstrap")
    {
        let name = format!("{} {}", root.distro, root.release);
        step.label = format!("bootstrap {}, {}", name.trim_end(), root.arch);
    }
}

fn unused_name(call: &Call<'_>, distro: &str) -> String {
    let plan = call.session.plan.borrow();
    let same = plan
        .roots
        .iter()
        .filter(|root| root.distro == distro)
        .count();
    if same == 0 {
        distro.to_owned()
    } else {
        format!("{distro}-{}", same + 1)
    }
}

fn with_packages(call: &Call<'_>, function: &str) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let packages = call.strings(1)?;
    let opts = call.map(2)?;
    if packages.is_empty() {
        let report = call.refuse(
            1,
            "no_packages",
            format!("`{function}` has no packages to {function}"),
        );
        return Err(Box::new(
            report.help("name one, or leave the call out with `if`"),
        ));
    }
    for (index, package) in packages.iter().enumerate() {
        let blank = package.chars().any(|c| c.is_whitespace() || c.is_control());
        let cure = if package.is_empty() {
            "leave the empty name out"
        } else if package.starts_with('-') {
            "options of the package manager are fields of the last argument: `#{ recommends: true }`"
        } else if blank {
            "each package is a string of its own: `[\"a\", \"b\"]`"
        } else {
            continue;
        };
        let place = [Step::Argument(1), Step::Item(index)];
        let message = format!("`{}` is no package's name", package.escape_debug());
        let report = call.refuse_at(&place, "package_name", message);
        return Err(Box::new(report.help(cure)));
    }
    let label = || format!("{function} {}", packages.join(", "));
    let names: rhai::Array = packages.iter().map(|p| p.clone().into()).collect();
    call.session
        .step(Some(root), function, label, &call.chain(), || {
            call_distro(call, root, function, vec![names.into(), opts.into()])
        })
}

fn upgrade(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let opts = call.map(1)?;
    let label = || "upgrade all packages".to_owned();
    call.session
        .step(Some(root), "upgrade", label, &call.chain(), || {
            call_distro(call, root, "upgrade", vec![opts.into()])
        })
}

fn dracut(call: &Call<'_>) -> Outcome<Dynamic> {
    let root = call.root(0)?;
    let spec = call.map(1)?;
    let label = || "initramfs with dracut".to_owned();
    call.session
        .step(Some(root), "dracut", label, &call.chain(), || {
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
) -> Outcome<Dynamic> {
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
) -> Outcome<Dynamic> {
    let distro = call
        .session
        .plan
        .borrow()
        .root(root)
        .map(|root| root.distro.clone())
        .unwrap_or_default();
    let file = module_of(call, &distro)?;
    if function == "bootstrap" {
        call.requires(Some(root), plan::Access::Bootstrap { distro });
    }
    let mut all = vec![Dynamic::from(RootRef { id: root })];
    all.extend(arguments);
    call_module(call, &file, function, all)
}

/// The file of a distro's module, compiled: of the recipe's repository before the stdlib's.
fn module_of(call: &Call<'_>, distro: &str) -> Outcome<String> {
    let importer = call.session.plan.borrow().recipe.path.clone();
    let found =
        loader::find(call.session, &importer, &format!("distro/{distro}")).map_err(|_| {
            let known: Vec<String> = Stdlib::new(call.session.settings.stdlib.clone())
                .list("distro")
                .iter()
                .filter_map(|path| {
                    path.strip_prefix("distro/")?
                        .strip_suffix(".rhai")
                        .map(str::to_owned)
                })
                .collect();
            let report = call.report("unknown_distro", format!("there is no distro `{distro}`"));
            Box::new(match nearest(distro, known.iter().map(String::as_str)) {
                Some(near) => report.help(format!("did you mean `{near}`?")),
                None => report.help(format!(
                    "there is {}; a recipe repository can bring its own `distro/{distro}.rhai`",
                    known.join(", ")
                )),
            })
        })?;
    load(call, &found)?;
    Ok(found.file.clone())
}

fn load(call: &Call<'_>, script: &Rc<Script>) -> Outcome<()> {
    if call.session.compiled.borrow().contains_key(&script.file) {
        return Ok(());
    }
    call.session.add_script(script);
    loader::compile(call.context.engine(), call.session, &script.file)
        .map(|_| ())
        .map_err(|mut reports| Box::new(reports.swap_remove(0)))
}

/// Calls a function of a compiled module, in an engine call of its own.
fn call_module(
    call: &Call<'_>,
    file: &str,
    function: &str,
    mut arguments: Vec<Dynamic>,
) -> Outcome<Dynamic> {
    let compiled = call.session.compiled.borrow().get(file).cloned();
    let Some(ast) = compiled else {
        return Err(call.report("unknown_module", format!("`{file}` is not loaded")));
    };
    let arities: Vec<usize> = ast
        .iter_functions()
        .filter(|found| found.name == function)
        .map(|found| found.params.len())
        .collect();
    if !arities.contains(&arguments.len()) {
        let parameters = match arguments.len() {
            1 => "1 parameter".to_owned(),
            count => format!("{count} parameters"),
        };
        let report = call.report(
            "distro_lacks",
            format!("`{file}` has no function `{function}` with {parameters}"),
        );
        return Err(Box::new(
            report.help("docs/distros.md says what a distro module brings"),
        ));
    }
    for argument in &mut arguments {
        boundary::attach(argument, &|| Home::of(call.context.global_runtime_state()));
    }
    let chain = call.chain();
    // The module's own top level runs again: its constants and imports belong to the call.
    let options = CallFnOptions::new().eval_ast(true).rewind_scope(true);
    let mut scope = Scope::new();
    let result = call.session.below(chain.clone(), file, || {
        call.context
            .engine()
            .call_fn_with_options::<Dynamic>(
                options,
                &mut scope,
                &ast,
                function,
                std::mem::take(&mut arguments),
            )
            .map_err(|error| {
                // What the module's function was called as is the engine's own frame.
                let error = match *error {
                    rhai::EvalAltResult::ErrorInFunctionCall(_, _, inner, position)
                        if position.is_none() =>
                    {
                        *inner
                    }
                    other => other,
                };
                error::report(call.session, error, file, chain)
            })
    });
    result.map(|mut value| {
        if let Some(home) = call.session.ended.take() {
            boundary::attach(&mut value, &|| home.clone());
        }
        value
    })
}
