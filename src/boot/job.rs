//! What is booted, and how.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err as fs;

use super::error::Error;
use super::machine::Machines;
use crate::export::OpenedExport;
use crate::plan::{ExpectBoot, Format, Transport, Via};

/// This host, as a node with user networking sees it.
pub const HOST: &str = "10.0.2.2";

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
    pub const FILES: [&str; 3] = ["boot/machines.toml", "boot/check.sh", "boot/switch_root.sh"];

    /// `stdlib` returns the text of one of the stdlib's files.
    ///
    /// # Errors
    /// [`Error::Table`] when the table of machines cannot be read.
    pub fn of_stdlib(stdlib: &dyn Fn(&str) -> String) -> Result<Means, Error> {
        Means::new(&Means::FILES.map(stdlib))
    }

    pub fn new([machines, check, start]: &[String; 3]) -> Result<Means, Error> {
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
    pub opened: &'a OpenedExport,
    pub wanted: &'a Wanted,
    pub means: &'a Means,
    /// A folder of its own for sockets, logs of servers and the like.
    pub folder: &'a Path,
    /// Where the console's output goes.
    pub console: PathBuf,
}

impl Boot<'_> {
    /// MiB of the node: a root in memory is there twice while it is unpacked.
    pub fn memory(&self) -> u64 {
        let artifact = fs::metadata(&self.opened.artifact);
        let size = artifact.map_or(0, |metadata| metadata.len()) >> 20;
        let usual = match self.opened.manifest.format {
            Format::Cpio { .. } => 1024 + 6 * size,
            Format::Dir | Format::Nfs { .. } => 1024,
            _ => 1024 + 2 * size,
        };
        self.wanted.memory.unwrap_or(usual)
    }
}

/// The name for people.
pub fn name(opened: &OpenedExport) -> String {
    match &opened.manifest.version {
        Some(version) => format!("{} version {version}", opened.manifest.name),
        None => opened.manifest.name.clone(),
    }
}

/// # Errors
/// [`Error::Bootless`] for what is no root for a node.
pub fn bootable(opened: &OpenedExport) -> Result<(), Error> {
    let format = &opened.manifest.format;
    if !format.boots() {
        let format = format.name();
        let why = format!("an export in the format `{format}` is no root for a node");
        return Err(bootless(opened, why));
    }
    let why = "no initramfs that gets at it was made for it";
    let boot = opened.manifest.boot.as_ref();
    boot.map(drop).ok_or_else(|| bootless(opened, why))
}

pub fn bootless(opened: &OpenedExport, why: impl Into<String>) -> Error {
    Error::Bootless {
        path: opened.path.clone(),
        why: why.into(),
    }
}

pub fn kernel(opened: &OpenedExport) -> Result<PathBuf, Error> {
    let kernel = opened.kernel.clone();
    kernel.ok_or_else(|| bootless(opened, "there is no kernel beside it"))
}

/// The machine that a kernel is for, by the kernel's name of it.
///
/// Sources: Documentation/arch/x86/boot.rst (`HdrS` at 0x202), Documentation/arch/arm64/
/// booting.rst (`ARM\x64` at 56), both of Linux.
pub fn machine_of(opened: &OpenedExport) -> Result<&'static str, Error> {
    let kernel = kernel(opened)?;
    let mut head = Vec::new();
    fs::File::open(&kernel)?.take(1024).read_to_end(&mut head)?;
    if head.get(0x202..0x206) == Some(b"HdrS") {
        Ok("x86_64")
    } else if head.get(56..60) == Some(b"ARM\x64") {
        Ok("aarch64")
    } else {
        let why = "its `vmlinuz` is no kernel for x86_64 or aarch64";
        Err(bootless(opened, why))
    }
}
