//! Contents and standard input: here-documents where a person can read them, `printf`
//! where the bytes or the secrets in them do not allow it.

use super::super::shell_words::{ansi_c, is_control, octal, word};
use super::secret_variable;
use crate::plan::{Part, Text};

/// How a command gets its standard input: `{before}COMMAND{after}`, then the lines of `body`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Input {
    pub before: String,
    pub after: String,
    pub body: String,
}

impl Input {
    pub fn of(text: &Text) -> Input {
        let Some(plain) = text.plain() else {
            return Input {
                before: format!("{} | ", print(text.parts())),
                ..Input::default()
            };
        };
        if plain.is_empty() {
            return Input {
                after: " </dev/null".to_owned(),
                ..Input::default()
            };
        }
        if plain.contains(is_control) {
            return Input {
                before: format!("{} | ", print(text.parts())),
                ..Input::default()
            };
        }
        if !plain.contains('\n') {
            return Input {
                before: format!("printf '%s' {} | ", word(&plain)),
                ..Input::default()
            };
        }
        let end = delimiter(&plain);
        match plain.strip_suffix('\n') {
            Some(_) => Input {
                before: String::new(),
                after: format!(" <<'{end}'"),
                body: format!("{plain}{end}\n"),
            },
            // A here-document always ends with a line break.
            None => Input {
                before: format!("head --bytes=-1 <<'{end}' | "),
                after: String::new(),
                body: format!("{plain}\n{end}\n"),
            },
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

/// A command that prints the parts, without a process of its own that would show them.
fn print(parts: &[Part]) -> String {
    let escaped = |part: &Part| matches!(part, Part::Plain(text) if text.contains(is_control));
    if !parts.iter().any(escaped) {
        let words: Vec<String> = parts
            .iter()
            .map(|part| match part {
                // A lone line break between quotes would be easy to miss.
                Part::Plain(text) if text.contains('\n') && text.chars().count() < 40 => {
                    ansi_c(text)
                }
                Part::Plain(text) => word(text),
                Part::Secret(name) => format!("\"${}\"", secret_variable(name)),
            })
            .collect();
        return format!("printf '%s' {}", words.join(" "));
    }
    let commands: Vec<String> = parts
        .iter()
        .map(|part| match part {
            Part::Plain(text) => format!("printf '%b' {}", escape(text)),
            Part::Secret(name) => format!("printf '%s' \"${}\"", secret_variable(name)),
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

/// The value of an environment variable.
pub fn value(text: &Text, quote: fn(&str) -> String) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    text.parts()
        .iter()
        .map(|part| match part {
            Part::Plain(text) => quote(text),
            Part::Secret(name) => format!("\"${{{}}}\"", secret_variable(name)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_no_line_of_the_content() {
        assert_eq!(delimiter("a\n"), "EOF");
        assert_eq!(delimiter(" EOF\n"), "END_2");
        assert_eq!(delimiter("EOF END_2"), "END_3");
    }

    #[test]
    fn contents_are_read_as_they_stand_where_that_is_possible() {
        let input = Input::of(&Text::from("a $b\n"));
        assert_eq!(input.after, " <<'EOF'");
        assert_eq!(input.body, "a $b\nEOF\n");
        let input = Input::of(&Text::from("a\nb"));
        assert_eq!(input.before, "head --bytes=-1 <<'EOF' | ");
        let input = Input::of(&Text::from("a\r\n\0\\"));
        assert_eq!(input.before, "printf '%b' 'a\\r\n\\0000\\\\' | ");
    }

    #[test]
    fn secrets_are_variables() {
        let text = Text::from("root:").concat(Text::secret("root-password"));
        let input = Input::of(&text);
        assert_eq!(
            input.before,
            "printf '%s' root: \"$ROOTWRIGHT_SECRET_ROOT_PASSWORD\" | "
        );
    }
}
