//! Commands inside of the root, from [`nspawn_argv`], so that the script and the runner
//! cannot come to call systemd-nspawn differently.

use super::super::shell_words::{fold, word, word_with_root};
use super::input::value;
use crate::plan::command::{nspawn_argv, nspawn_boot_argv};
use crate::plan::{NspawnBoot, NspawnRun, ROOT_PLACEHOLDER};

/// Names that mean something to the script itself or to bash, and so cannot be set in
/// front of one of its functions.
const TAKEN: &[&str] = &[
    "ROOT",
    "OUT",
    "WORK",
    "KEEP",
    "PATH",
    "IFS",
    "UID",
    "EUID",
    "PPID",
    "SHELLOPTS",
    "BASHOPTS",
    "POSIXLY_CORRECT",
    "ENV",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LC_ALL",
    "GLOBIGNORE",
    "_",
    "GROUPS",
    "FUNCNAME",
    "DIRSTACK",
    "PIPESTATUS",
];

/// Whether an environment variable has to go through `env` or a flag instead of standing
/// in front of the command. The variables of the script's functions are in lower case.
pub fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name)
        || name.starts_with("BASH")
        || name.starts_with("SYSTEMD_")
        || name.starts_with("ROOTWRIGHT_")
        || !name.contains(|c: char| c.is_ascii_uppercase())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        || name.starts_with(|c: char| c.is_ascii_digit())
}

/// The flags of every container, up to the `--`.
fn base(network: bool) -> Vec<String> {
    let run = NspawnRun {
        network,
        ..NspawnRun::default()
    };
    let mut argv = nspawn_argv(&run, ROOT_PLACEHOLDER);
    argv.pop();
    argv
}

/// The words of a command in the root: environment, function, flags, `--`, argv.
pub fn words(run: &NspawnRun) -> Vec<String> {
    let mut common = base(run.network).into_iter().peekable();
    let mut argv = nspawn_argv(run, ROOT_PLACEHOLDER);
    let command = argv.split_off(argv.len() - run.argv.len());
    let mut words = assignments(run);
    words.push(function(run.network).to_owned());
    for flag in argv {
        // What every container has stands in the function.
        if common.peek() == Some(&flag) {
            common.next();
            continue;
        }
        words.push(with_value(run, &flag, word(&flag)));
    }
    words.extend(command.iter().map(|arg| word(arg)));
    words
}

/// What stands in front of a command, and the words of the command, that boots a root.
pub fn boot_words(boot: &NspawnBoot) -> (Vec<String>, Vec<String>) {
    let run = &boot.run;
    let network = if run.network { "online" } else { "offline" };
    let mut words = vec![
        "boot".to_owned(),
        network.to_owned(),
        boot.timeout.to_string(),
    ];
    let argv = nspawn_boot_argv(boot, ROOT_PLACEHOLDER);
    words.extend(
        argv.iter()
            .map(|flag| with_value(run, flag, word_with_root(flag))),
    );
    (assignments(run), words)
}

/// Variables that can be set in front of a function.
fn assignments(run: &NspawnRun) -> Vec<String> {
    let env = run.env.iter().filter(|(name, _)| !is_taken(name));
    env.map(|(name, text)| format!("{name}={}", value(text, word)))
        .collect()
}

/// A flag's word, with the value of the variable that it names where the script's own
/// stands in the way.
fn with_value(run: &NspawnRun, flag: &str, mut word_of_flag: String) -> String {
    let taken = flag
        .strip_prefix("--setenv=")
        .filter(|name| is_taken(name))
        .and_then(|name| run.env.get(name));
    if let Some(text) = taken {
        word_of_flag.push('=');
        word_of_flag.push_str(&value(text, word));
    }
    word_of_flag
}

pub fn function(network: bool) -> &'static str {
    if network { "in_root_online" } else { "in_root" }
}

/// The definition of [`function`].
pub fn definition(network: bool) -> String {
    let words: Vec<String> = base(network)
        .iter()
        .map(|arg| word_with_root(arg))
        .collect();
    let mut out = String::new();
    if network {
        out.push_str(
            "# Runs a command inside of the root, with the host's network and name resolution.\n\
             in_root_online() { # [FLAG...] -- COMMAND...\n    local status=0\n    dns_begin\n",
        );
    } else {
        out.push_str(
            "# Runs a command inside of the root, without a network.\n\
             in_root() { # [FLAG...] -- COMMAND...\n",
        );
    }
    for line in fold(&words, 4, 88, "        ") {
        if !line.starts_with(' ') {
            out.push_str("    ");
        }
        out.push_str(&line);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    if network {
        out.push_str(
            " \\\n        \"${passed[@]}\" \"$@\" || status=$?\n    dns_end\n    return \"$status\"\n}\n",
        );
    } else {
        out.push_str(" \\\n        \"$@\"\n}\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plan::{Bind, Text};

    #[test]
    fn function_and_call_together_are_the_whole_command_line() {
        let run = NspawnRun {
            argv: vec!["true".to_owned(), "a".to_owned()],
            env: BTreeMap::from([("DEBUG".to_owned(), Text::from("1"))]),
            user: Some("admin".to_owned()),
            cwd: Some("/srv".to_owned()),
            binds: vec![Bind {
                host: "/a".to_owned(),
                path: "/b".to_owned(),
                read_only: true,
            }],
            ..NspawnRun::default()
        };
        for network in [false, true] {
            let run = NspawnRun {
                network,
                ..run.clone()
            };
            let mut together = base(network);
            together.extend(words(&run).into_iter().skip(2));
            assert_eq!(together, nspawn_argv(&run, ROOT_PLACEHOLDER));
        }
    }

    #[test]
    fn a_variable_of_the_script_is_not_overwritten() {
        let run = NspawnRun {
            argv: vec!["true".to_owned()],
            env: BTreeMap::from([
                ("PATH".to_owned(), Text::from("/bin")),
                ("resolved".to_owned(), Text::from("x")),
            ]),
            ..NspawnRun::default()
        };
        assert_eq!(
            words(&run),
            [
                "in_root",
                "--setenv=PATH=/bin",
                "--setenv=resolved=x",
                "--",
                "true"
            ]
        );
    }
}
