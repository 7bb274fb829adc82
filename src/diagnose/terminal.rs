//! Text of strangers on its way to a terminal: a recipe's, a library's, an image's, a tool's.
//! A control character in it could move the cursor, rename the window, or hide a line.

use std::borrow::Cow;

use serde::Serialize;

/// Whether a character does something to a terminal beside standing in a line. Those that
/// change the direction of text do: a reader would see another text than is meant.
pub fn is_control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text with control characters written out: `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c.escape_default().to_string())
}

/// The text with other characters for control characters, each of as many bytes, so that byte
/// offsets stay.
pub fn of_same_length(text: &str) -> Cow<'_, str> {
    escaped(text, |c| {
        let instead = match c.len_utf8() {
            // A line may end with it.
            1 if c == '\r' => " ",
            1 => "?",
            2 => "\u{bf}",
            _ => "\u{fffd}",
        };
        instead.to_owned()
    })
}

fn escaped(text: &str, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_control(c) {
            true => out.push_str(&escape(c)),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Data for programs, with a line break at the end.
pub fn json(data: &impl Serialize) -> String {
    // Maps have string keys, and serde_json knows no NaN: this cannot fail.
    as_json(&serde_json::to_string_pretty(data).unwrap_or_default())
}

/// The same in one line.
pub fn json_line(data: &impl Serialize) -> String {
    as_json(&serde_json::to_string(data).unwrap_or_default())
}

/// serde_json leaves some control characters as they are; they can only be in strings.
fn as_json(text: &str) -> String {
    escaped(text, |c| format!("\\u{:04x}", u32::from(c))).into_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out() {
        let text = "a\u{1b}[2J\u{7}\r\n\tü\u{9b}\u{202e}";
        assert_eq!(visible(text), "a\\u{1b}[2J\\u{7}\\r\n\tü\\u{9b}\\u{202e}");
        assert_eq!(of_same_length(text).len(), text.len());
        assert!(!of_same_length(text).contains(is_control));
        let data = json_line(&text);
        assert!(!data.contains(is_control), "{data}");
        assert_eq!(serde_json::from_str::<String>(&data).unwrap(), text);
    }
}
