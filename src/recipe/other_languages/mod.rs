//! What people write from the habit of another language, and what Rhai has instead.
//!
//! A habit is looked for only where an error has been found already, in the line of the
//! error and at its place: it explains, it never refuses.

mod table;

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use table::TABLE;

/// Which errors a habit explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A word that means nothing here.
    Name,
    /// Something that does not parse.
    Syntax,
    /// A function, a property or an operator that is not there for these values.
    Call,
}

/// A row of the table. The texts may name groups of the pattern; `at` is what is
/// underlined, and every pattern has it.
struct Habit {
    when: &'static [When],
    pattern: &'static str,
    message: &'static str,
    help: &'static str,
}

const fn habit(
    when: &'static [When],
    pattern: &'static str,
    message: &'static str,
    help: &'static str,
) -> Habit {
    Habit {
        when,
        pattern,
        message,
        help,
    }
}

static COMPILED: LazyLock<Vec<(Option<Regex>, &'static Habit)>> = LazyLock::new(|| {
    TABLE
        .iter()
        .map(|habit| (Regex::new(habit.pattern).ok(), habit))
        .collect()
});

/// A habit that was found, in words.
pub struct Found {
    /// The bytes of the line to underline.
    pub range: Range<usize>,
    pub message: String,
    pub help: String,
}

/// Bytes of a line in which a habit is looked for: people write no longer ones.
const LINE_BYTES: usize = 2_000;

/// The habit that explains an error at byte `at` of `line`.
pub fn find(line: &str, at: usize, when: When) -> Option<Found> {
    if line.len() > LINE_BYTES {
        return None;
    }
    COMPILED
        .iter()
        .filter(|(_, habit)| habit.when.contains(&when))
        .find_map(|(pattern, habit)| {
            pattern.as_ref()?.captures_iter(line).find_map(|groups| {
                let whole = groups.get(0)?.range();
                let place = groups.name("at").or_else(|| groups.name("at2"))?;
                if !(whole.start..whole.end.max(whole.start + 1)).contains(&at) {
                    return None;
                }
                Some(Found {
                    range: place.range(),
                    message: fill(habit.message, &groups),
                    help: fill(habit.help, &groups),
                })
            })
        })
}

/// Puts the groups of a match into a text: `{name}`.
fn fill(text: &str, groups: &regex::Captures<'_>) -> String {
    let names = ["at", "name", "path", "text"];
    names.iter().fold(text.to_owned(), |text, name| {
        let value = groups.name(name).map_or("…", |found| found.as_str().trim());
        text.replace(&format!("{{{name}}}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_one_and_has_its_place() {
        for (pattern, habit) in COMPILED.iter() {
            let pattern = pattern
                .as_ref()
                .unwrap_or_else(|| panic!("{}", habit.pattern));
            assert!(pattern.capture_names().any(|name| name == Some("at")));
            assert!(!habit.message.ends_with('.') && !habit.help.ends_with('.'));
        }
    }

    #[test]
    fn a_habit_is_found_at_the_place_of_the_error_only() {
        let line = "if a and b { log(\"x or y\" + c); }";
        assert!(find(line, 5, When::Syntax).is_some());
        assert!(find(line, 28, When::Name).is_none());
    }
}
