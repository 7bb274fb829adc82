//! Where a call ends, and where its arguments and their fields stand. Rhai gives the
//! point where a call's name starts; an underline needs both ends.

mod inside;
mod scan;

use std::ops::Range;

pub use inside::{Located, Step, field, locate};
use scan::ByteKind;
pub use scan::Scan;

/// The bytes of a call whose name starts at byte `name`: from its receiver to its closing
/// bracket. Where no call is written there, the word, the text or the operator alone.
pub fn call(scan: &Scan, name: usize) -> Range<usize> {
    let start = name;
    let word = scan.word_end(start);
    if scan.code_at(start) == Some(b'.') && scan.word_end(start + 1) > start + 1 {
        return call(scan, start + 1);
    }
    if word == start {
        return start..token_end(scan, start);
    }
    let open = scan.skip_blank(word);
    let end = match scan.code_at(open) {
        Some(b'(') => scan.closing(open).unwrap_or(word),
        _ => word,
    };
    scan.receiver_start(start)..end
}

/// The end of a token that is no word.
fn token_end(scan: &Scan, start: usize) -> usize {
    const OPERATORS: &[u8] = b"=!<>+-*/%&|^.:?~";
    let operator = |index: usize| scan.code_at(index).is_some_and(|c| OPERATORS.contains(&c));
    let same = |index: &usize| match scan.get(start) {
        Some((_, ByteKind::Text)) => {
            matches!(scan.get(*index), Some((c, ByteKind::Text)) if c != b'\n')
        }
        _ => operator(start) && operator(*index),
    };
    start + 1 + (start + 1..scan.len()).take_while(same).count()
}

/// The innermost bracket that is open at byte `at`, with its character.
pub fn open_bracket(scan: &Scan, at: usize) -> Option<(Range<usize>, char)> {
    let mut open = Vec::new();
    for (index, c) in scan.code_between(0, at) {
        match c {
            b'(' | b'[' | b'{' => open.push((index, c)),
            b')' | b']' | b'}' => {
                open.pop();
            }
            _ => {}
        }
    }
    let (index, c) = open.pop()?;
    // A map's bracket has two characters.
    let before = index.checked_sub(1).and_then(|before| scan.code_at(before));
    let start = if c == b'{' && before == Some(b'#') {
        index - 1
    } else {
        index
    };
    Some((start..index + 1, char::from(c)))
}

/// The end of the code and text before byte `at`, blanks and comments left out.
pub fn code_end_before(scan: &Scan, at: usize) -> Option<Range<usize>> {
    let mut before = scan.text(&(0..at)).char_indices().rev();
    let (index, c) = before.find(|(index, c)| match scan.get(*index) {
        Some((_, ByteKind::Code)) => !c.is_whitespace(),
        Some((_, ByteKind::Text)) => true,
        _ => false,
    })?;
    Some(index..index + c.len_utf8())
}

/// The name of the function whose body holds byte `at`.
pub fn enclosing_function(scan: &Scan, at: usize) -> Option<&str> {
    let mut index = 0;
    while index < scan.len() {
        let end = scan.word_end(index);
        if end == index {
            index += 1;
            continue;
        }
        if scan.text(&(index..end)) == "fn" {
            let name = scan.skip_blank(end);
            let name_end = scan.word_end(name);
            let body = scan
                .code_between(name_end, scan.len())
                .find(|(_, c)| *c == b'{')
                .map(|(index, _)| index);
            if let Some(body) = body {
                let close = scan.closing(body).unwrap_or(scan.len());
                if (body..close).contains(&at) {
                    return Some(scan.text(&(name..name_end)));
                }
            }
        }
        index = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call_at<'a>(text: &'a str, name: &str) -> &'a str {
        text.get(call(&Scan::new(text), text.find(name).unwrap()))
            .unwrap()
    }

    #[test]
    fn a_call_runs_from_its_receiver_to_its_bracket() {
        assert_eq!(
            call_at("let a = 1; root.install([\"x)\", `y)`]); b()", "install"),
            "root.install([\"x)\", `y)`])"
        );
        assert_eq!(
            call_at("x::y::install(a /* ) */, // )\n b)", "install"),
            "x::y::install(a /* ) */, // )\n b)"
        );
        assert_eq!(call_at("let x = a.b;", "b;"), "a.b");
        assert_eq!(call_at("import \"a b\" as c;", "\"a"), "\"a b\"");
        assert_eq!(call_at("a === b", "==="), "===");
    }

    #[test]
    fn interpolation_is_code_inside_of_text() {
        let text = "f(`a ${g(\")\", `x${1}`)} ) b`, 2) + 3";
        assert_eq!(call_at(text, "f("), "f(`a ${g(\")\", `x${1}`)} ) b`, 2)");
        assert_eq!(call_at(text, "g("), "g(\")\", `x${1}`)");
    }

    #[test]
    fn brackets_comments_and_functions_are_found() {
        let scan = Scan::new("fn f(a) {\n g([1, // ]\n \"]\"\n");
        assert_eq!(open_bracket(&scan, scan.text.len()).unwrap().1, '[');
        assert_eq!(enclosing_function(&scan, scan.text.len() - 1), Some("f"));
        assert_eq!(Scan::new("a /* b /* c */").open_comment, Some(2));
        assert_eq!(
            Scan::new("a /* b */ \"/*\" #\"\\\"# /* */").open_comment,
            None
        );
        assert_eq!(code_end_before(&Scan::new("ab // c\n d"), 9), Some(1..2));
    }
}
