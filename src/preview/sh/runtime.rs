//! The functions of the runtime that a script uses.

use std::collections::BTreeSet;

use crate::plan::command::SHELL_RUNTIME;

/// A block of the runtime: functions that belong together.
struct Block {
    names: Vec<&'static str>,
    /// A program beyond those that every host has, and why it is needed.
    tool: Option<(&'static str, &'static str)>,
    source: &'static str,
}

/// The head of the runtime, and its blocks.
fn blocks() -> (&'static str, Vec<Block>) {
    let (head, rest) = SHELL_RUNTIME
        .split_once("\n#: ")
        .unwrap_or((SHELL_RUNTIME, ""));
    let block = |text: &'static str| {
        let (line, source) = text.split_once('\n').unwrap_or((text, ""));
        let (names, tool) = match line.split_once(" | ") {
            Some((names, tool)) => (names, tool.split_once(": ")),
            None => (line, None),
        };
        Block {
            names: names.split(' ').collect(),
            tool,
            source,
        }
    };
    (head, rest.split("\n#: ").map(block).collect())
}

/// What a script needs that calls some functions.
pub struct Used {
    /// Their source, with that of the functions they call.
    pub source: String,
    pub tools: Vec<(&'static str, &'static str)>,
}

pub fn used(calls: &BTreeSet<&'static str>) -> Used {
    let (head, blocks) = blocks();
    let mut wanted: BTreeSet<&str> = calls.clone();
    let is_wanted = |block: &Block, wanted: &BTreeSet<&str>| {
        block.names.iter().any(|name| wanted.contains(name))
    };
    loop {
        let before = wanted.len();
        for block in &blocks {
            if is_wanted(block, &wanted) {
                let code = block
                    .source
                    .lines()
                    .filter(|line| !line.trim_start().starts_with('#'));
                let words = code
                    .flat_map(|line| line.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()));
                wanted.extend(words);
                wanted.extend(&block.names);
            }
        }
        if wanted.len() == before {
            break;
        }
    }
    // The version and what it says to shellcheck.
    let version = head.lines().nth(1).unwrap_or_default();
    let disable = head.lines().filter(|line| line.contains("disable="));
    let mut source = format!("{version}\n");
    for line in disable {
        source.push_str(line);
        source.push('\n');
    }
    let mut tools = Vec::new();
    for block in blocks.iter().filter(|block| is_wanted(block, &wanted)) {
        source.push('\n');
        source.push_str(block.source.trim_matches('\n'));
        source.push('\n');
        tools.extend(block.tool);
    }
    Used { source, tools }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::command::PASSED_ON;

    #[test]
    fn every_function_is_in_a_block_that_names_it() {
        let (_, blocks) = blocks();
        for block in &blocks {
            for name in &block.names {
                let defined = format!("{name}() {{");
                assert!(block.source.contains(&defined), "{name}");
                let (above, _) = block.source.split_once(&defined).unwrap();
                let comment = above.trim_end_matches('\n').lines().last();
                assert!(
                    comment.is_some_and(|line| line.starts_with('#')),
                    "{name} has no comment"
                );
            }
        }
        let edit = used(&BTreeSet::from(["edit_file"]));
        assert!(edit.source.contains("\nfollow() {") && !edit.source.contains("boot_in_root"));
        assert_eq!(edit.tools, [("perl", "edits files")]);
    }

    #[test]
    fn it_passes_on_what_a_build_passes_on() {
        for name in PASSED_ON {
            assert!(SHELL_RUNTIME.contains(name), "{name}");
        }
    }
}
