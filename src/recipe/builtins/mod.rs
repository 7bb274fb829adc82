//! The built-ins: one registry, from which calls, checks before evaluation, "did you
//! mean" and the reference all come.

/// The rows of a family: who may call it, its name and its parameters, those in brackets
/// optional, and what runs, with the root where the first parameter is one. `doc/NAME.md`
/// documents it.
macro_rules! builtins {
    ($($access:ident $name:ident($($param:ident),* $(, [$optional:ident])*) => $run:expr,)*) => {
        &[$(super::Registered {
            builtin: super::Builtin {
                name: stringify!($name),
                params: &[$(stringify!($param),)* $(stringify!($optional)),*],
                optional: <[&str]>::len(&[$(stringify!($optional)),*]),
                access: super::Access::$access,
                doc: include_str!(concat!("doc/", stringify!($name), ".md")),
            },
            run: builtins!(@run [$($param)*] $run),
        }),*]
    };
    (@run [root $($param:ident)*] $run:expr) => { |call| $run(call, call.root(0)?) };
    (@run [$($param:ident)*] $run:expr) => { $run };
}

mod boot;
mod capture;
mod distros;
mod export;
mod facts;
mod files;
mod lint;
mod messages;
mod options;
mod packages;
mod revision;
mod roots;
mod run;
mod signing;
mod values;

use crate::recipe::reports::{self, RaisedReport};
use std::any::TypeId;

use rhai::{Dynamic, Engine};

use super::args::{Call, Result};
use super::current_session::CurrentSession;
use crate::diagnose::Report;

pub use super::builtin::{Access, Builtin, parameters};
pub use options::check_given as check_given_options;
pub use values::{
    CommandValue, ExportRef, Fetched, ROOT_PROPERTIES, RootRef, Typed, is_marked, one_root, unmark,
};

/// A built-in with what runs.
#[derive(Debug)]
pub struct Registered {
    pub builtin: Builtin,
    run: fn(&Call<'_>) -> Result<Dynamic>,
}

/// Built-ins of one kind, as the reference has them together.
#[derive(Debug)]
pub struct Family {
    pub title: &'static str,
    pub builtins: &'static [Registered],
}

/// Every family, in the order of the reference.
pub fn families() -> &'static [Family] {
    const fn family(title: &'static str, builtins: &'static [Registered]) -> Family {
        Family { title, builtins }
    }
    static FAMILIES: &[Family] = &[
        family("Options", options::BUILTINS),
        family("Roots and packages", packages::BUILTINS),
        family("Distros", distros::BUILTINS),
        family("Signatures", signing::BUILTINS),
        family("Branches", roots::BUILTINS),
        family("Exports", export::BUILTINS),
        family("Boots", boot::BUILTINS),
        family("Commands", run::BUILTINS),
        family("Files", files::BUILTINS),
        family("Values of the build", capture::BUILTINS),
        family("Messages, errors and arguments", messages::BUILTINS),
        family("Lints", lint::BUILTINS),
        family("Origin", revision::BUILTINS),
        family("Facts", facts::BUILTINS),
    ];
    FAMILIES
}

/// Every built-in, family by family.
pub fn all() -> &'static [&'static Builtin] {
    use std::sync::LazyLock;
    static ALL: LazyLock<Vec<&'static Builtin>> = LazyLock::new(|| {
        let families = families().iter();
        let registered = families.flat_map(|family| family.builtins);
        registered.map(|one| &one.builtin).collect()
    });
    &ALL
}

pub fn find(name: &str) -> Option<&'static Builtin> {
    all().iter().find(|builtin| builtin.name == name).copied()
}

/// Makes every built-in, and the types they give, known to the engine.
pub fn register(engine: &mut Engine, current: &CurrentSession) {
    values::register(engine, current);
    for Registered { builtin, run } in families().iter().flat_map(|family| family.builtins) {
        for arguments in builtin.params.len() - builtin.optional..=builtin.params.len() {
            let current = current.clone();
            let types = vec![TypeId::of::<Dynamic>(); arguments];
            engine.register_raw_fn(builtin.name, types, move |context, args| {
                // An array or a map may be the script's own variable: take a copy.
                let args = args.iter().map(|arg| arg.flatten_clone()).collect();
                let Some(session) = current.session() else {
                    let message = format!("`{}` is called outside of a recipe", builtin.name);
                    return Err(RaisedReport::raise(reports::no_session(message)));
                };
                let call = Call::new(&session, &context, builtin, args);
                let outcome = match refused(&call) {
                    Some(report) => Err(report),
                    None => run(&call),
                };
                outcome.map_err(RaisedReport::raise)
            });
        }
    }
}

/// Why the built-in is not for whoever calls it.
fn refused(call: &Call<'_>) -> Option<Report> {
    let name = call.builtin.name;
    let recipe = || call.plan().recipe.path == call.file();
    let (code, whose) = match call.builtin.access {
        Access::Stdlib if !call.is_from_stdlib() => ("stdlib_only", "modules of the stdlib"),
        Access::Modules if recipe() => ("modules_only", "modules, such as a distro's"),
        _ => return None,
    };
    let report = call.report(code, format!("`{name}` is for {whose}"));
    Some(report.help("what a recipe needs of the host is an option of the recipe"))
}
