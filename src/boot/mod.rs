//! Boots an export as its nodes will: kernel and initramfs that the export has, its own
//! command line, its root served from this host alone, in QEMU with user networking. What
//! the node then says of itself is compared with what the export promises.
//!
//! Servers and node are in a network of their own, in which there is nothing else: nobody
//! but the node can get at what is served, and the node gets at nothing but that.

mod assertion;
mod console;
mod error;
mod guest;
mod http;
mod initramfs;
mod machine;
mod nfs;
mod node;
mod program;
mod report;
mod serve;
mod served_tree;
mod verdict;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;

use crate::export::Opened;
use crate::plan::{ExpectBoot, Format, Transport, Via};
use crate::run::loopback;
use serve::Servers;
use served_tree::Content;

pub use assertion::{BootJob, Boots};
pub use error::{Error, Silence, Why};
pub use machine::Machines;
use machine::{Accelerator, Machine};
pub use verdict::{Check, Expected, Milestone, Verdict};

/// How to boot.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub via: Via,
    /// Commands for a shell in the node; each has to end with 0.
    pub commands: Vec<String>,
    /// In MiB; what the transport asks for where absent.
    pub memory: Option<u64>,
    pub processors: u32,
    /// How long the node has until it has answered.
    pub limit: Duration,
}

impl From<&ExpectBoot> for Wanted {
    fn from(expect: &ExpectBoot) -> Wanted {
        Wanted {
            via: expect.via,
            commands: expect.commands.clone(),
            memory: expect.memory,
            processors: expect.processors,
            limit: Duration::from_secs(expect.timeout),
        }
    }
}

/// What the stdlib brings.
#[derive(Debug)]
pub struct Means {
    pub machines: Machines,
    /// The script that runs in the node.
    pub check: String,
    /// What starts that where no systemd does.
    pub start: String,
}

impl Means {
    /// The stdlib's files that it is made from.
    const FILES: [&str; 3] = ["boot/machines.toml", "boot/check.sh", "boot/switch_root.sh"];

    /// `stdlib` returns the text of one of the stdlib's files.
    ///
    /// # Errors
    /// [`Error::Table`] when the table of machines cannot be read.
    pub fn of_stdlib(stdlib: &dyn Fn(&str) -> String) -> Result<Means, Error> {
        Means::new(&Means::FILES.map(stdlib))
    }

    fn new([machines, check, start]: &[String; 3]) -> Result<Means, Error> {
        Ok(Means {
            machines: Machines::new(machines)?,
            check: check.clone(),
            start: start.clone(),
        })
    }

    /// The programs of the host that a boot takes, with what for; `machine` where it is
    /// known.
    pub fn programs(
        &self,
        machine: Option<&str>,
        transport: Option<Transport>,
    ) -> Vec<(String, &'static str)> {
        let machine = machine.and_then(|name| self.machines.get(name).ok());
        let node = machine.map(|machine| (machine.program.clone(), "the node"));
        let server = match transport {
            Some(Transport::Nfs) => self.machines.nfs_server().ok(),
            _ => None,
        };
        let server = server.map(|server| (server.to_owned(), "its root over NFS"));
        node.into_iter().chain(server).collect()
    }
}

/// An export that is to be booted.
pub struct Boot<'a> {
    pub opened: &'a Opened,
    pub wanted: &'a Wanted,
    pub means: &'a Means,
    /// A folder of its own for sockets, logs of servers and the like.
    pub folder: &'a Path,
    /// Where the console's output goes.
    pub console: PathBuf,
}

/// Which programs of the host a boot of this export needs, with what for.
///
/// # Errors
/// When the export boots no node, or none that this table knows.
pub fn programs(opened: &Opened, means: &Means) -> Result<Vec<(String, &'static str)>, Error> {
    bootable(opened)?;
    let machine = machine_of(opened)?;
    means.machines.get(machine)?;
    Ok(means.programs(Some(machine), opened.transport()))
}

impl Boot<'_> {
    /// Boots the export, and says what holds. `see` gets what happens.
    ///
    /// # Errors
    /// When a server cannot be started, or the node does not come up.
    pub fn check(
        &self,
        interrupted: &(dyn Fn() -> bool + Sync),
        see: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Verdict, Error> {
        bootable(self.opened)?;
        in_own_network(|| self.verdict(interrupted, see))
    }

    fn verdict(
        &self,
        interrupted: &dyn Fn() -> bool,
        see: &mut dyn FnMut(&str),
    ) -> Result<Verdict, Error> {
        let Boot {
            opened,
            wanted,
            means,
            folder,
            console,
        } = self;
        let marks = means.machines.marks()?;
        let script = guest::Script::new(&means.check, &wanted.commands)?;
        let before = Content::of(&opened.artifact)?;
        let (machine, accelerator, servers) = self.prepare()?;
        let promised = servers.cmdline(opened)?;
        let cmdline = format!(
            "{promised} {}",
            guest::words(&machine.console, &machine.channel)
        );
        if cmdline.len() > machine.cmdline {
            return Err(Error::Cmdline {
                length: cmdline.len(),
                limit: machine.cmdline,
            });
        }
        let check = guest::start(&means.start, &machine.channel);
        let start = node::Start {
            boot: self,
            machine,
            accelerator: &accelerator,
            load: with_check(servers.load(self, &cmdline)?, &check, folder)?,
        };
        let processors = match wanted.processors {
            1 => "1 processor".to_owned(),
            several => format!("{several} processors"),
        };
        see(&format!(
            "{} MiB, {processors}, {}",
            self.memory(),
            accelerator.name
        ));
        let mut stage = |name: &str, seconds: f64| see(&format!("{seconds:6.1} s  {name}"));
        let mut answer = node::watch(&start, &script, &marks, interrupted, &mut stage)?;
        let said = fs::read(console).unwrap_or_default();
        for service in marks.failed(&String::from_utf8_lossy(&said)) {
            answer.facts.add("failed", &service);
        }
        let sent = servers.http.as_ref().map(http::Http::sent);
        drop(servers);
        let expected = Expected::of(&opened.manifest.format, &promised);
        let mut checks = verdict::checks(&answer.facts, expected, &wanted.commands);
        if !answer.facts.complete() {
            checks.push(verdict::unanswered(answer.seconds));
        }
        checks.push(Content::of(&opened.artifact)?.unchanged(&before));
        let facts = &answer.facts;
        let mebibytes = |name: &str| facts.number(name).unwrap_or(0) >> 10;
        let total = mebibytes("memory-total");
        Ok(Verdict {
            export: name(opened),
            transport: opened.transport().map_or("memory", Transport::name),
            firmware: wanted.via == Via::Pxe,
            accelerator: accelerator.name,
            kernel: facts.one("kernel").to_owned(),
            checks,
            node_times: verdict::node_times(facts),
            host_times: answer.milestones,
            memory: (total.saturating_sub(mebibytes("memory-available")), total),
            wire: (
                facts.number("received").unwrap_or(0),
                facts.number("sent").unwrap_or(0),
            ),
            http: sent,
            command: answer.command,
            console: console.clone(),
        })
    }

    /// Boots the export with its console on this terminal, until the node ends.
    ///
    /// # Errors
    /// When a server or QEMU cannot be started.
    pub fn attend(&self) -> Result<(), Error> {
        bootable(self.opened)?;
        in_own_network(|| {
            let (machine, accelerator, servers) = self.prepare()?;
            let cmdline = servers.cmdline(self.opened)?;
            let cmdline = format!("{cmdline} console={}", machine.console);
            node::attend(&node::Start {
                boot: self,
                machine,
                accelerator: &accelerator,
                load: servers.load(self, &cmdline)?,
            })
        })
    }

    /// Finds what the node runs on, and starts what it boots from.
    fn prepare(&self) -> Result<(&Machine, Accelerator, Servers), Error> {
        let machine = self.means.machines.get(machine_of(self.opened)?)?;
        let accelerator = machine.accelerator(&kernel(self.opened)?, self.folder)?;
        Ok((machine, accelerator, Servers::start(self)?))
    }

    /// MiB of the node: a root in memory is there twice while it is unpacked.
    fn memory(&self) -> u64 {
        let artifact = fs::metadata(&self.opened.artifact);
        let size = artifact.map_or(0, |metadata| metadata.len()) >> 20;
        self.wanted
            .memory
            .unwrap_or(match self.opened.manifest.format {
                Format::Cpio { .. } => 1024 + 6 * size,
                Format::Dir | Format::Nfs { .. } => 1024,
                _ => 1024 + 2 * size,
            })
    }
}

/// What the node loads, with what starts the check in a root without systemd. What the firmware
/// loads stays as it is.
fn with_check(load: node::Load, start: &str, folder: &Path) -> Result<node::Load, Error> {
    Ok(match load {
        node::Load::Direct {
            kernel,
            initramfs,
            cmdline,
        } => node::Load::Direct {
            kernel,
            initramfs: initramfs::with_check(&initramfs, start, folder)?,
            cmdline,
        },
        firmware => firmware,
    })
}

/// Does the work in a thread that has a network of its own, and so have the sockets that it
/// opens and the programs that it starts.
fn in_own_network<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            loopback::own_network().map_err(Error::Network)?;
            work()
        });
        match worker.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The name for people.
pub fn name(opened: &Opened) -> String {
    match &opened.manifest.version {
        Some(version) => format!("{} version {version}", opened.manifest.name),
        None => opened.manifest.name.clone(),
    }
}

/// # Errors
/// [`Error::Bootless`] for what is no root for a node.
fn bootable(opened: &Opened) -> Result<(), Error> {
    let format = &opened.manifest.format;
    if !format.boots() {
        let why = format!(
            "an export in the format `{}` is no root for a node",
            format.name()
        );
        return Err(bootless(opened, why));
    }
    match opened.manifest.boot {
        Some(_) => Ok(()),
        None => Err(bootless(
            opened,
            "no initramfs that gets at it was made for it",
        )),
    }
}

fn bootless(opened: &Opened, why: impl Into<String>) -> Error {
    Error::Bootless {
        path: opened.path.clone(),
        why: why.into(),
    }
}

fn kernel(opened: &Opened) -> Result<PathBuf, Error> {
    opened
        .kernel
        .clone()
        .ok_or_else(|| bootless(opened, "there is no kernel beside it"))
}

/// The machine that a kernel is for, by the kernel's name of it.
///
/// Sources: Documentation/arch/x86/boot.rst (`HdrS` at 0x202), Documentation/arch/arm64/
/// booting.rst (`ARM\x64` at 56), both of Linux.
fn machine_of(opened: &Opened) -> Result<&'static str, Error> {
    let kernel = kernel(opened)?;
    let mut head = Vec::new();
    fs::File::open(&kernel)?.take(1024).read_to_end(&mut head)?;
    if head.get(0x202..0x206) == Some(b"HdrS") {
        Ok("x86_64")
    } else if head.get(56..60) == Some(b"ARM\x64") {
        Ok("aarch64")
    } else {
        Err(bootless(
            opened,
            "its `vmlinuz` is no kernel for x86_64 or aarch64",
        ))
    }
}
