//! What the node is asked and what it answers, over its second serial port.
//!
//! Nothing is put into the root for that: words on the kernel command line start a shell
//! beside the system that comes up, which takes its script from the port and runs it as a
//! transient unit, because a unit of the boot itself cannot wait for the boot's end. They are
//! systemd's: in a root without it, what stands in front of `switch_root` in the initramfs does
//! the same (`initramfs.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::Error;

/// What the node says when it is ready to take its script.
pub const READY: &str = "rootwright-ready";
/// The line that ends the script.
const END: &str = "#end";
/// Where the stdlib's script takes the commands, and how many seconds it has.
const COMMANDS: &str = "@COMMANDS@";
const SECONDS: &str = "@SECONDS@";
/// What the node keeps of its time to say what it has seen.
const SPARE: Duration = Duration::from_secs(20);
/// Bytes of a command: what a serial port's buffers hold for sure.
const MOST: usize = 16 << 10;

/// The words for the kernel command line that start the check. The quotes are the kernel's;
/// nothing in it is expanded on the way (no `$`, no `%`).
pub fn words(console: &str, channel: &str) -> String {
    // In brackets: a service's own process would make the port its controlling terminal, and
    // the kernel hangs that up, for the check too, when it ends.
    let shell = format!(
        "(exec 3<>{channel}; stty raw -echo <&3; echo {READY} >&3; sed /^{END}/q <&3 >/run/rootwright-check); \
         exec systemd-run --quiet --no-block --unit=rootwright-check /bin/sh /run/rootwright-check {channel}"
    );
    format!(
        "console={console} panic=-1 systemd.unit=multi-user.target \
         systemd.wants=kernel-command-line.service systemd.run=\"/bin/sh -c '{shell}'\" \
         systemd.run_success_action=none systemd.run_failure_action=none"
    )
}

/// What starts the check where no systemd does, from the stdlib's text.
pub fn start(text: &str, channel: &str) -> String {
    text.replace("@CHANNEL@", channel)
        .replace("@READY@", READY)
        .replace("@END@", END)
}

/// The script for the node, but for the time that it has.
#[derive(Clone, Debug)]
pub struct Script(String);

impl Script {
    /// The stdlib's script with the commands in it.
    ///
    /// # Errors
    /// [`Error::Command`] for one that is too long.
    pub fn new(text: &str, commands: &[String]) -> Result<Script, Error> {
        let mut calls = String::new();
        for (number, command) in commands.iter().enumerate() {
            let (length, limit) = (command.len(), MOST);
            if length > limit {
                return Err(Error::Command { length, limit });
            }
            let quoted = crate::plan::command::quote(command);
            calls.push_str(&format!("run {number} {quoted}\n"));
        }
        // A line of a command that looks like the end would be one.
        let calls = calls.replace(&format!("\n{END}"), &format!("\n {END}"));
        let text = text.replace(COMMANDS, &calls);
        Ok(Script(format!("{text}\n{END}\n")))
    }

    /// The script for a node that has `left` to answer, less what the answer itself takes.
    pub fn with_time(&self, left: Duration) -> String {
        let spare = (left / 10).min(SPARE);
        let seconds = left.saturating_sub(spare).as_secs().max(1);
        self.0.replacen(SECONDS, &seconds.to_string(), 1)
    }
}

/// What the node has said.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    values: BTreeMap<String, Vec<String>>,
}

impl Facts {
    /// Takes a line; others than the check's are left alone. Gives the stage that it names.
    pub fn take(&mut self, line: &str) -> Option<String> {
        let said = line.trim().strip_prefix("rootwright ")?;
        let (name, value) = said.split_once(' ').unwrap_or((said, ""));
        self.add(name, value);
        (name == "stage").then(|| value.to_owned())
    }

    /// Something that others have seen of it.
    pub fn add(&mut self, name: &str, value: &str) {
        let values = self.values.entry(name.to_owned()).or_default();
        values.push(value.to_owned());
    }

    /// Whether it has said everything.
    pub fn complete(&self) -> bool {
        self.values.contains_key("end")
    }

    pub fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn one(&self, name: &str) -> &str {
        self.all(name).last().map_or("", String::as_str)
    }

    pub fn number(&self, name: &str) -> Option<u64> {
        self.one(name).parse().ok()
    }

    /// What a numbered command ended with, and the last lines that it printed.
    pub fn command(&self, number: usize) -> (String, Vec<String>) {
        let prefix = format!("{number} ");
        let of = |name: &str| -> Vec<String> {
            let values = self.all(name).iter();
            let own = values.filter_map(|value| value.strip_prefix(&prefix));
            own.map(str::to_owned).collect()
        };
        (of("status").pop().unwrap_or_default(), of("output"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_on_the_command_line_is_expanded_on_the_way() {
        let words = words("ttyS0", "/dev/ttyS1");
        assert!(!words.contains(['$', '%', '\\', '\n']));
        assert_eq!(words.matches('"').count(), 2);
        assert_eq!(words.matches('\'').count(), 2);
        assert!(words.len() < 700, "{}", words.len());
    }

    #[test]
    fn a_command_cannot_end_the_script() {
        let script = Script::new("before\n@COMMANDS@\nafter\n", &["a\n#end\nb".to_owned()]);
        let text = script.unwrap().with_time(Duration::from_secs(9));
        let ends = text.lines().filter(|line| line.starts_with(END)).count();
        assert_eq!(ends, 1);
        assert!(text.ends_with("after\n\n#end\n"), "{text}");
    }

    #[test]
    fn the_node_is_told_how_long_it_has() {
        let script = Script::new("end=@SECONDS@\n@COMMANDS@", &["echo @SECONDS@".to_owned()]);
        let text = script.unwrap().with_time(Duration::from_secs(600));
        assert!(text.starts_with("end=580\n"), "{text}");
        assert!(text.contains("echo @SECONDS@"), "{text}");
    }

    #[test]
    fn a_command_has_a_length_that_it_may_have() {
        let error = Script::new("", &["x".repeat(MOST + 1)]).unwrap_err();
        let report = error.report(&crate::diagnose::HintSet::default());
        assert_eq!(report.code, "boot::command");
        assert_eq!(
            report.message,
            "a command for the node has 16385 bytes, and 16384 is the most"
        );
        assert_eq!(report.help, ["put a script into the root, and call that"]);
    }

    #[test]
    fn facts_are_told_from_noise() {
        let mut facts = Facts::default();
        assert_eq!(
            facts.take("rootwright stage multi-user.target\r"),
            Some("multi-user.target".to_owned())
        );
        assert_eq!(facts.take("login: rootwright x"), None);
        facts.take("rootwright status 0 3");
        facts.take("rootwright output 0 a  b");
        facts.take("rootwright output 1 other");
        facts.take("rootwright failed ");
        assert_eq!(facts.command(0), ("3".to_owned(), vec!["a  b".to_owned()]));
        assert_eq!(facts.one("failed"), "");
        assert!(!facts.complete());
        facts.take("rootwright end");
        assert!(facts.complete());
    }
}
