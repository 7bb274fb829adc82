//! The machine that a node is booted on: QEMU, and what speeds it up.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use fs_err as fs;
use regex::Regex;
use serde::Deserialize;

use super::Error;
use crate::plan::Transport;
use crate::run::process::Process;

/// The stdlib's table of machines, `boot/machines.toml`.
#[derive(Debug, Deserialize)]
pub struct Machines {
    died: Patterns,
    failed: Patterns,
    /// The programs that serve a root, by transport.
    servers: BTreeMap<String, String>,
    milestones: BTreeMap<String, String>,
    #[serde(flatten)]
    machines: BTreeMap<String, Machine>,
}

#[derive(Debug, Deserialize)]
struct Patterns {
    patterns: Vec<String>,
}

/// How QEMU is called for one machine.
#[derive(Clone, Debug, Deserialize)]
pub struct Machine {
    pub program: String,
    pub arguments: Vec<String>,
    /// As the kernel names the first serial port.
    pub console: String,
    /// The second, as a path inside of the node.
    pub channel: String,
    pub network: String,
    /// The accelerator that is tried.
    accelerator: String,
    /// Characters that a kernel command line may have.
    pub cmdline: usize,
}

/// What lines of the console mean.
#[derive(Clone, Debug)]
pub struct Marks {
    pub died: Vec<Regex>,
    /// The first group has the services that did not start.
    failed: Vec<Regex>,
    pub milestones: Vec<(String, Regex)>,
}

impl Machines {
    /// # Errors
    /// [`Error::Table`] when the table cannot be read.
    pub fn new(table: &str) -> Result<Self, Error> {
        toml::from_str(table).map_err(unreadable)
    }

    /// The machine by the kernel's name of it.
    ///
    /// # Errors
    /// [`Error::Machine`] for one that the table has not.
    pub fn get(&self, name: &str) -> Result<&Machine, Error> {
        self.machines.get(name).ok_or_else(|| Error::Machine {
            name: name.to_owned(),
            known: self.machines.keys().cloned().collect(),
        })
    }

    /// The program that serves a root over NFS.
    ///
    /// # Errors
    /// [`Error::Table`] when the table names none.
    pub fn nfs_server(&self) -> Result<&str, Error> {
        let server = self.servers.get(Transport::Nfs.name());
        let server = server.map(String::as_str);
        server.ok_or_else(|| unreadable("`servers` names none for `nfs`"))
    }

    /// # Errors
    /// [`Error::Table`] when a pattern is none.
    pub fn marks(&self) -> Result<Marks, Error> {
        let pattern = |text: &String| Regex::new(text).map_err(unreadable);
        let patterns = |of: &Patterns| of.patterns.iter().map(pattern).collect::<Result<_, _>>();
        let milestones = self.milestones.iter();
        Ok(Marks {
            died: patterns(&self.died)?,
            failed: patterns(&self.failed)?,
            milestones: milestones
                .map(|(name, text)| Ok((name.clone(), pattern(text)?)))
                .collect::<Result<_, Error>>()?,
        })
    }
}

fn unreadable(error: impl ToString) -> Error {
    let message = error.to_string();
    Error::Table { message }
}

impl Marks {
    /// The services that did not start, by what a console says.
    pub fn failed(&self, console: &str) -> Vec<String> {
        let mut found = Vec::new();
        for line in console.lines() {
            let names = self.failed.iter().filter_map(|pattern| {
                let names = pattern.captures(line)?.get(1)?;
                Some(names.as_str().split_whitespace().map(str::to_owned))
            });
            found.extend(names.flatten());
        }
        found
    }
}

/// How the guest's processor runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accelerator {
    /// As `-accel` takes it.
    pub argument: String,
    /// For people.
    pub name: String,
}

/// How long a kernel has for its first line, where an accelerator is tried.
const FIRST_LINE: Duration = Duration::from_secs(5);

impl Machine {
    /// The accelerator where a kernel really runs on it, else emulation. A device file is
    /// no proof: there are hosts on which it answers and a guest hangs.
    ///
    /// # Errors
    /// When QEMU cannot be started.
    pub fn accelerator(&self, kernel: &Path, folder: &Path) -> Result<Accelerator, Error> {
        let device = Path::new("/dev").join(&self.accelerator);
        if device.exists() && self.runs(kernel, folder)? {
            return Ok(Accelerator {
                argument: self.accelerator.clone(),
                name: self.accelerator.to_uppercase(),
            });
        }
        Ok(Accelerator {
            argument: "tcg,thread=multi".to_owned(),
            name: "emulated".to_owned(),
        })
    }

    /// QEMU, its arguments for the machine, and more.
    pub fn argv(&self, more: &[&[&str]]) -> Vec<String> {
        let own = std::iter::once(&self.program).chain(&self.arguments);
        let own = own.map(String::as_str);
        own.chain(more.concat()).map(str::to_owned).collect()
    }

    /// Whether the kernel says anything at all on the accelerator.
    fn runs(&self, kernel: &Path, folder: &Path) -> Result<bool, Error> {
        let console = folder.join("probe");
        let port = self.console.as_str();
        let argv = self.argv(&[
            &["-accel", &self.accelerator, "-m", "256", "-nodefaults"],
            &["-display", "none", "-monitor", "none", "-no-reboot"],
            &["-serial", &format!("file:{}", console.display())],
            &["-kernel", &kernel.display().to_string(), "-append"],
            &[&format!("console={port} earlyprintk={port} panic=-1")],
        ]);
        let qemu = Process::new(argv).start(Stdio::null());
        let mut qemu = qemu.map_err(Error::start(&self.program))?;
        let start = Instant::now();
        let mut said = false;
        while !said && start.elapsed() < FIRST_LINE {
            std::thread::sleep(Duration::from_millis(50));
            let text = fs::read(&console).unwrap_or_default();
            said = String::from_utf8_lossy(&text).contains("Linux version");
            if qemu.has_ended() {
                break;
            }
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_that_did_not_start_are_read_off_the_console() {
        let machines = Machines::new(include_str!("../../stdlib/boot/machines.toml")).unwrap();
        let marks = machines.marks().unwrap();
        // As rcS of sysvinit 3.06 writes it.
        let console = "/run/rpcbind not owned by root failed!\r\n\
            [\u{1b}[31mFAIL\u{1b}[39;49m] startpar: service(s) returned failure: rpcbind nfs-common ... \u{1b}[31mfailed!\u{1b}[39;49m\r\n\
            INIT: Entering runlevel: 2\r\n";
        assert_eq!(marks.failed(console), ["rpcbind", "nfs-common"]);
        let well = marks.failed("Starting RPC port mapper daemon: rpcbind.");
        assert_eq!(well, [""; 0]);
    }
}
