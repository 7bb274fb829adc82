//! What an initramfs holds: microcode in front, compression of any kind behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::cpio::{self, Member, Next, Sink};
use crate::run::process::Process;

/// Texts that are kept, in bytes; what decides lies in short ones.
const TEXT_BYTES: u64 = 256 << 10;
/// A driver whose firmware is looked for, in bytes.
const DRIVER_BYTES: u64 = 32 << 20;
/// As much as it may unpack to.
const MODULE_BYTES: usize = 1 << 30;

/// The contents of an initramfs.
#[derive(Clone, Debug, Default)]
pub struct Initramfs {
    /// Paths without a slash in front.
    pub names: BTreeSet<String>,
    /// What short files outside of libraries and programs hold.
    pub texts: BTreeMap<String, Vec<u8>>,
    /// By the name of a network driver, the firmware that it asks for.
    pub firmware: BTreeMap<String, BTreeSet<String>>,
}

impl Initramfs {
    /// Reads one; programs of the host unpack it.
    ///
    /// # Errors
    /// When it is no initramfs, or the program that unpacks it is missing or fails.
    pub fn read(file: File) -> io::Result<Initramfs> {
        let mut found = Initramfs::default();
        let mut raw = file;
        let next = cpio::read(BufReader::new(&mut raw), &mut found)?;
        if let Next::Other(magic, start) = next {
            let program = unpacker(&magic).ok_or_else(|| {
                let why = format!("at byte {start} begins something that is no archive");
                io::Error::new(io::ErrorKind::InvalidData, why)
            })?;
            raw.seek(SeekFrom::Start(start))?;
            unpack(program, raw, &mut found)?;
        }
        match found.names.is_empty() {
            true => Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty")),
            false => Ok(found),
        }
    }

    /// The versions of kernels whose modules it has.
    pub fn versions(&self) -> BTreeSet<&str> {
        let modules = self.names.iter().filter_map(|name| in_modules(name));
        let modules = modules.filter(|(_, rest)| !rest.is_empty());
        modules.map(|(version, _)| version).collect()
    }

    /// Whether it has a driver, as a module or built into the kernel it is for.
    pub fn has_driver(&self, driver: &str) -> bool {
        let mut modules = self.names.iter().filter_map(|name| in_modules(name));
        let mut texts = self.texts.iter();
        modules.any(|(_, rest)| module_name(rest).as_deref() == Some(driver))
            || texts.any(|(name, text)| {
                name.ends_with("/modules.builtin") && lists_driver(text, driver)
            })
    }

    pub fn has_firmware(&self, name: &str) -> bool {
        let wanted = format!("lib/firmware/{name}");
        ["", ".xz", ".zst"].iter().any(|suffix| {
            let wanted = format!("{wanted}{suffix}");
            self.names.contains(&wanted) || self.names.contains(&format!("usr/{wanted}"))
        })
    }
}

/// Whether a `modules.builtin` names a driver.
pub fn lists_driver(text: &[u8], driver: &str) -> bool {
    String::from_utf8_lossy(text)
        .lines()
        .any(|line| module_name(line).as_deref() == Some(driver))
}

/// The version and the rest of a path below `lib/modules`.
fn in_modules(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_prefix("usr/").unwrap_or(name);
    name.strip_prefix("lib/modules/")?.split_once('/')
}

/// `nfsv4` of `kernel/fs/nfs/nfsv4.ko.xz`; dashes count as underscores.
fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (name, _) = file.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

impl Sink for Initramfs {
    fn wants(&self, member: &Member) -> bool {
        let is_file = member.mode & 0o170_000 == 0o100_000;
        is_file && (is_text(&member.name, member.size) || is_network_driver(member))
    }

    fn member(&mut self, member: Member, content: Option<Vec<u8>>) {
        if let Some(content) = content {
            if is_network_driver(&member) {
                let asked = module(&member.name, content).map(|module| firmware_of(&module));
                let asked = asked.unwrap_or_default();
                if let (Some(name), false) = (module_name(&member.name), asked.is_empty()) {
                    self.firmware.insert(name, asked);
                }
            } else {
                self.texts.insert(member.name.clone(), content);
            }
        }
        self.names.insert(member.name);
    }
}

fn is_text(name: &str, size: u64) -> bool {
    let elsewhere = ["/firmware/", ".ko", ".so", "/bin/", "/sbin/", "locale"];
    size <= TEXT_BYTES && !elsewhere.iter().any(|part| name.contains(part))
}

fn is_network_driver(member: &Member) -> bool {
    member.size <= DRIVER_BYTES
        && member.name.contains("/kernel/drivers/net/ethernet/")
        && member.name.contains(".ko")
}

fn unpacker(magic: &[u8]) -> Option<&'static str> {
    match magic {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] | [0x5d, 0, 0, ..] => Some("xz"),
        [0x02, 0x21, 0x4c, 0x18, ..] | [0x04, 0x22, 0x4d, 0x18, ..] => Some("lz4"),
        [b'B', b'Z', b'h', ..] => Some("bzip2"),
        [0x89, b'L', b'Z', b'O', ..] => Some("lzop"),
        _ => None,
    }
}

fn unpack(program: &str, from: File, found: &mut Initramfs) -> io::Result<()> {
    let (output, write) = io::pipe()?;
    let process = Process::new([program, "-dc"]);
    let process = process.stdin_file(from).stdout_file(write);
    let (read, ended) = std::thread::scope(|scope| {
        let running = scope.spawn(|| process.capture(0));
        // The program ends where nobody reads on.
        let read = cpio::read(BufReader::with_capacity(1 << 16, output), found);
        (read, running.join())
    });
    if let Ok(Err(error)) = ended {
        return Err(io::Error::other(format!(
            "`{program}` on this host: {error}"
        )));
    }
    match read {
        Err(error) if found.names.is_empty() => Err(io::Error::other(format!(
            "what `{program}` unpacks of it: {error}"
        ))),
        read => read.map(drop),
    }
}

/// A module, unpacked; `None` where that fails.
fn module(name: &str, content: Vec<u8>) -> Option<Vec<u8>> {
    let suffix = name.rsplit('.').next()?;
    let program = match suffix {
        "ko" => return Some(content),
        "xz" => "xz",
        "zst" => "zstd",
        "gz" => "gzip",
        _ => return None,
    };
    let unpacked = Process::new([program, "-dc"]).stdin(content);
    Some(unpacked.capture(MODULE_BYTES).ok()?.stdout)
}

/// The names that a module's information gives as `firmware=`.
fn firmware_of(module: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let key = b"\0firmware=";
    let mut rest = module;
    while let Some(at) = find(rest, key) {
        rest = rest.get(at + key.len()..).unwrap_or_default();
        let name = rest.iter().copied().take_while(|b| *b != 0).take(256);
        found.extend(String::from_utf8(name.collect()));
    }
    found
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

/// The version that a kernel's image names itself, where it is a bzImage.
pub fn image_version(mut image: impl Read) -> Option<String> {
    let mut head = Vec::new();
    image.by_ref().take(64 << 10).read_to_end(&mut head).ok()?;
    if head.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    let pointer = u16::from_le_bytes(head.get(0x20e..0x210)?.try_into().ok()?);
    let text = head.get(usize::from(pointer) + 0x200..)?;
    let word = text.iter().take_while(|byte| byte.is_ascii_graphic());
    let word: String = word.map(|byte| char::from(*byte)).collect();
    Some(word).filter(|word| !word.is_empty())
}
