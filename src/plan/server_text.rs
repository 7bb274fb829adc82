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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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

impl ServerField {
    const ALL: [(&str, ServerField); 7] = [
        ("SERVER", ServerField::Server),
        ("DIR", ServerField::Dir),
        ("BUNDLE", ServerField::Bundle),
        ("URL", ServerField::Url),
        ("NAME", ServerField::Name),
        ("VERSION", ServerField::Version),
        ("CMDLINE", ServerField::Cmdline),
    ];
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
            let named = after.split_once('@').and_then(|(key, rest)| {
                let field = ServerField::ALL.iter().find(|(name, _)| *name == key);
                Some((field, values.get(key), rest))
                    .filter(|(field, value, _)| field.is_some() || value.is_some())
            });
            rest = match named {
                Some((_, Some(value), rest)) => {
                    literal.push_str(value);
                    rest
                }
                Some((Some((_, field)), None, rest)) => {
                    if !literal.is_empty() {
                        text.push(ServerPart::Literal(std::mem::take(&mut literal)));
                    }
                    text.push(ServerPart::Field { field: *field });
                    rest
                }
                _ => {
                    literal.push('@');
                    after
                }
            };
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
