//! What holds of a node that was booted, and what does not.

use std::path::PathBuf;

use serde::Serialize;

use super::guest::Facts;
use super::job::HOST;
use crate::plan::Format;

/// As the node's kernel names the type.
const NFS: &str = "nfs4";

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub what: String,
    pub holds: bool,
    /// What was found, in a few words.
    pub found: String,
    /// Lines that say more: a unit's journal, a command's output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

impl Check {
    pub fn new(what: impl Into<String>, holds: bool, found: impl Into<String>) -> Check {
        Check {
            what: what.into(),
            holds,
            found: found.into(),
            lines: Vec::new(),
        }
    }

    pub fn lines(self, lines: Vec<String>) -> Check {
        Check { lines, ..self }
    }
}

/// How long something took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Milestone {
    pub name: String,
    /// Since the start.
    pub seconds: f64,
}

/// All that is known of a boot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub export: String,
    /// `nfs`, `http` or `memory`.
    pub transport: &'static str,
    /// Whether it started from the firmware.
    pub firmware: bool,
    /// `KVM`, or `emulated`.
    pub accelerator: String,
    pub kernel: String,
    pub checks: Vec<Check>,
    /// On the node's own clock, from the start of its kernel.
    pub node_times: Vec<Milestone>,
    /// On this host's clock, from the start of QEMU.
    pub host_times: Vec<Milestone>,
    /// MiB that the node uses, and has.
    pub memory: (u64, u64),
    /// Bytes that the node's kernel received and sent, its initramfs included.
    pub wire: (u64, u64),
    /// Bytes of files that it got over HTTP, what the firmware loaded included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<u64>,
    /// How QEMU was called.
    pub command: String,
    /// All that the node's console said.
    pub console: PathBuf,
}

impl Verdict {
    pub fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }
}

/// What `/` of the node has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// An overlay over this type.
    Overlay(&'static str),
    /// This type itself, read-only.
    Plain(&'static str),
    /// The initramfs.
    Memory,
}

impl Expected {
    /// From the export's form and its kernel command line.
    pub fn of(format: &Format, cmdline: &str) -> Expected {
        let below = match format {
            Format::Cpio { .. } => return Expected::Memory,
            Format::Squashfs { .. } => "squashfs",
            Format::Erofs { .. } => "erofs",
            _ => NFS,
        };
        let is_overlay = |word: &str| {
            let (name, value) = word.split_once('=').unwrap_or((word, "1"));
            let on = !["0", "no", "off"].contains(&value);
            on && matches!(
                name,
                "rootwright.overlay" | "rd.overlay" | "rd.live.overlay.overlayfs"
            )
        };
        match cmdline.split_whitespace().any(is_overlay) {
            true => Expected::Overlay(below),
            false => Expected::Plain(below),
        }
    }
}

/// The checks that the node's own words answer.
pub fn checks(facts: &Facts, expected: Expected, commands: &[String]) -> Vec<Check> {
    let stages = facts.all("stage");
    let goal = goal(facts);
    let state = facts.one("state");
    let jobs = facts.all("job").iter();
    let reached = stages.iter().any(|stage| stage == goal);
    let up = Check::new(format!("reached {goal}"), reached, state);
    let mut checks = vec![up.lines(jobs.map(|job| format!("still to be done: {job}")).collect())];
    let (root, lower, source) = (facts.one("root"), facts.one("lower"), facts.one("source"));
    match expected {
        Expected::Overlay(below) => {
            let found = match lower {
                "" => root.to_owned(),
                lower => format!("{root} over {lower}, {source}"),
            };
            // Over NFS there could be another server's.
            let ours = below != NFS || source == format!("{HOST}:/");
            let holds = root == "overlay" && lower == below && ours;
            let what = format!("/ is an overlay over {below}");
            checks.push(Check::new(what, holds, found));
            let (what, refused) = ("what is below cannot be written", facts.one("lower-write"));
            checks.push(Check::new(what, refused == "refused", refused));
        }
        Expected::Plain(kind) => {
            let what = format!("/ is {kind} itself");
            checks.push(Check::new(what, root == kind, root));
        }
        Expected::Memory => {
            let holds = ["rootfs", "tmpfs", "ramfs"].contains(&root);
            checks.push(Check::new("/ is in memory", holds, root));
        }
    }
    if !matches!(expected, Expected::Plain(_)) {
        let write = facts.one("write");
        checks.push(Check::new("a write to / succeeds", write == "ok", write));
    }
    let failed = facts.all("failed");
    let found = match failed {
        // Whoever has not come that far has not looked.
        [] if state.is_empty() => "it has not said".to_owned(),
        [] => "none".to_owned(),
        units => units.join(", "),
    };
    let none = failed.is_empty() && !state.is_empty();
    let journal = facts.all("journal").to_vec();
    checks.push(Check::new("no unit has failed", none, found).lines(journal));
    for (number, command) in commands.iter().enumerate() {
        let (status, mut lines) = facts.command(number);
        let found = match status.as_str() {
            "" => "it has not said".to_owned(),
            "0" if lines.is_empty() => String::new(),
            "0" => lines.remove(0),
            // timeout(1)
            "124" => "exit status 124, as of a command that was not done in time".to_owned(),
            status => format!("exit status {status}"),
        };
        let shown = command.lines().next().unwrap_or_default();
        checks.push(Check::new(format!("`{shown}`"), status == "0", found).lines(lines));
    }
    checks
}

/// What a node is at when it is up, by its init: a target of systemd's, or a runlevel.
fn goal(facts: &Facts) -> &str {
    match facts.one("goal") {
        "" => "multi-user.target",
        goal => goal,
    }
}

/// The stages that the node's own service manager dates, in microseconds; without systemd the
/// check itself has looked at the clock.
pub fn node_times(facts: &Facts) -> Vec<Milestone> {
    let system = ("system", "the root's init");
    let stages = [("initramfs", "initramfs"), system, ("up", goal(facts))];
    let times = stages.into_iter().filter_map(|(fact, name)| {
        let micros = facts.number(fact).filter(|micros| *micros > 0)?;
        Some(Milestone {
            name: name.to_owned(),
            seconds: (micros / 1000) as f64 / 1000.0,
        })
    });
    times.collect()
}

/// For a node that came up, and was not done with answering in time.
pub fn unanswered(seconds: f64) -> Check {
    let found = format!("not after {seconds:.0} s");
    Check::new("all was looked at in time", false, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Compression;

    #[test]
    fn what_root_is_follows_from_the_command_line() {
        let squashfs = Format::Squashfs {
            compression: Compression::Zstd,
        };
        let live = "root=live:URL/root.squashfs rootwright.overlay=0 rd.live.overlay.overlayfs=1";
        assert_eq!(Expected::of(&squashfs, live), Expected::Overlay("squashfs"));
        assert_eq!(
            Expected::of(&Format::Dir, "root=nfs4:a:b rootwright.overlay=size=50%"),
            Expected::Overlay("nfs4")
        );
        assert_eq!(
            Expected::of(&Format::Dir, "root=nfs4:a:b ro rootwright.overlay=no"),
            Expected::Plain("nfs4")
        );
    }

    #[test]
    fn a_node_that_says_nothing_holds_nothing() {
        let expected = Expected::Overlay("nfs4");
        let checks = checks(&Facts::default(), expected, &["true".to_owned()]);
        let held: Vec<&Check> = checks.iter().filter(|check| check.holds).collect();
        assert!(held.is_empty(), "{held:?}");
    }

    #[test]
    fn a_failed_unit_is_named_with_its_journal() {
        let mut facts = Facts::default();
        facts.take("rootwright state degraded");
        facts.take("rootwright failed a.service");
        facts.take("rootwright journal a.service: no such file");
        let mut checks = checks(&facts, Expected::Memory, &[]).into_iter();
        let check = checks.find(|check| check.what.contains("unit")).unwrap();
        assert_eq!((check.holds, check.found.as_str()), (false, "a.service"));
        assert_eq!(check.lines, ["a.service: no such file"]);
    }
}
