//! The types that built-ins give to scripts.

use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString};

use crate::diagnose::Report;
use crate::plan::{RootId, Text};
use crate::script::fault::Fault;
use crate::script::session::Session;

/// A root of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootRef {
    pub id: RootId,
}

/// Text with at least one secret in it. It goes where a text goes that the plan can hold
/// by name: contents of files, environments, standard input.
#[derive(Clone, Debug)]
pub struct Secret(pub Text);

/// A file of the network, known by its digest.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub url: String,
    pub sha256: String,
}

pub fn register(engine: &mut Engine, session: &Rc<Session>) {
    engine.register_type_with_name::<RootRef>("Root");
    for (name, read) in [
        ("name", (|root| root.name.clone()) as fn(&crate::plan::Root) -> String),
        ("distro", |root| root.distro.clone()),
        ("release", |root| root.release.clone()),
        ("arch", |root| root.arch.clone()),
    ] {
        let session = Rc::clone(session);
        engine.register_get(name, move |root: &mut RootRef| -> Dynamic {
            session
                .plan
                .borrow()
                .root(root.id)
                .map_or(Dynamic::UNIT, |root| read(root).into())
        });
    }
    let named = Rc::clone(session);
    engine.register_fn("to_string", move |root: &mut RootRef| -> String {
        named
            .plan
            .borrow()
            .root(root.id)
            .map(|root| root.name.clone())
            .unwrap_or_default()
    });

    engine.register_type_with_name::<Secret>("Secret");
    engine
        .register_fn("+", |a: Secret, b: ImmutableString| Secret(a.0.concat(Text::from(b.as_str()))))
        .register_fn("+", |a: ImmutableString, b: Secret| Secret(Text::from(a.as_str()).concat(b.0)))
        .register_fn("+", |a: Secret, b: Secret| Secret(a.0.concat(b.0)))
        .register_fn("to_string", refuse_secret)
        .register_fn("to_debug", refuse_secret);

    engine.register_type_with_name::<Fetched>("Fetched");
    engine.register_fn("to_string", |file: &mut Fetched| file.url.clone());
}

/// A secret in a plain string would be lost from sight.
fn refuse_secret(_: &mut Secret) -> Result<ImmutableString, Box<EvalAltResult>> {
    Err(Fault::raise(
        Report::new("script::secret_in_text", "a secret cannot be put into a plain string")
            .help("join it with `+`: `\"password=\" + secret(\"name\")`, as the content of a file, standard input or a value of `env`"),
    ))
}
