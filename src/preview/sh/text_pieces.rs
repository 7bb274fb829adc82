//! Texts of the plan as words and as standard input of the script.

use super::super::shell_words::{Piece, Secret, ansi_c, expanded, joined, octal, word};
use crate::diagnose::terminal::is_control;
use crate::plan::{Argument, Part, Plan, Text, secret_variable};

/// What a text consists of in the script.
pub fn pieces(plan: &Plan, text: &Text) -> Vec<Piece> {
    let mut out = Vec::new();
    for part in text.parts() {
        match part {
            Part::Literal(text) => out.push(Piece::literal(text)),
            Part::Root {} => out.push(Piece::variable("ROOT")),
            Part::Keyring(name) => {
                out.push(Piece::variable("keyrings"));
                out.push(Piece::literal(format!("/{name}")));
            }
            Part::File(digest) => out.push(Piece::literal(file(plan, digest))),
            Part::Download(sha256) => {
                out.push(Piece::variable("work"));
                out.push(Piece::literal(format!("/fetched/{sha256}")));
            }
            Part::Secret(name) | Part::SecretLine(name) => out.push(Piece::Secret(Secret {
                name: name.clone(),
                variable: secret_variable(name),
                line: matches!(part, Part::SecretLine(_)),
            })),
        }
    }
    out
}

/// Where an input file was when the plan was made.
pub fn file<'a>(plan: &'a Plan, digest: &'a str) -> &'a str {
    plan.file(digest).map_or(digest, |file| file.path.as_str())
}

pub fn argument(plan: &Plan, argument: &Argument) -> String {
    joined(&pieces(plan, argument))
}

/// How a command gets its standard input: `{before}COMMAND{after}`, then the lines of `body`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Input {
    pub before: String,
    pub after: String,
    pub body: String,
}

impl Input {
    fn new(before: impl Into<String>, after: impl Into<String>, body: impl Into<String>) -> Input {
        Input {
            before: before.into(),
            after: after.into(),
            body: body.into(),
        }
    }

    /// Here-documents where a person can read them, else what `printf` writes.
    pub fn of(pieces: &[Piece]) -> Input {
        let plain: String = pieces.iter().filter_map(Piece::text).collect();
        let varies = pieces.iter().any(|piece| piece.text().is_none());
        let last = pieces.last().and_then(Piece::text);
        let ended = last.is_some_and(|text| text.ends_with('\n'));
        if pieces.is_empty() {
            return Input::new("", " </dev/null", "");
        }
        let lines = plain.matches('\n').count();
        let secret = pieces.iter().any(|piece| matches!(piece, Piece::Secret(_)));
        if secret || plain.contains(is_control) || lines == 0 || varies && (lines == 1 || !ended) {
            return Input::new(format!("{} | ", print(pieces)), "", "");
        }
        let end = delimiter(&plain);
        if varies {
            let escape = |text: &str| {
                let escaped = text.replace('\\', "\\\\");
                escaped.replace('$', "\\$").replace('`', "\\`")
            };
            let body = format!("{}{end}\n", expanded(pieces, escape));
            return Input::new("", format!(" <<{end}"), body);
        }
        match ended {
            true => Input::new("", format!(" <<'{end}'"), format!("{plain}{end}\n")),
            // A here-document always ends with a line break.
            false => {
                let before = format!("head --bytes=-1 <<'{end}' | ");
                Input::new(before, "", format!("{plain}\n{end}\n"))
            }
        }
    }
}

/// A word that no line of the content could be taken for.
pub fn delimiter(content: &str) -> String {
    let mut end = "EOF".to_owned();
    let mut number = 1;
    while content.contains(&end) {
        number += 1;
        end = format!("END_{number}");
    }
    end
}

/// A command that prints the pieces, without a process of its own that would show them.
fn print(pieces: &[Piece]) -> String {
    let mut texts = pieces.iter().filter_map(Piece::text);
    let controls = texts.any(|text| text.contains(is_control));
    let literal = |text: &str| match text.contains('\n') && text.chars().count() < 40 {
        // A lone line break between quotes would be easy to miss.
        true => ansi_c(text),
        false => word(text),
    };
    let secret = pieces.iter().any(|piece| matches!(piece, Piece::Secret(_)));
    if !controls && !secret {
        let words = pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => literal(text),
            other => joined(std::slice::from_ref(other)),
        });
        return format!("printf '%s' {}", words.collect::<Vec<_>>().join(" "));
    }
    let commands: Vec<String> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) if controls => format!("printf '%b' {}", escape(text)),
            Piece::Literal(text) => format!("printf '%s' {}", literal(text)),
            Piece::Variable(name) => format!("printf '%s' \"${name}\""),
            Piece::Secret(secret) => secret.print(),
        })
        .collect();
    match commands.as_slice() {
        [one] => one.clone(),
        _ => format!("{{ {}; }}", commands.join("; ")),
    }
}

/// For `printf %b`, which can also write the one character that no shell can hold.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\r' => out.push_str("\\r"),
            c if is_control(c) => out.push_str(&octal(c, "\\0")),
            c => out.push(c),
        }
    }
    word(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Input {
        Input::of(&[Piece::literal(text)])
    }

    #[test]
    fn a_delimiter_is_no_line_of_the_content() {
        assert_eq!(delimiter("a\n"), "EOF");
        assert_eq!(delimiter(" EOF\n"), "END_2");
        assert_eq!(delimiter("EOF END_2"), "END_3");
    }

    #[test]
    fn contents_stay_readable_where_that_is_possible() {
        let input = literal("a $b\n");
        assert_eq!(input.after, " <<'EOF'");
        assert_eq!(input.body, "a $b\nEOF\n");
        assert_eq!(literal("a\nb").before, "head --bytes=-1 <<'EOF' | ");
        let input = literal("a\r\n\0\\");
        assert_eq!(input.before, "printf '%b' 'a\\r\n\\0000\\\\' | ");
    }

    #[test]
    fn only_variables_are_expanded() {
        let variable = || Piece::variable("url");
        let input = Input::of(&[Piece::literal("root:"), variable()]);
        assert_eq!(input.before, "printf '%s' root: \"$url\" | ");
        let input = Input::of(&[
            Piece::literal("a $x `y` \\\n"),
            variable(),
            Piece::literal("z\n"),
        ]);
        assert_eq!(input.after, " <<EOF");
        assert_eq!(input.body, "a \\$x \\`y\\` \\\\\n${url}z\nEOF\n");
    }
}
