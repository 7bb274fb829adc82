//! Boots an export as its nodes will: kernel and initramfs that the export has, its own
//! command line, its root served from this host alone, in QEMU with user networking. What
//! the node then says of itself is compared with what the export promises.

mod error;
mod guest;
mod http;
mod machine;
mod nfs;
mod node;
mod verdict;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;

use crate::export::Opened;
use crate::plan::{Format, Key, Transport};
use crate::store::Sum;

pub use error::{Error, Silence, Why};
pub use machine::Machines;
pub use nfs::PROGRAM as NFS_SERVER;
pub use verdict::{Check, Expected, Milestone, Verdict};

/// This host, as a node with user networking sees it.
const HOST: &str = "10.0.2.2";

/// How to boot.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// From the firmware on: DHCP, TFTP, iPXE and the export's boot script.
    pub firmware: bool,
    /// Commands for a shell in the node; each has to end with 0.
    pub commands: Vec<String>,
    /// In MiB; what the transport asks for where absent.
    pub memory: Option<u64>,
    pub processors: u32,
    /// How long the node has until it has answered.
    pub limit: Duration,
}

/// What the stdlib brings.
#[derive(Debug)]
pub struct Means {
    pub machines: Machines,
    /// The script that runs in the node.
    pub check: String,
}

/// Where a boot happens.
pub struct Place<'a> {
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
    let machine = means.machines.get(machine_of(opened)?)?;
    let mut programs = vec![(machine.program.clone(), "the node")];
    if opened.transport() == Some(Transport::Nfs) {
        programs.push((NFS_SERVER.to_owned(), "its root over NFS"));
    }
    Ok(programs)
}

/// Boots the export, and says what holds. `see` gets what happens.
///
/// # Errors
/// When a server cannot be started, or the node does not come up.
pub fn boot(
    opened: &Opened,
    wanted: &Wanted,
    means: &Means,
    place: Place<'_>,
    interrupted: &dyn Fn() -> bool,
    see: &mut dyn FnMut(&str),
) -> Result<Verdict, Error> {
    let machine = means.machines.get(machine_of(opened)?)?;
    let marks = means.machines.marks()?;
    let script = guest::script(&means.check, &wanted.commands)?;
    let transport = opened.transport();
    let kernel = kernel(opened)?;
    let accelerator = machine.accelerator(&kernel, place.folder)?;
    let before = sum(&opened.artifact)?;
    let servers = Servers::start(opened, wanted, place.folder)?;
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
    let start = node::Start {
        machine,
        accelerator: &accelerator,
        memory: wanted.memory.unwrap_or_else(|| memory(opened)),
        processors: wanted.processors,
        load: servers.load(opened, wanted, &cmdline, place.folder)?,
        folder: place.folder,
        console: place.console,
    };
    see(&format!(
        "{} MiB, {} processors, {}",
        start.memory, start.processors, accelerator.name
    ));
    let mut stage = |name: &str, seconds: f64| see(&format!("{seconds:6.1} s  {name}"));
    let answer = node::watch(
        &start,
        &script,
        &marks,
        wanted.limit,
        interrupted,
        &mut stage,
    )?;
    let sent = servers.http.as_ref().map(http::Http::sent);
    drop(servers);
    let expected = Expected::of(&opened.manifest.format, &promised);
    let mut checks = verdict::checks(&answer.facts, expected, &wanted.commands);
    checks.push(unchanged(&before, &sum(&opened.artifact)?));
    let facts = &answer.facts;
    let mebibytes = |name: &str| facts.number(name).unwrap_or(0) >> 10;
    let total = mebibytes("memory-total");
    Ok(Verdict {
        export: name(opened),
        transport: verdict::transport_name(transport),
        firmware: wanted.firmware,
        accelerator: accelerator.name,
        kernel: facts.one("kernel").to_owned(),
        checks,
        node_times: verdict::node_times(facts),
        host_times: answer
            .milestones
            .iter()
            .map(|(name, seconds)| Milestone {
                name: name.clone(),
                seconds: *seconds,
            })
            .collect(),
        memory: (total.saturating_sub(mebibytes("memory-available")), total),
        wire: (
            facts.number("received").unwrap_or(0),
            facts.number("sent").unwrap_or(0),
        ),
        http: sent,
    })
}

/// Boots the export with its console on this terminal, until the node ends.
///
/// # Errors
/// When a server or QEMU cannot be started.
pub fn attend(
    opened: &Opened,
    wanted: &Wanted,
    means: &Means,
    place: &Place<'_>,
) -> Result<(), Error> {
    let machine = means.machines.get(machine_of(opened)?)?;
    let accelerator = machine.accelerator(&kernel(opened)?, place.folder)?;
    let servers = Servers::start(opened, wanted, place.folder)?;
    let cmdline = format!("{} console={}", servers.cmdline(opened)?, machine.console);
    node::attend(&node::Start {
        machine,
        accelerator: &accelerator,
        memory: wanted.memory.unwrap_or_else(|| memory(opened)),
        processors: wanted.processors,
        load: servers.load(opened, wanted, &cmdline, place.folder)?,
        folder: place.folder,
        console: place.console.clone(),
    })
}

/// The name for people.
pub fn name(opened: &Opened) -> String {
    match &opened.manifest.version {
        Some(version) => format!("{} version {version}", opened.manifest.name),
        None => opened.manifest.name.clone(),
    }
}

struct Servers {
    nfs: Option<nfs::Nfs>,
    http: Option<http::Http>,
}

impl Servers {
    fn start(opened: &Opened, wanted: &Wanted, folder: &Path) -> Result<Servers, Error> {
        let transport = opened.transport();
        let nfs = match transport {
            Some(Transport::Nfs) => Some(nfs::Nfs::serve(&opened.artifact, folder)?),
            _ => None,
        };
        let http = match transport == Some(Transport::Http) || wanted.firmware {
            true => Some(http::Http::serve(&opened.path)?),
            false => None,
        };
        Ok(Servers { nfs, http })
    }

    fn url(&self) -> String {
        let port = self.http.as_ref().map_or(0, |http| http.port);
        format!("http://{HOST}:{port}")
    }

    /// The export's command line, with this host's servers in it.
    fn cmdline(&self, opened: &Opened) -> Result<String, Error> {
        let cmdline = match &self.nfs {
            // The port is one more option of the mount.
            Some(nfs) => opened.cmdline_for(&format!("{HOST}:/"), "").map(|line| {
                line.replace(
                    &format!("{HOST}:/:"),
                    &format!("{HOST}:/:port={},", nfs.port),
                )
            }),
            None => opened.cmdline_for("", &self.url()),
        };
        cmdline.ok_or_else(|| bootless(opened, "no initramfs was made for it"))
    }

    fn load(
        &self,
        opened: &Opened,
        wanted: &Wanted,
        cmdline: &str,
        folder: &Path,
    ) -> Result<node::Load, Error> {
        if !wanted.firmware {
            let initramfs = opened.initramfs.clone();
            return Ok(node::Load::Direct {
                kernel: kernel(opened)?,
                initramfs: initramfs
                    .ok_or_else(|| bootless(opened, "there is no initramfs beside it"))?,
                cmdline: cmdline.to_owned(),
            });
        }
        let tftp = folder.join("tftp");
        fs::create_dir_all(&tftp)?;
        fs::write(tftp.join(BOOT_SCRIPT), self.boot_script(opened, cmdline)?)?;
        Ok(node::Load::Firmware { tftp })
    }

    /// The export's own script for iPXE, with this host's addresses and command line.
    fn boot_script(&self, opened: &Opened, cmdline: &str) -> Result<String, Error> {
        let path = opened.path.join(BOOT_SCRIPT);
        if !path.is_file() {
            return Err(Error::NoScript {
                path: opened.path.clone(),
            });
        }
        let strange = || Error::Script {
            path: opened.path.clone(),
            name: BOOT_SCRIPT,
        };
        let text = fs::read_to_string(&path)?;
        let url = text
            .lines()
            .find_map(|line| {
                line.strip_prefix("kernel ")?
                    .split_whitespace()
                    .next()?
                    .strip_suffix("/vmlinuz")
            })
            .ok_or_else(strange)?
            .to_owned();
        let own = opened
            .cmdline
            .as_ref()
            .filter(|own| text.contains(own.as_str()));
        let text = text.replace(own.ok_or_else(strange)?, &ipxe(cmdline));
        Ok(text.replace(&url, &self.url()))
    }
}

const BOOT_SCRIPT: &str = "boot.ipxe";

/// Words as iPXE's command line takes them.
fn ipxe(cmdline: &str) -> String {
    let mut out = String::new();
    for c in cmdline.chars() {
        if matches!(c, '\\' | '"' | '\'') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn bootless(opened: &Opened, why: &str) -> Error {
    Error::Bootless {
        path: opened.path.clone(),
        why: why.to_owned(),
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

/// MiB that a node needs: a root in memory is there twice while it is unpacked.
fn memory(opened: &Opened) -> u64 {
    let size = fs::metadata(&opened.artifact).map_or(0, |metadata| metadata.len()) >> 20;
    match opened.manifest.format {
        Format::Cpio { .. } => 1024 + 6 * size,
        Format::Dir | Format::Nfs { .. } => 1024,
        _ => 1024 + 2 * size,
    }
}

/// Stands for all that is served.
struct Content {
    digest: Key,
    what: String,
}

fn sum(artifact: &Path) -> Result<Content, Error> {
    if artifact.is_dir() {
        let sum = Sum::of(artifact)?;
        return Ok(Content {
            digest: sum.digest,
            what: format!("{} files", sum.files),
        });
    }
    let mut hasher = blake3::Hasher::new();
    let file = fs::File::open(artifact)?;
    let bytes = file.metadata()?.len();
    hasher.update_reader(file)?;
    Ok(Content {
        digest: Key::of(&[hasher.finalize().as_bytes()]),
        what: format!("{} MiB", bytes >> 20),
    })
}

fn unchanged(before: &Content, after: &Content) -> Check {
    let holds = before.digest == after.digest;
    Check {
        what: "what was served is unchanged".to_owned(),
        holds,
        found: match holds {
            true => after.what.clone(),
            false => "names, modes, owners, times or contents are others than before".to_owned(),
        },
        lines: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::ipxe;

    #[test]
    fn quotes_reach_the_kernel_through_ipxe() {
        assert_eq!(ipxe(r#"a="b 'c'""#), r#"a=\"b \'c\'\""#);
    }
}
