//! Words of a shell command line: quoting, and breaking long lines.

use crate::plan::ROOT_PLACEHOLDER;

/// Whether a word needs no quotes, wherever it stands but in front.
fn is_bare(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with('=')
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c))
}

/// A control character that cannot stand in a script as itself.
pub fn is_control(c: char) -> bool {
    // Bidirectional controls too: they would show a reader another text than is run.
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// One word for bash, quoted where it has to be; a line break stays a line break.
pub fn word(text: &str) -> String {
    if is_bare(text) {
        text.to_owned()
    } else if text.contains(is_control) {
        ansi_c(text)
    } else if !text.contains('\'') {
        format!("'{text}'")
    } else if !text.contains(['"', '\\', '$', '`', '!', '\n']) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The same, with `$ROOT` left for the shell to expand.
pub fn word_with_root(text: &str) -> String {
    if !text.contains(ROOT_PLACEHOLDER) {
        return word(text);
    }
    let pieces: Vec<&str> = text.split(ROOT_PLACEHOLDER).collect();
    let plain = pieces.iter().all(|piece| {
        !piece.contains(['"', '\\', '$', '`', '!', '\n']) && !piece.contains(is_control)
    });
    let mut out = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 {
            let joins = piece.starts_with(|c: char| c == '_' || c.is_ascii_alphanumeric());
            out.push_str(match (plain, joins) {
                (true, true) => "${ROOT}",
                (true, false) => "$ROOT",
                (false, _) => "\"$ROOT\"",
            });
        }
        match (plain, piece.is_empty()) {
            (true, _) => out.push_str(piece),
            (false, true) => {}
            (false, false) if piece.contains(is_control) => out.push_str(&ansi_c(piece)),
            (false, false) => out.push_str(&format!("'{}'", piece.replace('\'', r"'\''"))),
        }
    }
    if plain { format!("\"{out}\"") } else { out }
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
    fn words_are_quoted_only_where_they_have_to_be() {
        assert_eq!(word("--variant=apt"), "--variant=apt");
        assert_eq!(word(""), "''");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's"), "\"it's\"");
        assert_eq!(word("it's $5"), r"'it'\''s $5'");
        assert_eq!(word("a\rb'"), r"$'a\rb\''");
        assert_eq!(word("a\u{202e}b"), r"$'a\342\200\256b'");
    }

    #[test]
    fn the_root_stays_a_variable() {
        assert_eq!(word_with_root("$ROOT"), "\"$ROOT\"");
        assert_eq!(word_with_root("--dir=$ROOT/a b"), "\"--dir=$ROOT/a b\"");
        assert_eq!(word_with_root("$ROOTFS"), "\"${ROOT}FS\"");
        assert_eq!(word_with_root("$ROOT/`x`"), "\"$ROOT\"'/`x`'");
        assert_eq!(word_with_root("$HOME"), "'$HOME'");
    }

    #[test]
    fn long_lines_break_between_words() {
        let words: Vec<String> = ["aaaa", "bbbb", "cccc"].map(str::to_owned).to_vec();
        assert_eq!(fold(&words, 0, 12, "  "), ["aaaa bbbb \\", "  cccc"]);
        assert_eq!(fold(&words, 0, 80, "  "), ["aaaa bbbb cccc"]);
    }
}
