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
mod job;
mod machine;
mod nfs;
mod node;
mod report;
mod serve;
mod served_tree;
mod verdict;

use std::path::Path;

use fs_err as fs;

use crate::export::OpenedExport;
use crate::plan::{Transport, Via};
use crate::run::loopback;
use job::{bootable, kernel, machine_of};
use serve::Servers;
use served_tree::Content;

pub use assertion::{BootJob, Boots};
pub use error::{Error, Silence, Why};
pub use job::{Boot, Means, Wanted, name};
pub use machine::Machines;
use machine::{Accelerator, Machine};
pub use verdict::{Check, Expected, Milestone, Verdict};

/// Which programs of the host a boot of this export needs, with what for.
///
/// # Errors
/// When the export boots no node, or none that this table knows.
pub fn programs(
    opened: &OpenedExport,
    means: &Means,
) -> Result<Vec<(String, &'static str)>, Error> {
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
        let words = guest::words(&machine.console, &machine.channel);
        let cmdline = format!("{promised} {words}");
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
        let (memory, name) = (self.memory(), &accelerator.name);
        see(&format!("{memory} MiB, {processors}, {name}"));
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
        let number = |name: &str| facts.number(name).unwrap_or(0);
        let mebibytes = |name: &str| number(name) >> 10;
        let total = mebibytes("memory-total");
        Ok(Verdict {
            export: job::name(opened),
            transport: opened.transport().map_or("memory", Transport::name),
            firmware: wanted.via == Via::Pxe,
            accelerator: accelerator.name,
            kernel: facts.one("kernel").to_owned(),
            checks,
            node_times: verdict::node_times(facts),
            host_times: answer.milestones,
            memory: (total.saturating_sub(mebibytes("memory-available")), total),
            wire: (number("received"), number("sent")),
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
}

/// What the node loads, with what starts the check in a root without systemd. What the firmware
/// loads stays as it is.
fn with_check(mut load: node::Load, start: &str, folder: &Path) -> Result<node::Load, Error> {
    match &mut load {
        node::Load::Direct { initramfs, .. } => {
            *initramfs = initramfs::with_check(initramfs, start, folder)?;
        }
        node::Load::Firmware { .. } => {}
    }
    Ok(load)
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
