//! Text that may hold secrets, which are known by name until a step runs.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A piece of a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    Plain(String),
    /// The name of a secret.
    Secret(String),
}

/// A string in which secrets stand by name. In JSON: a plain string, or an array of
/// strings and `{"secret": NAME}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text {
    parts: Vec<Part>,
}

impl Text {
    pub fn secret(name: impl Into<String>) -> Self {
        Text {
            parts: vec![Part::Secret(name.into())],
        }
    }

    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The text, if no secret is in it.
    pub fn plain(&self) -> Option<Cow<'_, str>> {
        match self.parts.as_slice() {
            [] => Some(Cow::Borrowed("")),
            [Part::Plain(text)] => Some(Cow::Borrowed(text)),
            _ => None,
        }
    }

    /// The names of the secrets in it.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Plain(_) => None,
            Part::Secret(name) => Some(name.as_str()),
        })
    }

    #[must_use]
    pub fn concat(mut self, other: Text) -> Text {
        for part in other.parts {
            self.push(part);
        }
        self
    }

    fn push(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (_, Part::Plain(text)) if text.is_empty() => {}
            (Some(Part::Plain(last)), Part::Plain(text)) => last.push_str(&text),
            (_, part) => self.parts.push(part),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        let mut parts = Text::default();
        parts.push(Part::Plain(text));
        parts
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::from(text.to_owned())
    }
}

/// Secrets print as `<secret NAME>`, never as what they are.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Plain(text) => f.write_str(text)?,
                Part::Secret(name) => write!(f, "<secret {name}>")?,
            }
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PartData {
    Plain(String),
    Secret { secret: String },
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextData {
    Plain(String),
    Parts(Vec<PartData>),
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = self.plain() {
            return serializer.serialize_str(&text);
        }
        let parts = self.parts.iter().map(|part| match part {
            Part::Plain(text) => PartData::Plain(text.clone()),
            Part::Secret(name) => PartData::Secret {
                secret: name.clone(),
            },
        });
        serializer.collect_seq(parts)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match TextData::deserialize(deserializer)? {
            TextData::Plain(text) => Text::from(text),
            TextData::Parts(parts) => {
                let mut text = Text::default();
                for part in parts {
                    text.push(match part {
                        PartData::Plain(text) => Part::Plain(text),
                        PartData::Secret { secret } => Part::Secret(secret),
                    });
                }
                text
            }
        })
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A string, or an array of strings and secrets by name.",
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "anyOf": [
                    { "type": "string" },
                    { "type": "object", "properties": { "secret": { "type": "string" } },
                      "required": ["secret"], "additionalProperties": false }
                ] } }
            ]
        })
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
}
