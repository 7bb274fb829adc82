//! Texts beside an export, for boot loaders and servers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file beside an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerText {
    pub name: String,
    pub text: Vec<ServerPart>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ServerPart {
    /// Means itself, whatever it holds.
    Literal(String),
    Field {
        field: ServerField,
    },
}

/// What is known only when the export is written.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::EnumString,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "UPPERCASE")]
pub enum ServerField {
    Server,
    /// The export's folder on the server.
    Dir,
    /// `NAME`, or `NAME/VERSION`.
    Bundle,
    /// The bundle's URL.
    Url,
    Name,
    Version,
    /// The kernel command line.
    Cmdline,
}

impl ServerText {
    /// Parses a template of the standard library, in which `@SERVER@` is a field and `@KEY@`
    /// a value of `values`. The values themselves are not searched.
    pub fn parse(name: String, template: &str, values: &BTreeMap<String, String>) -> ServerText {
        let mut text = Vec::new();
        let mut literal = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('@') {
            literal.push_str(before);
            let (key, behind) = after.split_once('@').unwrap_or_default();
            rest = behind;
            if let Some(value) = values.get(key) {
                literal.push_str(value);
            } else if let Ok(field) = key.parse() {
                if !literal.is_empty() {
                    text.push(ServerPart::Literal(std::mem::take(&mut literal)));
                }
                text.push(ServerPart::Field { field });
            } else {
                literal.push('@');
                rest = after;
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            text.push(ServerPart::Literal(literal));
        }
        ServerText { name, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_searched_for_fields() {
        let values = BTreeMap::from([("CLIENTS".to_owned(), "@DIR@".to_owned())]);
        let text = ServerText::parse("exports".to_owned(), "a@b @DIR@ @CLIENTS@ @X@\n", &values);
        let field = ServerField::Dir;
        assert_eq!(
            text.text,
            [
                ServerPart::Literal("a@b ".to_owned()),
                ServerPart::Field { field },
                ServerPart::Literal(" @DIR@ @X@\n".to_owned()),
            ]
        );
        let json = serde_json::to_string(&text).unwrap();
        assert_eq!(serde_json::from_str::<ServerText>(&json).unwrap(), text);
    }
}
