//! Known causes: a pattern over a tool's output, what it means, what to do.

use regex::Regex;

/// One known cause, as `hint(#{ tool, pattern, cause, help })` in a script declares it.
#[derive(Clone, Debug)]
pub struct Hint {
    /// The tool whose output is meant, by the name of its program; `*` for any.
    pub tool: String,
    pub pattern: Regex,
    /// May name the pattern's groups: `{package}`.
    pub cause: String,
    pub help: String,
    /// Where it was declared, for people who look for it.
    pub origin: String,
}

/// The cause and the help that a hint gives for one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub cause: String,
    pub help: String,
    /// The lines of the output that the pattern matched.
    pub lines: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct HintSet {
    hints: Vec<Hint>,
}

impl HintSet {
    pub fn push(&mut self, hint: Hint) {
        self.hints.push(hint);
    }

    pub fn iter(&self) -> impl Iterator<Item = &Hint> {
        self.hints.iter()
    }

    /// What is known of an output, the most specific first: a hint for the very tool
    /// before one for any tool, then the one that matches the longer text.
    pub fn explain(&self, tools: &[&str], output: &str) -> Vec<Explanation> {
        let mut found: Vec<(bool, usize, Explanation)> = Vec::new();
        for hint in &self.hints {
            let exact = tools.iter().any(|tool| *tool == hint.tool);
            if !exact && hint.tool != "*" {
                continue;
            }
            let Some(captures) = hint.pattern.captures(output) else {
                continue;
            };
            let whole = captures.get(0).map_or("", |m| m.as_str());
            let explanation = Explanation {
                cause: fill(&hint.cause, &hint.pattern, &captures),
                help: fill(&hint.help, &hint.pattern, &captures),
                lines: whole.lines().map(str::to_owned).collect(),
            };
            found.push((exact, whole.len(), explanation));
        }
        found.sort_by_key(|(exact, length, _)| (!*exact, std::cmp::Reverse(*length)));
        found
            .into_iter()
            .map(|(_, _, explanation)| explanation)
            .collect()
    }
}

fn fill(text: &str, pattern: &Regex, captures: &regex::Captures<'_>) -> String {
    let mut filled = text.to_owned();
    for name in pattern.capture_names().flatten() {
        let value = captures.name(name).map_or("", |m| m.as_str());
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}
