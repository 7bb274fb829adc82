//! Known causes: a pattern over a tool's output, what it means, what to do.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::Report;

/// Programs whose output is that of others, which they run: a script's `apt-get` fails as
/// the recipe's own does.
const RUNNERS: [&str; 8] = [
    "sh",
    "bash",
    "dash",
    "ash",
    "busybox",
    "env",
    "chroot",
    "systemd-nspawn",
];

/// A match of more lines than these is shown by its first and its last.
const SHOWN_LINES: usize = 5;

/// A hint's pattern, compiled, may take this many bytes.
const PATTERN_LIMIT: usize = 1 << 20;

/// One known cause, as `hint(#{ tool, pattern, cause, help })` in a script declares it.
#[derive(Clone, Debug)]
pub struct Hint {
    /// The tools whose output is meant, by the names of their programs; `*` for any.
    pub tools: Vec<String>,
    /// `^` and `$` stand for the borders of lines.
    pub pattern: Regex,
    /// Output in which this hint has nothing to say, because a more exact one has: a package's
    /// script "exited 1", and what it ran had said why.
    pub unless: Option<Regex>,
    /// May name the pattern's groups: `{package}`.
    pub cause: String,
    pub help: String,
    /// Where it was declared, for people who look for it.
    pub origin: String,
}

/// A hint as it is written down, before it is checked.
#[derive(Clone, Debug, Default)]
pub struct Declaration {
    pub tools: Vec<String>,
    pub pattern: String,
    pub unless: Option<String>,
    pub cause: String,
    pub help: String,
    pub origin: String,
}

/// What is wrong with a declaration.
#[derive(Debug, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "hint::")]
pub enum HintError {
    #[error("the hint names no tool")]
    NoTool,
    #[error("`{field}` is no regular expression: {reason}")]
    BadPattern { field: &'static str, reason: String },
    #[error("`pattern` matches the empty text, and so every output")]
    MatchesEverything,
    #[error("`{field}` names `{{{group}}}`, which is no group of the pattern")]
    UnknownGroup { field: &'static str, group: String },
}

impl HintError {
    /// The field of the declaration that is at fault.
    pub fn field(&self) -> &'static str {
        match self {
            HintError::NoTool => "tool",
            HintError::MatchesEverything => "pattern",
            HintError::BadPattern { field, .. } | HintError::UnknownGroup { field, .. } => field,
        }
    }

    /// The stable name of the failure, without an area.
    pub fn code(&self) -> &'static str {
        <&str>::from(self).trim_start_matches("hint::")
    }
}

impl From<HintError> for Report {
    fn from(error: HintError) -> Report {
        let report = Report::new(<&str>::from(&error), error.to_string());
        match error {
            HintError::NoTool => report.help("`tool: \"dracut\"`, or `tool: \"*\"` for any"),
            HintError::BadPattern { .. } => report.help(
                "in a quoted string a backslash is written twice: `\\\\d`; in backticks once",
            ),
            HintError::MatchesEverything => {
                report.help("let the pattern hold the words of the failure")
            }
            HintError::UnknownGroup { group, .. } => {
                report.help(format!("name the group in the pattern: `(?<{group}>…)`"))
            }
        }
    }
}

impl Hint {
    /// Checks a declaration and compiles its patterns.
    pub fn new(declaration: Declaration) -> Result<Hint, HintError> {
        if declaration.tools.is_empty() {
            return Err(HintError::NoTool);
        }
        let pattern = compile("pattern", &declaration.pattern)?;
        if pattern.is_match("") {
            return Err(HintError::MatchesEverything);
        }
        let unless = declaration.unless.map(|text| compile("unless", &text));
        let unless = unless.transpose()?;
        for (field, text) in [("cause", &declaration.cause), ("help", &declaration.help)] {
            for (_, group) in placeholders(text) {
                if !pattern.capture_names().flatten().any(|name| name == group) {
                    return Err(HintError::UnknownGroup {
                        field,
                        group: group.to_owned(),
                    });
                }
            }
        }
        Ok(Hint {
            tools: declaration.tools,
            pattern,
            unless,
            cause: declaration.cause,
            help: declaration.help,
            origin: declaration.origin,
        })
    }

    /// What it says of an output; `None` when the output is not meant. Whose output it is, is
    /// not looked at.
    pub fn explain(&self, output: &str) -> Option<Explanation> {
        let captures = self.pattern.captures(output)?;
        let unless = self.unless.as_ref();
        if unless.is_some_and(|unless| unless.is_match(output)) {
            return None;
        }
        let whole = captures.get(0)?.range();
        Some(Explanation {
            cause: fill(&self.cause, &captures),
            help: fill(&self.help, &captures),
            lines: whole_lines(output, whole),
        })
    }
}

/// The cause and the help that a hint gives for one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub cause: String,
    pub help: String,
    /// The lines of the output that the pattern matched, whole; of many the first and the last.
    pub lines: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct HintSet {
    hints: Vec<Hint>,
}

impl HintSet {
    /// Adds another set's hints after these.
    pub fn extend(&mut self, other: HintSet) {
        self.hints.extend(other.hints);
    }

    pub fn push(&mut self, hint: Hint) {
        self.hints.push(hint);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Hint> {
        self.hints.iter()
    }

    /// What is known of an output, the most specific first: a hint for the very tool
    /// before one for any tool, then the one that matches the longer text. `tools` are the
    /// programs that made the output, by name; where one of them runs others (a shell), or
    /// none is known, hints for any tool are asked.
    pub fn explain(&self, tools: &[&str], output: &str) -> Vec<Explanation> {
        let runs_others = tools.is_empty() || tools.iter().any(|tool| RUNNERS.contains(tool));
        let mut found: Vec<(bool, usize, Explanation)> = Vec::new();
        for hint in &self.hints {
            let is_for =
                |wanted: &[&str]| hint.tools.iter().any(|own| wanted.contains(&own.as_str()));
            let exact = is_for(tools);
            if !exact && !runs_others && !is_for(&["*"]) {
                continue;
            }
            let Some(explanation) = hint.explain(output) else {
                continue;
            };
            let mut known = found.iter();
            if known.any(|(_, _, known)| known.cause == explanation.cause) {
                continue;
            }
            let length = hint.pattern.find(output).map_or(0, |m| m.len());
            found.push((exact, length, explanation));
        }
        found.sort_by_key(|(exact, length, _)| (!*exact, std::cmp::Reverse(*length)));
        found
            .into_iter()
            .map(|(_, _, explanation)| explanation)
            .collect()
    }
}

fn compile(field: &'static str, pattern: &str) -> Result<Regex, HintError> {
    RegexBuilder::new(pattern)
        .multi_line(true)
        .size_limit(PATTERN_LIMIT)
        .build()
        .map_err(|error| HintError::BadPattern {
            field,
            reason: error.to_string(),
        })
}

/// The `{name}` in a text, with their places; other braces are plain text.
fn placeholders(text: &str) -> Vec<(Range<usize>, &str)> {
    let mut found = Vec::new();
    for (start, _) in text.match_indices('{') {
        let (Some(before), Some(after)) = (text.get(..start), text.get(start + 1..)) else {
            continue;
        };
        // `#{` opens a map in the recipes that a help quotes.
        let Some((name, _)) = after.split_once('}').filter(|_| !before.ends_with('#')) else {
            continue;
        };
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            found.push((start..start + name.len() + 2, name));
        }
    }
    found
}

/// In one pass: what a group matched is not searched for placeholders.
fn fill(text: &str, captures: &regex::Captures<'_>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut done = 0;
    for (place, name) in placeholders(text) {
        filled.push_str(text.get(done..place.start).unwrap_or_default());
        filled.push_str(captures.name(name).map_or("", |m| m.as_str().trim()));
        done = place.end;
    }
    filled.push_str(text.get(done..).unwrap_or_default());
    filled
}

fn whole_lines(output: &str, matched: Range<usize>) -> Vec<String> {
    let before = output.get(..matched.start).unwrap_or_default();
    let after = output.get(matched.end..).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(output.len(), |at| matched.end + at);
    let lines: Vec<&str> = output
        .get(start..end)
        .unwrap_or_default()
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    match lines.as_slice() {
        [first, between @ .., last] if between.len() + 2 > SHOWN_LINES => {
            vec![(*first).to_owned(), (*last).to_owned()]
        }
        all => all.iter().map(|line| (*line).to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declaration(tool: &str, pattern: &str, cause: &str) -> Declaration {
        Declaration {
            tools: vec![tool.to_owned()],
            pattern: pattern.to_owned(),
            cause: cause.to_owned(),
            help: "look".to_owned(),
            ..Declaration::default()
        }
    }

    fn hint(tool: &str, pattern: &str, cause: &str) -> Hint {
        Hint::new(declaration(tool, pattern, cause)).unwrap()
    }

    #[test]
    fn a_group_is_filled_in_once_and_other_braces_stay() {
        let hint = hint("a", "no (?<file>\\S+)", "`{file}` in `#{ file: 1 }` and {}");
        let known = hint.explain("x: no {file} there\n").unwrap();
        assert_eq!(known.cause, "`{file}` in `#{ file: 1 }` and {}");
        assert_eq!(
            hint.explain("no b").unwrap().cause,
            "`b` in `#{ file: 1 }` and {}"
        );
    }

    #[test]
    fn the_lines_are_whole() {
        let known = hint("a", "two\n.*three", "c")
            .explain("one\nline two\nand three, too\nfour")
            .unwrap();
        assert_eq!(known.lines, ["line two", "and three, too"]);
        let known = hint("a", "(?s)one.*seven", "c")
            .explain("one\n2\n3\n4\n5\n6\nseven\n")
            .unwrap();
        assert_eq!(known.lines, ["one", "seven"]);
    }

    #[test]
    fn the_most_specific_comes_first_and_none_twice() {
        let mut set = HintSet::default();
        for hint in [
            hint("*", "failed .*", "any"),
            hint("a", "failed", "short"),
            hint("a", "failed to", "long"),
            hint("a", "failed t", "short"),
            hint("b", "failed", "other"),
        ] {
            set.push(hint);
        }
        let causes: Vec<String> = set
            .explain(&["a"], "it failed to start")
            .into_iter()
            .map(|e| e.cause)
            .collect();
        assert_eq!(causes, ["long", "short", "any"]);
    }

    #[test]
    fn a_shell_speaks_for_what_it_ran() {
        let mut set = HintSet::default();
        set.push(hint("a", "failed", "of a"));
        set.push(hint("sh", "failed", "of the shell"));
        assert_eq!(set.explain(&["b"], "failed"), []);
        assert_eq!(set.explain(&[], "failed").len(), 2);
        assert_eq!(set.explain(&["sh"], "failed")[0].cause, "of the shell");
        assert_eq!(set.explain(&["sh"], "failed")[1].cause, "of a");
    }

    #[test]
    fn unless_silences() {
        let hint = Hint::new(Declaration {
            unless: Some("^because".to_owned()),
            ..declaration("a", "failed", "c")
        })
        .unwrap();
        assert!(hint.explain("it failed").is_some());
        assert!(hint.explain("it failed\nbecause of that").is_none());
    }

    #[test]
    fn a_wrong_declaration_says_which_field() {
        let refused = |d: Declaration| Hint::new(d).unwrap_err();
        assert_eq!(refused(declaration("a", "(", "c")).field(), "pattern");
        assert_eq!(
            refused(declaration("a", "x*", "c")).code(),
            "matches_everything"
        );
        assert_eq!(
            refused(declaration("a", "(?<a>x)", "{b}")).to_string(),
            "`cause` names `{b}`, which is no group of the pattern"
        );
        assert_eq!(
            refused(Declaration {
                tools: Vec::new(),
                ..declaration("a", "x", "c")
            })
            .field(),
            "tool"
        );
    }
}
