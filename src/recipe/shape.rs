//! What a text may hold that becomes part of a file or a command line of a package manager. A
//! line break in an address would be a further line there, such as `Trusted: yes`.

use crate::plan::address::{CREDENTIALS_HELP, without_credentials};

/// How a text is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Shape {
    /// A line of its own.
    Line,
    /// One word among others.
    Word,
    /// An address.
    Url,
}

impl Shape {
    /// What's wrong with a text, and what to do.
    pub fn fault(self, text: &str) -> Option<(String, &'static str)> {
        if let Some(fault) = (self == Shape::Url).then(|| credentials(text)).flatten() {
            return Some(fault);
        }
        let shown = text.escape_debug();
        let whole = "what stands here becomes part of a line: give several as an array";
        if text.contains('\n') {
            return Some((format!("`{shown}` has a line break in it"), whole));
        }
        if text.contains(char::is_control) {
            return Some((format!("`{shown}` has a control character in it"), whole));
        }
        if self == Shape::Line {
            return None;
        }
        if text.is_empty() || text.contains(char::is_whitespace) {
            let help = "each word is a string of its own: `[\"a\", \"b\"]`";
            return Some((format!("`{shown}` is not one word"), help));
        }
        if text.starts_with('-') {
            let help = "leave the dash out: it would be read as an option";
            return Some((format!("`{shown}` starts with a dash"), help));
        }
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let in_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let is_url = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(in_scheme)
            && !text.contains(['"', '\'', '\\', '<', '>', '`']);
        let help = "it starts with `https://`, `http://` or `file:///`";
        (self == Shape::Url && !is_url).then(|| (format!("`{shown}` is no address"), help))
    }
}

/// The fault of an address with credentials, which the message doesn't repeat.
pub fn credentials(address: &str) -> Option<(String, &'static str)> {
    let left = without_credentials(address)?;
    let message = format!("`{}` has credentials in it", left.escape_debug());
    Some((message, CREDENTIALS_HELP))
}

#[cfg(test)]
mod tests {
    use super::Shape::{Line, Url, Word};

    #[test]
    fn texts_fit_their_use() {
        for (shape, good) in [
            (Line, "Vendor's packages (8)"),
            (Line, ""),
            (Word, "main/updates"),
            (Word, "main-backports"),
            (Url, "http://[2001:db8::1]:3142/archive"),
            (Url, "https://mirror.example.org/$repo/os/$arch"),
            (Url, "file:///srv/archive"),
            (Url, "mirror+file:/etc/mirrors"),
        ] {
            assert_eq!(shape.fault(good), None, "{good}");
        }
        for (shape, bad) in [
            (Line, "a\nb"),
            (Line, "a\rb"),
            (Line, "\u{1b}[2J"),
            (Word, ""),
            (Word, "a b"),
            (Word, "-o"),
            (Word, "main\nTrusted: yes"),
            (Url, "copy:/srv/u\nTrusted: yes"),
            (Url, "http://x [trusted=yes] y"),
            (Url, "/srv/archive"),
            (Url, "-oDir=/"),
            (Url, "http://x/\"y"),
            (Url, "https://user:word@mirror.example.org/"),
            (Url, "https://token@mirror.example.org/"),
        ] {
            assert!(shape.fault(bad).is_some(), "{bad}");
        }
    }
}
