//! The types that built-ins give to scripts.

use rhai::{Dynamic, Engine, ImmutableString};

use crate::plan::{Part, RootId, Text};
use crate::recipe::current::Seat;

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

/// An export of the plan, by its name.
#[derive(Clone, Debug)]
pub struct ExportRef {
    pub name: String,
}

/// What a recipe may ask a root.
pub const ROOT_PROPERTIES: &[&str] = &["name", "distro", "release", "arch"];

pub fn register(engine: &mut Engine, seat: &Seat) {
    engine.register_type_with_name::<RootRef>("Root");
    for &name in ROOT_PROPERTIES {
        let read = move |root: &crate::plan::Root| match name {
            "name" => root.name.clone(),
            "distro" => root.distro.clone(),
            "release" => root.release.clone(),
            _ => root.arch.clone(),
        };
        let seat = seat.clone();
        engine.register_get(name, move |root: &mut RootRef| -> Dynamic {
            let root = of(&seat, *root);
            root.map_or(Dynamic::UNIT, |root| read(&root).into())
        });
    }
    let named = seat.clone();
    engine.register_fn("to_string", move |root: &mut RootRef| -> String {
        of(&named, *root).map(|root| root.name).unwrap_or_default()
    });

    engine.register_type_with_name::<Secret>("Secret");
    engine
        .register_fn("+", |a: Secret, b: ImmutableString| {
            Secret(a.0.concat(unmark(&b)))
        })
        .register_fn("+", |a: ImmutableString, b: Secret| {
            Secret(unmark(&a).concat(b.0))
        })
        .register_fn("+", |a: Secret, b: Secret| Secret(a.0.concat(b.0)))
        // Interpolation in backticks; the engine would swallow an error of this.
        .register_fn("to_string", |secret: &mut Secret| mark(&secret.0))
        .register_fn("to_debug", |secret: &mut Secret| secret.0.to_string());

    engine.register_type_with_name::<Fetched>("Fetched");
    engine.register_fn("to_string", |file: &mut Fetched| file.url.clone());

    engine.register_type_with_name::<ExportRef>("Export");
    engine.register_get("name", |export: &mut ExportRef| export.name.clone());
    engine.register_fn("to_string", |export: &mut ExportRef| export.name.clone());
}

fn of(seat: &Seat, root: RootRef) -> Option<crate::plan::Root> {
    let session = seat.session()?;
    session.plan.borrow().root(root.id).cloned()
}

/// What stands around a secret's name in a string of the script: two characters of a
/// private-use plane, that no text has a reason to hold. A seal follows the name, so that
/// only `secret` makes such strings: a library needs a grant for that.
const MARKS: (char, char) = ('\u{f5ec0}', '\u{f5ec1}');

/// A text as a string of the script; secrets stand in it by name, between marks.
fn mark(text: &Text) -> String {
    text.parts()
        .iter()
        .map(|part| match part {
            Part::Plain(text) => text.clone(),
            Part::Secret(name) => format!("{}{name}:{:016x}{}", MARKS.0, seal(name), MARKS.1),
        })
        .collect()
}

/// What nobody knows to write beside a name, in this process.
fn seal(name: &str) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    static KEYS: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    KEYS.hash_one(name)
}

/// The name of a marked piece.
fn sealed(piece: &str) -> Option<&str> {
    let (name, written) = piece.rsplit_once(':')?;
    (u64::from_str_radix(written, 16) == Ok(seal(name))).then_some(name)
}

/// A string of the script as a text, marked names as secrets.
pub fn unmark(text: &str) -> Text {
    let mut pieces = text.split(MARKS.0);
    let first = Text::from(pieces.next().unwrap_or_default());
    pieces.fold(first, |text, piece| match piece.split_once(MARKS.1) {
        Some((marked, rest)) => {
            let text = match sealed(marked) {
                Some(name) => text.concat(Text::secret(name)),
                None => text.concat(Text::from(marked)),
            };
            text.concat(Text::from(rest))
        }
        None => text.concat(Text::from(piece)),
    })
}

/// Whether a string of the script holds a secret.
pub fn is_marked(text: &str) -> bool {
    text.contains([MARKS.0, MARKS.1])
}
