//! Words of a shell command line: quoting, and breaking long lines.

use crate::diagnose::terminal::is_control;
use crate::plan::command::{in_quotes, is_bare};

/// What means something between double quotes, or would be hard to read there.
const SPECIAL: [char; 6] = ['"', '\\', '$', '`', '!', '\n'];

/// One word for bash, quoted where it has to be; a line break stays a line break.
pub fn word(text: &str) -> String {
    if is_bare(text) && !text.starts_with('=') {
        text.to_owned()
    } else if text.contains(is_control) {
        ansi_c(text)
    } else if text.contains('\'') && !text.contains(SPECIAL) {
        format!("\"{text}\"")
    } else {
        in_quotes(text)
    }
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Means itself, whatever it holds.
    Literal(String),
    /// The value of a variable.
    Variable(String),
    Secret(Secret),
}

/// A secret of the script. As a word it is a variable; where bytes are written, it may be a
/// file, which can hold every byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    pub name: String,
    pub variable: String,
    /// Without the line break at its end.
    pub line: bool,
}

impl Secret {
    /// A command that prints it.
    pub fn print(&self) -> String {
        let print = if self.line {
            "print_secret_line"
        } else {
            "print_secret"
        };
        format!("{print} {} {}", self.variable, word(&self.name))
    }

    fn expanded(&self, before: Option<&str>) -> String {
        match self.line {
            true => format!("${{{}%$'\\n'}}", self.variable),
            false => expand(&self.variable, before),
        }
    }
}

impl Piece {
    pub fn literal(text: impl Into<String>) -> Piece {
        Piece::Literal(text.into())
    }

    pub fn variable(name: impl Into<String>) -> Piece {
        Piece::Variable(name.into())
    }

    /// What means itself.
    pub fn text(&self) -> Option<&str> {
        match self {
            Piece::Literal(text) => Some(text),
            Piece::Variable(_) | Piece::Secret(_) => None,
        }
    }
}

/// One word of pieces.
pub fn joined(pieces: &[Piece]) -> String {
    match pieces {
        [] => return word(""),
        [Piece::Literal(text)] => return word(text),
        _ => {}
    }
    let special = |text: &str| text.contains(SPECIAL) || text.contains(is_control);
    if !pieces.iter().filter_map(Piece::text).any(special) {
        return format!("\"{}\"", expanded(pieces, str::to_owned));
    }
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) => word(text),
        Piece::Variable(name) => format!("\"${name}\""),
        Piece::Secret(secret) => format!("\"{}\"", secret.expanded(None)),
    };
    pieces.iter().map(piece).collect()
}

/// The pieces between double quotes or in a here-document, in which variables are expanded.
pub fn expanded(pieces: &[Piece], escape: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        let next = pieces.get(at + 1).and_then(Piece::text);
        match piece {
            Piece::Literal(text) => out.push_str(&escape(text)),
            Piece::Variable(name) => out.push_str(&expand(name, next)),
            Piece::Secret(secret) => out.push_str(&secret.expanded(next)),
        }
    }
    out
}

/// A variable before some text.
fn expand(name: &str, before: Option<&str>) -> String {
    let in_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
    match before.is_some_and(|text| text.starts_with(in_name)) {
        true => format!("${{{name}}}"),
        false => format!("${name}"),
    }
}

/// `$'…'`, in which every character can be written.
pub fn ansi_c(text: &str) -> String {
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push_str("\\e"),
            c if is_control(c) => out.push_str(&octal(c, "\\")),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// The bytes of a character as octal escapes, each with `lead` in front.
pub fn octal(c: char, lead: &str) -> String {
    c.encode_utf8(&mut [0; 4])
        .bytes()
        .map(|byte| format!("{lead}{byte:03o}"))
        .collect()
}

/// Joins words to lines of at most `width` characters where they allow it, the first one
/// `used` characters along already. Lines end with ` \`, and all but the first start
/// with `indent`.
pub fn fold(words: &[String], used: usize, width: usize, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut column = used;
    for (at, word) in words.iter().enumerate() {
        let first = word.lines().next().unwrap_or_default().chars().count();
        let continues = if at + 1 < words.len() { 2 } else { 0 };
        if !line.is_empty() {
            if column + 1 + first + continues > width && line != indent {
                line.push_str(" \\");
                lines.push(std::mem::replace(&mut line, indent.to_owned()));
                column = indent.chars().count();
            } else {
                line.push(' ');
                column += 1;
            }
        }
        line.push_str(word);
        column = match word.rsplit_once('\n') {
            Some((_, tail)) => tail.chars().count(),
            None => column + first,
        };
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_if_necessary() {
        assert_eq!(word("--variant=apt"), "--variant=apt");
        assert_eq!(word(""), "''");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's"), "\"it's\"");
        assert_eq!(word("it's $5"), r"'it'\''s $5'");
        assert_eq!(word("a\rb'"), r"$'a\rb\''");
        assert_eq!(word("a\u{202e}b"), r"$'a\342\200\256b'");
    }

    #[test]
    fn only_variables_are_expanded() {
        let root = || Piece::variable("ROOT");
        let of = |pieces: &[Piece]| joined(pieces);
        assert_eq!(of(&[root()]), "\"$ROOT\"");
        let flag = [Piece::literal("--dir="), root(), Piece::literal("/a b")];
        assert_eq!(of(&flag), "\"--dir=$ROOT/a b\"");
        assert_eq!(of(&[root(), Piece::literal("FS")]), "\"${ROOT}FS\"");
        let strange = [root(), Piece::literal("/`x` $ROOT")];
        assert_eq!(of(&strange), "\"$ROOT\"'/`x` $ROOT'");
        assert_eq!(of(&[Piece::literal("$ROOT_DEV")]), "'$ROOT_DEV'");
    }

    #[test]
    fn long_lines_break_between_words() {
        let words: Vec<String> = ["aaaa", "bbbb", "cccc"].map(str::to_owned).to_vec();
        assert_eq!(fold(&words, 0, 12, "  "), ["aaaa bbbb \\", "  cccc"]);
        assert_eq!(fold(&words, 0, 80, "  "), ["aaaa bbbb cccc"]);
    }
}
