//! The types that built-ins give to scripts.

use rhai::{Dynamic, Engine, ImmutableString};

use crate::plan::{Command, Part, RootId, Text};
use crate::recipe::current_session::CurrentSession;

/// A root of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootRef {
    pub id: RootId,
}

/// Text in which parts stand for something else: a secret, a root's path, a keyring.
#[derive(Clone, Debug)]
pub struct Typed {
    pub text: Text,
    /// The root that [`Part::Root`] in it means; see [`one_root`].
    pub root: Option<RootId>,
}

impl Typed {
    pub fn of(part: Part) -> Self {
        Typed {
            text: Text::of(part),
            root: None,
        }
    }

    pub fn concat(self, other: Typed) -> Self {
        Typed {
            text: self.text.concat(other.text),
            root: [self.root, other.root]
                .into_iter()
                .flatten()
                .reduce(one_root),
        }
    }
}

/// The root that both are, or [`RootId::MAX`], which is none: `Call::of_root` refuses that.
pub fn one_root(one: RootId, other: RootId) -> RootId {
    match one == other {
        true => one,
        false => RootId::MAX,
    }
}

/// A command of a script: what `script` returns.
#[derive(Clone, Debug)]
pub struct CommandValue {
    pub command: Command,
    /// The root whose path is in it; see [`Typed::root`].
    pub root: Option<RootId>,
}

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
pub const ROOT_PROPERTIES: &[&str] = &["name", "distro", "release", "arch", "path"];

pub fn register(engine: &mut Engine, current: &CurrentSession) {
    engine.register_type_with_name::<RootRef>("Root");
    for name in ["name", "distro", "release", "arch"] {
        let read = move |root: &crate::plan::Root| match name {
            "name" => root.name.clone(),
            "distro" => root.distro.clone(),
            "release" => root.release.clone(),
            _ => root.arch.clone(),
        };
        let current = current.clone();
        engine.register_get(name, move |root: &mut RootRef| -> Dynamic {
            let root = of(&current, *root);
            root.map_or(Dynamic::UNIT, |root| read(&root).into())
        });
    }
    let named = current.clone();
    engine.register_fn("to_string", move |root: &mut RootRef| -> String {
        of(&named, *root).map(|root| root.name).unwrap_or_default()
    });

    engine.register_get("path", |root: &mut RootRef| Typed {
        text: Text::of(Part::Root {}),
        root: Some(root.id),
    });

    engine.register_type_with_name::<Typed>("Text");
    engine
        .register_fn("+", |a: Typed, b: ImmutableString| a.concat(unmark(&b)))
        .register_fn("+", |a: ImmutableString, b: Typed| unmark(&a).concat(b))
        .register_fn("+", Typed::concat)
        // Interpolation in backticks; the engine would swallow an error of this.
        .register_fn("to_string", |typed: &mut Typed| mark(typed))
        .register_fn("to_debug", |typed: &mut Typed| typed.text.to_string());
    engine.register_type_with_name::<CommandValue>("Script");

    engine.register_type_with_name::<Fetched>("Fetched");
    engine.register_fn("to_string", |file: &mut Fetched| file.url.clone());

    engine.register_type_with_name::<ExportRef>("Export");
    engine.register_get("name", |export: &mut ExportRef| export.name.clone());
    engine.register_fn("to_string", |export: &mut ExportRef| export.name.clone());
}

fn of(current: &CurrentSession, root: RootRef) -> Option<crate::plan::Root> {
    let session = current.session()?;
    session.plan.borrow().root(root.id).cloned()
}

/// What stands around a part in a string of the script, where backticks have made one of it:
/// two characters of a private-use plane, that no text has a reason to hold. A seal follows, so
/// that only an interpolation makes such strings: a plain string always means itself.
const MARKS: (char, char) = ('\u{f5ec0}', '\u{f5ec1}');

/// A text as a string of the script.
fn mark(typed: &Typed) -> String {
    let piece = |part: &Part| match part {
        Part::Literal(text) => text.clone(),
        part => {
            // Maps with string keys and no floats: this cannot fail.
            let data = serde_json::to_string(&(Text::of(part.clone()), typed.root));
            let data = data.unwrap_or_default();
            format!("{}{data}:{:016x}{}", MARKS.0, seal(&data), MARKS.1)
        }
    };
    typed.text.parts().iter().map(piece).collect()
}

/// What nobody knows to write beside a part, in this process.
fn seal(data: &str) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    static KEYS: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);
    KEYS.hash_one(data)
}

/// The part of a marked piece.
fn sealed(piece: &str) -> Option<Typed> {
    let (data, written) = piece.rsplit_once(':')?;
    if u64::from_str_radix(written, 16) != Ok(seal(data)) {
        return None;
    }
    let (text, root) = serde_json::from_str(data).ok()?;
    Some(Typed { text, root })
}

/// A string of the script as a text, its marked pieces as parts.
pub fn unmark(text: &str) -> Typed {
    let literal = |text: &str| Typed {
        text: Text::from(text),
        root: None,
    };
    let mut pieces = text.split(MARKS.0);
    let first = literal(pieces.next().unwrap_or_default());
    pieces.fold(first, |typed, piece| match piece.split_once(MARKS.1) {
        Some((marked, rest)) => typed
            .concat(sealed(marked).unwrap_or_else(|| literal(marked)))
            .concat(literal(rest)),
        None => typed.concat(literal(piece)),
    })
}

/// Whether a string of the script holds a part that stands for something else.
pub fn is_marked(text: &str) -> bool {
    text.contains([MARKS.0, MARKS.1])
}
