//! The form in which the documentation of a function is written, for built-ins and for
//! functions of the stdlib alike: Markdown of a fixed shape.
//!
//! ```text
//! One line that says what it does.
//!
//! More about it.
//!
//! ## Parameters
//!
//! - `path` (a string): what it is.
//! - `opts` (a map; default `#{}`): what it is.
//!   - `mode` (permission bits; default `0o644`): a field of the map.
//!   - `name` (a string; required): another.
//!   - and what else it takes: fields that somebody else defines.
//!
//! ## Gives
//!
//! what it gives; `nothing` where the section is left out.
//!
//! ## Errors
//!
//! - `recipe::relative_path`: when. Or the line `None of its own.`
//!
//! ## Example
//! ```

use serde::Serialize;

/// The documentation of a function, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Doc {
    /// A sentence.
    pub summary: String,
    /// Markdown; empty where there is no more to say.
    pub description: String,
    pub parameters: Vec<Parameter>,
    pub gives: String,
    /// Failures that are its own; what every function refuses is not among them.
    pub errors: Vec<Failing>,
    /// A script that runs as it is.
    pub example: String,
    /// What does not have the form.
    #[serde(skip)]
    pub problems: Vec<String>,
}

/// A parameter, or a field of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parameter {
    pub name: String,
    /// In the words of error messages: `a string`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is written that it has to be there.
    pub required: bool,
    /// In Markdown; `none` where it has no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    pub text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Parameter>,
    /// Which other fields it takes, that somebody else defines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// As `--error-format json` has it.
    pub code: String,
    pub text: String,
}

impl Doc {
    pub fn parse(text: &str) -> Doc {
        let mut doc = Doc {
            gives: "nothing".to_owned(),
            ..Doc::default()
        };
        let mut sections = text.split("\n## ");
        let head = sections.next().unwrap_or_default().trim();
        let (summary, description) = head.split_once("\n\n").unwrap_or((head, ""));
        doc.summary = one_line(summary);
        doc.description = description.trim().to_owned();
        let mut had_errors = false;
        for section in sections {
            let (title, body) = section.split_once('\n').unwrap_or((section, ""));
            match title.trim() {
                "Parameters" if body.trim() == "None." => {}
                "Parameters" => doc.parameters = parameters(body, &mut doc.problems),
                "Gives" => one_line(body)
                    .trim_end_matches('.')
                    .clone_into(&mut doc.gives),
                "Errors" => {
                    had_errors = true;
                    doc.errors = errors(body, &mut doc.problems);
                }
                "Example" => doc.example = example(body),
                other => doc.problems.push(format!("there is no section `{other}`")),
            }
        }
        if !had_errors {
            let problem = "it lacks the section `Errors`; `None of its own.` is one, too";
            doc.problems.push(problem.to_owned());
        }
        doc
    }
}

/// The lines of a text as one.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The items of a list with what is indented below each: depth and text.
fn items(body: &str) -> Vec<(usize, String)> {
    let mut items: Vec<(usize, String)> = Vec::new();
    for line in body.lines().filter(|line| !line.trim().is_empty()) {
        let trimmed = line.trim_start();
        let depth = (line.len() - trimmed.len()) / 2;
        match (trimmed.strip_prefix("- "), items.last_mut()) {
            (Some(item), _) => items.push((depth, item.to_owned())),
            (None, Some((_, last))) => {
                last.push(' ');
                last.push_str(trimmed);
            }
            (None, None) => items.push((depth, trimmed.to_owned())),
        }
    }
    items
}

fn parameters(body: &str, problems: &mut Vec<String>) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    for (depth, item) in items(body) {
        let above = match depth {
            0 => None,
            depth => match last(&mut found, depth) {
                Some(above) => Some(above),
                None => {
                    problems.push(format!("`{item}` is indented below nothing"));
                    continue;
                }
            },
        };
        match (parameter(&item), item.strip_prefix("and "), above) {
            (Some(parameter), _, Some(above)) => above.fields.push(parameter),
            (Some(parameter), _, None) => found.push(parameter),
            (None, Some(rest), Some(above)) => above.others = Some(rest.to_owned()),
            _ => problems.push(format!(
                "`- {item}` is no parameter; write \"- `name` (type; default …): text\""
            )),
        }
    }
    found
}

/// The last parameter, or the last field of it, that is so deep in the list.
fn last(list: &mut [Parameter], depth: usize) -> Option<&mut Parameter> {
    let found = list.last_mut()?;
    match depth {
        1 => Some(found),
        depth => last(&mut found.fields, depth - 1),
    }
}

/// `` `mode` (permission bits; default `0o644`): text ``
fn parameter(item: &str) -> Option<Parameter> {
    let (name, rest) = item.strip_prefix('`')?.split_once('`')?;
    let rest = rest.strip_prefix(" (")?;
    // The bracket that ends the type is the first with a colon or nothing behind it.
    let (said, text) = match rest.split_once("): ") {
        Some((said, text)) => (said, text),
        None => (rest.strip_suffix(')')?, ""),
    };
    let (kind, presence) = match said.split_once("; ") {
        Some((kind, presence)) => (kind, Some(presence)),
        None => (said, None),
    };
    let default = presence.and_then(|presence| presence.strip_prefix("default "));
    let required = presence == Some("required");
    if presence.is_some() && default.is_none() && !required {
        return None;
    }
    Some(Parameter {
        name: name.to_owned(),
        kind: kind.to_owned(),
        required,
        default: default.map(str::to_owned),
        text: text.to_owned(),
        fields: Vec::new(),
        others: None,
    })
}

fn errors(body: &str, problems: &mut Vec<String>) -> Vec<Failing> {
    let mut found = Vec::new();
    if body.trim() == "None of its own." {
        return found;
    }
    for (_, item) in items(body) {
        let parts = item
            .strip_prefix('`')
            .and_then(|item| item.split_once("`: "));
        match parts {
            Some((code, text)) if code.contains("::") => found.push(Failing {
                code: code.to_owned(),
                text: text.to_owned(),
            }),
            _ => problems.push(format!(
                "`- {item}` is no error; write \"- `area::code`: when\""
            )),
        }
    }
    found
}

/// What stands between the fences.
fn example(body: &str) -> String {
    let inside = body
        .split_once("```rhai\n")
        .map_or("", |(_, inside)| inside);
    let script = inside
        .split_once("```")
        .map_or(inside, |(script, _)| script);
    script.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_text_is_taken_apart() {
        let doc = Doc::parse(
            "Makes a file,\nor two.\n\nMore.\n\n## Parameters\n\n- `path` (a path)\n- `opts` (a map; default `#{}`): how,\n  in fields.\n  - `size` (a size such as `\"2G\"`; default what (it) needs): of it.\n  - `name` (a string; required): the name.\n  - and others.\n\n## Errors\n- `recipe::x`: when\n  it is so.\n## Example\n```rhai\nlet x = 1;\n```\n",
        );
        assert_eq!(doc.problems, Vec::<String>::new());
        assert_eq!(doc.summary, "Makes a file, or two.");
        assert_eq!(doc.description, "More.");
        assert_eq!(doc.gives, "nothing");
        let opts = &doc.parameters[1];
        assert_eq!(opts.text, "how, in fields.");
        assert_eq!(opts.fields[0].kind, "a size such as `\"2G\"`");
        assert_eq!(opts.fields[0].default.as_deref(), Some("what (it) needs"));
        assert!(opts.fields[1].required);
        assert_eq!(opts.others.as_deref(), Some("others."));
        assert_eq!(doc.errors[0].text, "when it is so.");
        assert_eq!(doc.example, "let x = 1;");
    }

    #[test]
    fn what_has_another_form_is_named() {
        let doc = Doc::parse(
            "X.\n\n## Parameters\n- path: x\n- `a` (a string; perhaps): x\n## Faults\n## Errors\n- when\n",
        );
        assert_eq!(
            doc.problems,
            [
                "`- path: x` is no parameter; write \"- `name` (type; default …): text\"",
                "`- `a` (a string; perhaps): x` is no parameter; write \"- `name` (type; default …): text\"",
                "there is no section `Faults`",
                "`- when` is no error; write \"- `area::code`: when\"",
            ]
        );
        let problem = "it lacks the section `Errors`; `None of its own.` is one, too";
        assert_eq!(Doc::parse("X.").problems, [problem]);
    }
}
