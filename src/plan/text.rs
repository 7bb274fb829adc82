//! Text in which a part may stand for something that is known only when a step runs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Source;

/// A piece of a [`Text`] or an [`Argument`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Means itself, whatever it holds.
    Literal(String),
    /// The path at which the step's root is mounted, for commands of the host.
    Root,
    /// The path of a keyring, by its name in [`Plan::keyrings`](super::Plan::keyrings).
    Keyring(String),
    /// The path of an input file, by its digest in [`Plan::files`](super::Plan::files).
    File(String),
    /// The path of a downloaded file, by its SHA-256 in
    /// [`Plan::downloads`](super::Plan::downloads).
    Download(String),
    /// The value of a secret, by its name.
    Secret(String),
}

/// Text for the contents of a file, an environment variable, or standard input. In JSON: a
/// plain string, or an array of strings and objects such as `{"secret": NAME}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text {
    parts: Vec<Part>,
}

/// A word of a command line: a [`Text`] without secrets, which every process of the host
/// could read there.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Text")]
pub struct Argument(Text);

/// What the parts of a text stand for while a step runs.
pub trait Resolve {
    /// # Errors
    /// When the part has no meaning here: a secret without a value, a file that is absent.
    fn resolve(&self, part: &Part) -> Result<String, Unresolved>;
}

/// A part that stands for nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} has no value here")]
pub struct Unresolved(pub Part);

impl Text {
    pub fn of(part: Part) -> Self {
        let mut text = Text::default();
        text.push(part);
        text
    }

    pub fn secret(name: impl Into<String>) -> Self {
        Text::of(Part::Secret(name.into()))
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The text if it means itself: no part stands for something else.
    pub fn plain(&self) -> Option<Cow<'_, str>> {
        match self.parts.as_slice() {
            [] => Some(Cow::Borrowed("")),
            [Part::Literal(text)] => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    /// The names of the secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Secret(name) => Some(name.as_str()),
            _ => None,
        })
    }

    #[must_use]
    pub fn concat(mut self, other: Text) -> Text {
        for part in other.parts {
            self.push(part);
        }
        self
    }

    pub fn push(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (_, Part::Literal(text)) if text.is_empty() => {}
            (Some(Part::Literal(last)), Part::Literal(text)) => last.push_str(&text),
            (_, part) => self.parts.push(part),
        }
    }

    /// The text as it is while a step runs.
    ///
    /// # Errors
    /// See [`Resolve`].
    pub fn resolve(&self, with: &dyn Resolve) -> Result<String, Unresolved> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                part => out.push_str(&with.resolve(part)?),
            }
        }
        Ok(out)
    }
}

impl Argument {
    pub fn of(part: Part) -> Option<Self> {
        Argument::new(Text::of(part))
    }

    /// `None` if a secret is in the text.
    pub fn new(text: Text) -> Option<Self> {
        let secret = text.secrets().next().is_some();
        (!secret).then_some(Argument(text))
    }

    pub fn text(&self) -> &Text {
        &self.0
    }

    pub fn parts(&self) -> &[Part] {
        &self.0.parts
    }

    /// See [`Text::plain`].
    pub fn plain(&self) -> Option<Cow<'_, str>> {
        self.0.plain()
    }

    /// See [`Text::resolve`].
    ///
    /// # Errors
    /// See [`Resolve`].
    pub fn resolve(&self, with: &dyn Resolve) -> Result<String, Unresolved> {
        self.0.resolve(with)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text::of(Part::Literal(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::from(text.to_owned())
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Argument(text.into())
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Argument(text.into())
    }
}

/// For people: `$ROOT`, `<secret NAME>`.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Literal(text) => f.write_str(text),
            Part::Root => f.write_str("$ROOT"),
            Part::Keyring(name) => write!(f, "<keyring {name}>"),
            Part::File(digest) => write!(f, "<file {}>", digest.get(..12).unwrap_or(digest)),
            Part::Download(digest) => {
                write!(f, "<download {}>", digest.get(..12).unwrap_or(digest))
            }
            Part::Secret(name) => write!(f, "<secret {name}>"),
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| part.fmt(f))
    }
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A part in JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PartData {
    Literal(String),
    Marked(Marked),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Marked {
    Root {},
    Keyring(String),
    File(String),
    Download(String),
    Secret(String),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextData {
    Plain(String),
    Parts(Vec<PartData>),
}

impl From<&Part> for PartData {
    fn from(part: &Part) -> Self {
        PartData::Marked(match part {
            Part::Literal(text) => return PartData::Literal(text.clone()),
            Part::Root => Marked::Root {},
            Part::Keyring(name) => Marked::Keyring(name.clone()),
            Part::File(digest) => Marked::File(digest.clone()),
            Part::Download(digest) => Marked::Download(digest.clone()),
            Part::Secret(name) => Marked::Secret(name.clone()),
        })
    }
}

impl From<PartData> for Part {
    fn from(data: PartData) -> Self {
        match data {
            PartData::Literal(text) => Part::Literal(text),
            PartData::Marked(Marked::Root {}) => Part::Root,
            PartData::Marked(Marked::Keyring(name)) => Part::Keyring(name),
            PartData::Marked(Marked::File(digest)) => Part::File(digest),
            PartData::Marked(Marked::Download(digest)) => Part::Download(digest),
            PartData::Marked(Marked::Secret(name)) => Part::Secret(name),
        }
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.plain() {
            return serializer.serialize_str(&text);
        }
        serializer.collect_seq(self.parts.iter().map(PartData::from))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match TextData::deserialize(deserializer)? {
            TextData::Plain(text) => Text::from(text),
            TextData::Parts(parts) => {
                let mut text = Text::default();
                for part in parts {
                    text.push(part.into());
                }
                text
            }
        })
    }
}

impl TryFrom<Text> for Argument {
    type Error = &'static str;

    fn try_from(text: Text) -> Result<Self, Self::Error> {
        Argument::new(text).ok_or("an argument holds no secrets")
    }
}

fn schema(secrets: bool) -> Schema {
    let mut kinds = vec![
        json_schema!({ "type": "string" }),
        marked("root", json_schema!({ "type": "object" })),
        marked("keyring", json_schema!({ "type": "string" })),
        marked("file", json_schema!({ "type": "string" })),
        marked("download", json_schema!({ "type": "string" })),
    ];
    kinds.extend(secrets.then(|| marked("secret", json_schema!({ "type": "string" }))));
    json_schema!({
        "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "anyOf": kinds } }
        ]
    })
}

fn marked(name: &str, value: Schema) -> Schema {
    json_schema!({
        "type": "object", "properties": { name: value },
        "required": [name], "additionalProperties": false
    })
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(true)
    }
}

impl JsonSchema for Argument {
    fn schema_name() -> Cow<'static, str> {
        "Argument".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(false)
    }
}

/// What a step uses beyond its root, by name or digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Names {
    /// Of [`Plan::keyrings`](super::Plan::keyrings).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub keyrings: BTreeSet<String>,
    /// Digests in [`Plan::files`](super::Plan::files).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub files: BTreeSet<String>,
    /// SHA-256 in [`Plan::downloads`](super::Plan::downloads).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub downloads: BTreeSet<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
}

impl Names {
    pub fn is_empty(&self) -> bool {
        *self == Names::default()
    }

    pub fn add_source(&mut self, source: &Source) {
        let (names, name) = match source {
            Source::File(digest) => (&mut self.files, digest),
            Source::Download(digest) => (&mut self.downloads, digest),
            Source::Keyring(name) => (&mut self.keyrings, name),
        };
        names.insert(name.clone());
    }

    pub fn add(&mut self, text: &Text) {
        for part in &text.parts {
            match part {
                Part::Literal(_) | Part::Root => {}
                Part::Keyring(name) => drop(self.keyrings.insert(name.clone())),
                Part::File(digest) => drop(self.files.insert(digest.clone())),
                Part::Download(digest) => drop(self.downloads.insert(digest.clone())),
                Part::Secret(name) => drop(self.secrets.insert(name.clone())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_and_serializes_by_name() {
        let text = Text::from("password=")
            .concat(Text::secret("root"))
            .concat(Text::from("\n"));
        assert_eq!(text.to_string(), "password=<secret root>\n");
        let json = serde_json::to_string(&text).unwrap();
        assert_eq!(json, r#"["password=",{"secret":"root"},"\n"]"#);
        assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text);
        assert!(text.plain().is_none());
    }

    #[test]
    fn a_string_means_itself() {
        for text in ["$ROOT", "<secret root>", "{\"root\":{}}", "@STAGE@"] {
            let argument = Argument::from(text);
            assert_eq!(argument.plain().as_deref(), Some(text));
            let json = serde_json::to_string(&argument).unwrap();
            assert_eq!(serde_json::from_str::<Argument>(&json).unwrap(), argument);
        }
    }

    #[test]
    fn an_argument_holds_no_secret() {
        assert!(Argument::new(Text::secret("root")).is_none());
        assert!(serde_json::from_str::<Argument>(r#"[{"secret":"root"}]"#).is_err());
        let root = serde_json::from_str::<Argument>(r#"["--root=",{"root":{}}]"#).unwrap();
        assert_eq!(root.to_string(), "--root=$ROOT");
    }
}
