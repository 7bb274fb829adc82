//! Text in which a part may stand for something that is known only when a step runs.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use super::layer::short;

/// A piece of a [`Text`] or an [`Argument`]; in JSON a string, or an object such as
/// `{"secret": NAME}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The path at which the step's root is mounted, for commands of the host.
    Root {},
    /// The path of a keyring, by its name in [`Plan::keyrings`](super::Plan::keyrings).
    Keyring(String),
    /// The path of an input file, by its digest in [`Plan::files`](super::Plan::files).
    File(String),
    /// The path of a downloaded file, by its SHA-256 in
    /// [`Plan::downloads`](super::Plan::downloads).
    Download(String),
    /// The value of a secret, by its name, byte for byte.
    Secret(String),
    /// The value of a secret without the line break at its end, if it has one.
    SecretLine(String),
    /// Means itself, whatever it holds.
    #[serde(untagged)]
    Literal(String),
}

/// Text for the contents of a file, an environment variable, or standard input. In JSON: a
/// plain string, or an array of [`Part`]s.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "TextData")]
pub struct Text {
    parts: Vec<Part>,
}

/// A word of a command line: a [`Text`] without secrets, which every process of the host
/// could read there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text")]
pub struct Argument(Text);

/// What the parts of a text stand for while a step runs. A path is text; a secret is bytes.
pub trait Resolve {
    /// The path that a part stands for; `None` if it stands for none here.
    fn path(&self, part: &Part) -> Option<String>;

    /// The value of a secret; `None` if it has none here.
    fn secret(&self, name: &str) -> Option<&[u8]>;
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
            Part::Secret(name) | Part::SecretLine(name) => Some(name.as_str()),
            _ => None,
        })
    }

    #[must_use]
    pub fn concat(mut self, other: Text) -> Text {
        other.parts.into_iter().for_each(|part| self.push(part));
        self
    }

    pub fn push(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (_, Part::Literal(text)) if text.is_empty() => {}
            (Some(Part::Literal(last)), Part::Literal(text)) => last.push_str(&text),
            (_, part) => self.parts.push(part),
        }
    }

    /// The bytes that the text stands for while a step runs.
    ///
    /// # Errors
    /// When a part stands for nothing here: a secret without a value, a file that is absent.
    pub fn resolve(&self, with: &dyn Resolve) -> Result<Vec<u8>, Unresolved> {
        let mut out = Vec::new();
        for part in &self.parts {
            let unresolved = || Unresolved(part.clone());
            let secret = |name| with.secret(name).ok_or_else(unresolved);
            match part {
                Part::Literal(text) => out.extend(text.as_bytes()),
                Part::Secret(name) => out.extend(secret(name)?),
                Part::SecretLine(name) => {
                    let value = secret(name)?;
                    out.extend(value.strip_suffix(b"\n").unwrap_or(value));
                }
                part => out.extend(with.path(part).ok_or_else(unresolved)?.as_bytes()),
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

    /// The word that it stands for while a step runs.
    ///
    /// # Errors
    /// When a part stands for nothing here; a secret never does.
    pub fn resolve(&self, with: &dyn Resolve) -> Result<String, Unresolved> {
        let mut out = String::new();
        for part in &self.0.parts {
            match part {
                Part::Literal(text) => out.push_str(text),
                part => {
                    let path = with.path(part).ok_or_else(|| Unresolved(part.clone()))?;
                    out.push_str(&path);
                }
            }
        }
        Ok(out)
    }
}

impl Deref for Argument {
    type Target = Text;

    fn deref(&self) -> &Text {
        &self.0
    }
}

impl<S: Into<String>> From<S> for Text {
    fn from(text: S) -> Self {
        Text::of(Part::Literal(text.into()))
    }
}

impl<S: Into<String>> From<S> for Argument {
    fn from(text: S) -> Self {
        Argument(text.into().into())
    }
}

/// For people: `$ROOT`, `<secret NAME>`.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Literal(text) => f.write_str(text),
            Part::Root {} => f.write_str("$ROOT"),
            Part::Keyring(name) => write!(f, "<keyring {name}>"),
            Part::File(digest) => write!(f, "<file {}>", short(digest)),
            Part::Download(digest) => write!(f, "<download {}>", short(digest)),
            Part::Secret(name) | Part::SecretLine(name) => write!(f, "<secret {name}>"),
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

#[derive(Deserialize)]
#[serde(untagged)]
enum TextData {
    Plain(String),
    Parts(Vec<Part>),
}

impl From<TextData> for Text {
    fn from(data: TextData) -> Self {
        match data {
            TextData::Plain(text) => text.into(),
            // Neighbours that mean themselves become one.
            TextData::Parts(parts) => Text::default().concat(Text { parts }),
        }
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.plain() {
            Some(text) => serializer.serialize_str(&text),
            None => self.parts.serialize(serializer),
        }
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
    if secrets {
        let names = ["secret", "secret_line"];
        kinds.extend(names.map(|name| marked(name, json_schema!({ "type": "string" }))));
    }
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

    pub fn add(&mut self, text: &Text) {
        for part in &text.parts {
            let (names, name) = match part {
                Part::Literal(_) | Part::Root {} => continue,
                Part::Keyring(name) => (&mut self.keyrings, name),
                Part::File(digest) => (&mut self.files, digest),
                Part::Download(digest) => (&mut self.downloads, digest),
                Part::Secret(name) | Part::SecretLine(name) => (&mut self.secrets, name),
            };
            names.insert(name.clone());
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

    struct Key(Vec<u8>);

    impl Resolve for Key {
        fn path(&self, part: &Part) -> Option<String> {
            matches!(part, Part::Root {}).then(|| "/r".to_owned())
        }

        fn secret(&self, name: &str) -> Option<&[u8]> {
            (name == "key").then_some(&self.0)
        }
    }

    #[test]
    fn a_secret_is_its_bytes_and_a_line_has_no_break_at_its_end() {
        let line = || Text::of(Part::SecretLine("key".to_owned()));
        for value in [&b"\0\xff\r\n"[..], b"a\nb\n\n", b"a", b"\n", b"\r"] {
            let with = Key(value.to_vec());
            let whole = Text::secret("key").concat("|".into());
            assert_eq!(whole.resolve(&with).unwrap(), [value, b"|"].concat());
            let shorter = value.strip_suffix(b"\n").unwrap_or(value);
            assert_eq!(line().resolve(&with).unwrap(), shorter);
        }
        assert_eq!(line().secrets().collect::<Vec<_>>(), ["key"]);
        assert_eq!(line().to_string(), "<secret key>");
        let json = serde_json::to_string(&line()).unwrap();
        assert_eq!(json, r#"[{"secret_line":"key"}]"#);
        assert!(serde_json::from_str::<Argument>(&json).is_err());
    }

    #[test]
    fn what_has_no_value_is_an_error() {
        let with = Key(b"x".to_vec());
        let missing = Text::secret("other").resolve(&with).unwrap_err();
        assert_eq!(missing.to_string(), "<secret other> has no value here");
        let keyring = Part::Keyring("k".to_owned());
        assert!(Text::of(keyring.clone()).resolve(&with).is_err());
        assert!(Argument::of(keyring).unwrap().resolve(&with).is_err());
        let root = Argument::of(Part::Root {}).unwrap();
        assert_eq!(root.resolve(&with).unwrap(), "/r");
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
