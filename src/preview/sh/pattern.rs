//! Rust's regular expressions and replacements for Perl.
//!
//! A pattern is parsed as the regex crate parses it and written in the few constructs that
//! mean the same in Perl: what `\d` or `(?i)` stand for, `^` behind the last line break and
//! the like can't differ then.

use std::fmt::Write as _;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind, Look};

/// Perl takes no larger bound of a repetition.
const MOST: u32 = 32_000;

/// A pattern for lines of output, or with `multi_line` for the text of a file.
///
/// # Errors
/// What is wrong with it.
pub fn perl(pattern: &str, multi_line: bool) -> Result<String, String> {
    let hir = parse(pattern, multi_line)?;
    let mut perl = Perl {
        out: String::new(),
        multi_line,
    };
    perl.write(&hir)?;
    Ok(perl.out)
}

fn parse(pattern: &str, multi_line: bool) -> Result<Hir, String> {
    let mut parser = ParserBuilder::new().multi_line(multi_line).build();
    parser.parse(pattern).map_err(|error| error.to_string())
}

struct Perl {
    out: String,
    multi_line: bool,
}

impl Perl {
    fn write(&mut self, hir: &Hir) -> Result<(), String> {
        match hir.kind() {
            HirKind::Empty => self.out.push_str("(?:)"),
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).map_err(|error| error.to_string())?;
                text.chars().for_each(|c| push(&mut self.out, c, false));
            }
            HirKind::Class(Class::Unicode(class)) => self.out.push_str(&named(class)),
            HirKind::Class(Class::Bytes(class)) => match class.to_unicode_class() {
                Some(class) => self.out.push_str(&ranges(&class)),
                None => return Err("it matches bytes that are not UTF-8".to_owned()),
            },
            HirKind::Look(look) => self.look(*look),
            HirKind::Repetition(repetition) => {
                self.atom(&repetition.sub)?;
                let (min, max) = (repetition.min, repetition.max);
                if min > MOST || max.is_some_and(|max| max > MOST) {
                    return Err(format!("it repeats something more than {MOST} times"));
                }
                let quantifier = match (min, max) {
                    (0, Some(1)) => "?".to_owned(),
                    (0, None) => "*".to_owned(),
                    (1, None) => "+".to_owned(),
                    (min, None) => format!("{{{min},}}"),
                    (min, Some(max)) if min == max => format!("{{{min}}}"),
                    (min, Some(max)) => format!("{{{min},{max}}}"),
                };
                self.out.push_str(&quantifier);
                if !repetition.greedy {
                    self.out.push('?');
                }
            }
            HirKind::Capture(capture) => {
                self.out.push('(');
                self.write(&capture.sub)?;
                self.out.push(')');
            }
            HirKind::Concat(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    let rest = parts.get(at + 1..).unwrap_or_default();
                    let consumes = |part: &Hir| part.properties().minimum_len() > Some(0);
                    match part.kind() {
                        // At the end of the text, where Perl's `^` differs, nothing follows.
                        HirKind::Look(Look::StartLF) if rest.iter().any(consumes) => {
                            self.out.push('^');
                        }
                        HirKind::Alternation(_) => self.group(part)?,
                        _ => self.write(part)?,
                    }
                }
            }
            HirKind::Alternation(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        self.out.push('|');
                    }
                    self.write(part)?;
                }
            }
        }
        Ok(())
    }

    /// What a quantifier can follow.
    fn atom(&mut self, hir: &Hir) -> Result<(), String> {
        let single = match hir.kind() {
            HirKind::Literal(literal) => {
                std::str::from_utf8(&literal.0).is_ok_and(|text| text.chars().count() == 1)
            }
            HirKind::Class(_) | HirKind::Capture(_) => true,
            _ => false,
        };
        if single {
            self.write(hir)
        } else {
            self.group(hir)
        }
    }

    fn group(&mut self, hir: &Hir) -> Result<(), String> {
        self.out.push_str("(?:");
        self.write(hir)?;
        self.out.push(')');
        Ok(())
    }

    fn look(&mut self, look: Look) {
        self.out.push_str(match look {
            // A line has no line break inside.
            Look::Start if !self.multi_line => "^",
            Look::End if !self.multi_line => "$",
            Look::Start => r"\A",
            Look::End => r"\z",
            // Perl's `^` does not match behind a line break that ends the text.
            Look::StartLF => r"(?:^|\z(?<=\n))",
            Look::EndLF => "$",
            Look::StartCRLF => r"(?:\A|(?<=\n)|(?<=\r)(?!\n))",
            Look::EndCRLF => r"(?:\z|(?=\r)|(?<!\r)(?=\n))",
            Look::WordAscii => r"(?a:\b)",
            Look::WordAsciiNegate => r"(?a:\B)",
            Look::WordUnicode => r"\b",
            Look::WordUnicodeNegate => r"\B",
            Look::WordStartAscii => r"(?a:(?<!\w)(?=\w))",
            Look::WordEndAscii => r"(?a:(?<=\w)(?!\w))",
            Look::WordStartUnicode => r"(?<!\w)(?=\w)",
            Look::WordEndUnicode => r"(?<=\w)(?!\w)",
            Look::WordStartHalfAscii => r"(?a:(?<!\w))",
            Look::WordEndHalfAscii => r"(?a:(?!\w))",
            Look::WordStartHalfUnicode => r"(?<!\w)",
            Look::WordEndHalfUnicode => r"(?!\w)",
        });
    }
}

/// A class by its usual name where it has one: Unicode's digits are 70 ranges.
fn named(class: &ClassUnicode) -> String {
    for name in [".", r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"] {
        if let Ok(hir) = parse(name, false)
            && matches!(hir.kind(), HirKind::Class(Class::Unicode(known)) if known == class)
        {
            return name.to_owned();
        }
    }
    ranges(class)
}

fn ranges(class: &ClassUnicode) -> String {
    let mut negated = class.clone();
    negated.negate();
    let (lead, class) = match negated.ranges().len() < class.ranges().len() {
        true => ("[^", &negated),
        false => ("[", class),
    };
    if class.ranges().is_empty() {
        return match lead {
            "[^" => "(?s:.)".to_owned(),
            _ => "(?!)".to_owned(),
        };
    }
    let mut out = lead.to_owned();
    for range in class.ranges() {
        push(&mut out, range.start(), true);
        if range.start() != range.end() {
            if u32::from(range.end()) - u32::from(range.start()) > 1 {
                out.push('-');
            }
            push(&mut out, range.end(), true);
        }
    }
    out.push(']');
    out
}

/// A character as itself. In a class, only letters and digits of ASCII stand unescaped.
fn push(out: &mut String, c: char, in_class: bool) {
    let plain = match in_class {
        true => c.is_ascii_alphanumeric() || " =:.,;_/#%".contains(c),
        false => c.is_alphanumeric() || " =:,;_/%<>'\"!&~-`".contains(c),
    };
    match c {
        c if plain => out.push(c),
        '\n' => out.push_str(r"\n"),
        '\t' => out.push_str(r"\t"),
        c if c.is_ascii_punctuation() => {
            // In a literal without `x`, this begins no comment.
            if in_class || c != '#' {
                out.push('\\');
            }
            out.push(c);
        }
        c => {
            let _ = write!(out, "\\x{{{:x}}}", u32::from(c));
        }
    }
}

/// A piece of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    Literal(String),
    /// A group of the match by its number.
    Group(usize),
}

/// What a replacement of the regex crate consists of: `$1`, `${name}`, `$$`. A group that the
/// pattern does not have is empty.
pub fn replacement(pattern: &str, text: &str) -> Vec<Replacement> {
    let regex = regex::Regex::new(pattern).ok();
    let names: Vec<Option<&str>> = regex
        .as_ref()
        .map_or_else(Vec::new, |regex| regex.capture_names().collect());
    let group = |name: &str| match name.parse::<usize>() {
        Ok(number) => Some(number).filter(|number| *number < names.len()),
        Err(_) => names.iter().position(|known| *known == Some(name)),
    };
    let mut out = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        literal.push_str(before);
        let braced = after
            .strip_prefix('{')
            .and_then(|name| name.split_once('}'));
        let end = after.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        let (name, behind) = match braced {
            Some(braced) => braced,
            None => after.split_at(end.unwrap_or(after.len())),
        };
        if let Some(behind) = after.strip_prefix('$') {
            literal.push('$');
            rest = behind;
        } else if name.is_empty() && braced.is_none() {
            literal.push('$');
            rest = after;
        } else {
            if let Some(number) = group(name) {
                if !literal.is_empty() {
                    out.push(Replacement::Literal(std::mem::take(&mut literal)));
                }
                out.push(Replacement::Group(number));
            }
            rest = behind;
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        out.push(Replacement::Literal(literal));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_patterns_stay_as_they_are() {
        for pattern in [
            "^#?(key) *=.*$",
            "[0-9]+",
            r"\s+$",
            r"^\d+\w?\S*\b",
            "a+?(?:bc)*",
            "x{2,3}y{2,}z{4}",
            "^# *(en_US.UTF-8 UTF-8)$",
        ] {
            assert_eq!(perl(pattern, true).unwrap(), pattern);
        }
    }

    #[test]
    fn what_differs_is_translated() {
        for (pattern, is) in [
            ("^", r"(?:^|\z(?<=\n))"),
            (r"a\z", r"a\z"),
            ("(?P<n>a)", "(a)"),
            ("(?i)ab", "[Aa][Bb]"),
            ("[a-c&&[^b]]", "[ac]"),
            ("[[:alpha:]]", "[A-Za-z]"),
            (r"\bx\>", r"\bx(?<=\w)(?!\w)"),
            ("[^ü]", r"[^\x{fc}]"),
            ("@|\\$|/", r"[\$/\@]"),
        ] {
            assert_eq!(perl(pattern, true).unwrap(), is, "{pattern}");
        }
        assert_eq!(perl("^a$", false).unwrap(), "^a$");
        assert!(perl("a(", false).is_err());
    }

    #[test]
    fn replacements_are_parsed_as_the_regex_crate_does() {
        let of = |text| replacement("(a)(?P<n>b)", text);
        let literal = |text: &str| Replacement::Literal(text.to_owned());
        assert_eq!(
            of("[$1|$n]"),
            [
                literal("["),
                Replacement::Group(1),
                literal("|"),
                Replacement::Group(2),
                literal("]"),
            ]
        );
        assert_eq!(
            of("$$ ${1}x $1x ${ $"),
            [literal("$ "), Replacement::Group(1), literal("x  ${ $"),]
        );
    }
}
