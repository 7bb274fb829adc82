//! What people write from the habit of another language, and what Rhai has instead.
//!
//! A habit is looked for only where an error has been found already, in the line of the
//! error and at its place: it explains, it never refuses.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Deserializer};

use super::stdlib::Stdlib;

/// Which errors a habit explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// A word that means nothing here.
    Name,
    /// Something that does not parse.
    Syntax,
    /// A function, a property or an operator that is not there for these values.
    Call,
}

/// The stdlib's `language/other_languages.toml`, which documents the fields.
#[derive(Default, Deserialize)]
struct Table {
    habit: Vec<Habit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Habit {
    on: Vec<When>,
    #[serde(deserialize_with = "regex")]
    pattern: Regex,
    #[serde(default = "unknown_word")]
    message: String,
    help: String,
}

fn regex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    let pattern = String::deserialize(deserializer)?;
    Regex::new(&pattern).map_err(serde::de::Error::custom)
}

fn unknown_word() -> String {
    "Rhai has no `{at}`".to_owned()
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let text = Stdlib::default().text("language/other_languages.toml");
    // A test checks that it parses; without the table, errors lack an explanation only.
    toml::from_str(&text.unwrap_or_default()).unwrap_or_default()
});

/// A habit that was found, in words.
pub struct Explanation {
    /// The bytes of the line to underline.
    pub range: Range<usize>,
    pub message: String,
    pub help: String,
}

/// Bytes of a line in which a habit is looked for: people write no longer ones.
const LINE_BYTES: usize = 2_000;

/// The habit that explains an error at byte `at` of `line`.
pub fn find(line: &str, at: usize, when: When) -> Option<Explanation> {
    if line.len() > LINE_BYTES {
        return None;
    }
    let mut habits = TABLE.habit.iter().filter(|habit| habit.on.contains(&when));
    habits.find_map(|habit| {
        habit.pattern.captures_iter(line).find_map(|groups| {
            let whole = groups.get(0)?.range();
            let place = groups.name("at").or_else(|| groups.name("at2"))?;
            if !(whole.start..whole.end.max(whole.start + 1)).contains(&at) {
                return None;
            }
            Some(Explanation {
                range: place.range(),
                message: fill(&habit.message, &groups),
                help: fill(&habit.help, &groups),
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
        assert!(!TABLE.habit.is_empty());
        for habit in &TABLE.habit {
            let mut names = habit.pattern.capture_names();
            assert!(names.any(|name| name == Some("at")));
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
