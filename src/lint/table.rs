//! The lints as data: what the tables in the stdlib say.

use std::collections::BTreeSet;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer};

use super::Error;
use crate::diagnose::Severity;
use crate::plan::Transport;

/// One thing that a shared root can have wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lint {
    pub name: String,
    /// An error where nodes do not boot, disturb each other, or are open to anyone; a warning
    /// where they work, worse than they could; a note of what may well be meant so.
    pub severity: Severity,
    /// What comes of it; one or two sentences.
    pub reason: String,
    /// The function of the stdlib's `diskless` module that cures it.
    pub cure: String,
    /// Where it matters; everywhere when empty.
    #[serde(default)]
    pub transports: Vec<Transport>,
    #[serde(rename = "check")]
    pub checks: Vec<Check>,
}

/// A condition. What is looked at, what lets it pass, what is wrong with it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Check {
    /// What is said; `{path}`, and `{found}` for the first group of a pattern, for the
    /// names that are missing, or for what a kernel check has found.
    pub message: String,
    /// The lint's own where absent.
    pub severity: Option<Severity>,
    pub transports: Vec<Transport>,

    /// Patterns of paths.
    pub paths: Vec<String>,
    /// Everything below these directories, links not followed.
    pub below: Vec<String>,
    /// Patterns of paths in the initramfs; `*` goes over slashes.
    pub initramfs: Vec<String>,
    /// Units of systemd that are started and not masked.
    pub units: Vec<String>,
    /// Drivers of which one at least is in the initramfs, or built into its kernel.
    pub drivers: Vec<String>,
    /// A look at kernels, their modules and the initramfs.
    pub kernel: Option<KernelCheck>,

    /// Patterns of paths that are passed over; `*` goes over slashes.
    pub except: Vec<String>,
    /// Only where one of these is there.
    pub when: Vec<String>,
    /// Only where one of these units is started.
    pub when_units: Vec<String>,
    /// Not where one of these is there.
    pub unless: Vec<String>,
    /// Not where the kernel command line matches.
    pub unless_cmdline: Option<Pattern>,

    /// None of the paths is there.
    pub missing: bool,
    /// A line matches.
    pub line: Option<Pattern>,
    /// What `line` has found is fine where this matches.
    pub not: Option<Pattern>,
    /// No line of all the files matches.
    pub no_line: Option<Pattern>,
    /// The beginning of the file matches.
    pub content: Option<Pattern>,
    /// One of these bits of the mode is set.
    pub mode: Option<u32>,
    /// None of these bits is set.
    pub no_mode: Option<u32>,
    /// It is one of these kinds.
    pub kinds: Vec<FileKind>,
    /// It has this extended attribute.
    pub xattr: Option<String>,
    /// It lacks this extended attribute.
    pub no_xattr: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    File,
    Dir,
    Link,
    Socket,
    Fifo,
    Device,
}

/// What the versions of kernels have to agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelCheck {
    /// Neither an image nor modules are there.
    NoKernel,
    /// An image without modules of its version.
    ImageWithoutModules,
    /// The newest modules without an image of their version.
    ModulesWithoutImage,
    /// The newest image without an initramfs.
    NoInitramfs,
    /// An initramfs with modules of no version that has an image.
    OtherInitramfs,
    /// An initramfs that cannot be read.
    UnreadableInitramfs,
    /// Firmware that network drivers in the initramfs ask for, which only the root has.
    FirmwareLeftOut,
    /// Firmware that network drivers in the initramfs ask for, which nobody has.
    FirmwareMissing,
}

/// A regular expression over bytes, `^` and `$` at every line.
#[derive(Clone, Debug)]
pub struct Pattern(pub Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        RegexBuilder::new(&text)
            .multi_line(true)
            .unicode(false)
            .build()
            .map(Pattern)
            .map_err(serde::de::Error::custom)
    }
}

/// Where kernels and their initramfs are looked for in a root.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boot {
    pub kernels: Vec<String>,
    pub initramfs: Vec<String>,
    #[serde(default)]
    pub except: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    #[serde(default)]
    boot: Option<Boot>,
    #[serde(default)]
    lint: Vec<Lint>,
}

/// All lints.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub lints: Vec<Lint>,
    pub boot: Boot,
}

impl Table {
    /// Reads tables; `files` are their names and texts.
    ///
    /// # Errors
    /// When one is not what [`Lint`] describes, or a name stands twice.
    pub fn new(files: &[(String, String)]) -> Result<Table, Error> {
        let mut table = Table::default();
        for (name, text) in files {
            let file: TableFile = toml::from_str(text).map_err(|error| Error::Table {
                file: name.clone(),
                why: error.to_string(),
            })?;
            table.lints.extend(file.lint);
            if let Some(boot) = file.boot {
                table.boot = boot;
            }
        }
        let mut names = BTreeSet::new();
        for lint in &table.lints {
            let name = || lint.name.clone();
            if !names.insert(lint.name.as_str()) {
                return Err(Error::Twice { lint: name() });
            }
            for check in &lint.checks {
                let wrong = |why| Error::Check { lint: name(), why };
                check.makes_sense().map_err(wrong)?;
            }
        }
        Ok(table)
    }

    /// Without the lints of these names.
    ///
    /// # Errors
    /// [`Error::NoLint`] for a name that no lint has.
    pub fn without(mut self, names: &[String]) -> Result<Table, Error> {
        for name in names {
            if !self.lints.iter().any(|lint| lint.name == *name) {
                let known = self.lints.iter().map(|lint| lint.name.as_str());
                return Err(Error::NoLint {
                    name: name.clone(),
                    near: crate::diagnose::nearest(name, known).map(str::to_owned),
                });
            }
        }
        self.lints.retain(|lint| !names.contains(&lint.name));
        Ok(self)
    }
}

impl Check {
    fn makes_sense(&self) -> Result<(), &'static str> {
        let looked_at = [
            !self.paths.is_empty(),
            !self.below.is_empty(),
            !self.initramfs.is_empty(),
            !self.units.is_empty(),
            !self.drivers.is_empty(),
            self.kernel.is_some(),
        ];
        let contents = self.line.is_some() || self.content.is_some();
        let of_all = self.missing || self.no_line.is_some();
        match looked_at.iter().filter(|given| **given).count() {
            0 => Err(
                "it looks at nothing: `paths`, `below`, `initramfs`, `units`, `drivers` or `kernel`",
            ),
            1 if self.message.is_empty() => Err("it has no `message`"),
            1 if !self.below.is_empty() && (of_all || self.line.is_some()) => {
                Err("`below` goes with conditions on each file")
            }
            1 if of_all && contents => Err("`missing` and `no_line` stand alone"),
            1 => Ok(()),
            _ => Err("it looks at several things"),
        }
    }
}
