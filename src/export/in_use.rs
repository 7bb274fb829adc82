//! Who uses a version, as far as this host can know.
//!
//! | what | says |
//! |---|---|
//! | a file beside the tree whose name starts with `in-use` | whatever its first line says |
//! | `/proc/PID/{root,cwd,exe,fd,maps}` | a process here, such as a server of NFS in user space |
//! | `/proc/PID/mountinfo` | a bind mount, or an overlay with the tree below |
//! | `/proc/fs/nfsd/clients/*/states` | files that clients of the kernel's NFSv4 hold open |
//! | `/var/lib/nfs/rmtab` | mounts of clients of the kernel's NFSv3 |
//!
//! A node that has mounted the tree over NFSv4 and holds no file open is not seen; a node
//! that runs from it always holds some.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::closed_tree;

/// Names of marker files start with this.
pub const MARKER: &str = "in-use";

/// Where the host says what is used; other folders in tests.
#[derive(Clone, Debug)]
pub struct Sources {
    pub proc: PathBuf,
    pub rmtab: PathBuf,
}

impl Default for Sources {
    fn default() -> Self {
        Sources {
            proc: "/proc".into(),
            rmtab: "/var/lib/nfs/rmtab".into(),
        }
    }
}

/// The users of some versions.
#[derive(Debug, Default)]
pub struct InUse {
    users: BTreeMap<PathBuf, String>,
}

impl InUse {
    /// Looks who uses one of `versions`.
    pub fn look(versions: &[&Path], sources: &Sources) -> InUse {
        let mut in_use = InUse::default();
        let places: Vec<ExportPath> = versions.iter().map(|path| ExportPath::of(path)).collect();
        for place in &places {
            if let Some(why) = marker(&place.path) {
                in_use.note(place, why);
            }
        }
        if places.is_empty() {
            return in_use;
        }
        rmtab(&places, sources, &mut in_use);
        nfsd(&places, sources, &mut in_use);
        processes(&places, sources, &mut in_use);
        in_use
    }

    /// Who uses it, if anybody does.
    pub fn by(&self, version: &Path) -> Option<String> {
        self.users.get(version).cloned()
    }

    fn note(&mut self, place: &ExportPath, why: String) {
        self.users.entry(place.path.clone()).or_insert(why);
    }
}

struct ExportPath {
    path: PathBuf,
    /// Without links.
    real: PathBuf,
    /// Device and number of the tree's top.
    top: Option<(u64, u64)>,
    /// Where it is in its file system, and that one's device as mountinfo writes it.
    mount: Option<(String, PathBuf)>,
}

impl ExportPath {
    fn of(path: &Path) -> ExportPath {
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mount = on_device(&real, &Mount::of(Path::new("/proc/self")));
        ExportPath {
            path: path.to_owned(),
            real,
            top: top(&closed_tree::find(path)),
            mount,
        }
    }

    /// Whether a path of this device's file system is in it.
    fn has(&self, device: &str, path: &Path) -> bool {
        let mount = self.mount.as_ref();
        mount.is_some_and(|(own, top)| own == device && path.starts_with(top))
    }
}

fn top(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Where a path is in its file system, and that one's device. One file has as many paths as
/// its file system has places where it, or a folder above, is mounted.
fn on_device(path: &Path, mounts: &[Mount]) -> Option<(String, PathBuf)> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.at));
    let mount = above.max_by_key(|mount| mount.at.components().count())?;
    let below = path.strip_prefix(&mount.at).ok()?;
    Some((mount.device.clone(), mount.root.join(below)))
}

fn marker(version: &Path) -> Option<String> {
    for entry in fs::read_dir(version).ok()?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(MARKER) {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let line = text.lines().next().unwrap_or_default().trim();
            return Some(match line {
                "" => format!("the file `{name}` beside it says so"),
                line => format!("the file `{name}` beside it says: {line}"),
            });
        }
    }
    None
}

/// Lines `HOST:PATH:COUNT`. A mount of a folder above may use every version in it.
fn rmtab(places: &[ExportPath], sources: &Sources, in_use: &mut InUse) {
    let text = fs::read_to_string(&sources.rmtab).unwrap_or_default();
    for line in text.lines() {
        let Some((line, _)) = line.rsplit_once(':') else {
            continue;
        };
        // The address may hold colons, the path starts at the first slash.
        let Some((host, path)) = line.find(":/").map(|at| line.split_at(at)) else {
            continue;
        };
        let path = Path::new(path.trim_start_matches(':'));
        for place in places {
            let below = |other: &Path| path.starts_with(other) || other.starts_with(path);
            if below(&place.real) || below(&place.path) {
                let file = sources.rmtab.display();
                in_use.note(place, format!("{host} has mounted it over NFS ({file})"));
            }
        }
    }
}

/// Lines of `states` name the file: `superblock: "fd:10:13649"`, the device in hexadecimal.
fn nfsd(places: &[ExportPath], sources: &Sources, in_use: &mut InUse) {
    let mut open: BTreeMap<(u64, u64), String> = BTreeMap::new();
    let Ok(clients) = fs::read_dir(sources.proc.join("fs/nfsd/clients")) else {
        return;
    };
    for client in clients.flatten() {
        let states = fs::read_to_string(client.path().join("states")).unwrap_or_default();
        let info = fs::read_to_string(client.path().join("info")).unwrap_or_default();
        let address = info
            .lines()
            .find_map(|line| line.strip_prefix("address:"))
            .map_or("a client", |value| value.trim().trim_matches('"'))
            .to_owned();
        for rest in states.split("superblock: \"").skip(1) {
            if let Some(file) = rest.split('"').next().and_then(file_of) {
                open.insert(file, address.clone());
            }
        }
    }
    if open.is_empty() {
        return;
    }
    for place in places {
        let entries = WalkDir::new(&place.path).into_iter().flatten();
        let mut files = entries.filter_map(|entry| entry.metadata().ok());
        let found = files.find_map(|file| open.get(&(file.dev(), file.ino())));
        if let Some(address) = found {
            in_use.note(place, format!("{address} holds files of it open over NFS"));
        }
    }
}

fn file_of(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split(':');
    let major = u32::from_str_radix(parts.next()?, 16).ok()?;
    let minor = u32::from_str_radix(parts.next()?, 16).ok()?;
    let inode = parts.next()?.parse().ok()?;
    Some((rustix::fs::makedev(major, minor), inode))
}

fn processes(places: &[ExportPath], sources: &Sources, in_use: &mut InUse) {
    let mut namespaces = BTreeSet::new();
    for entry in fs::read_dir(&sources.proc).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let process = entry.path();
        let held = held_paths(&process);
        let own = Mount::of(&process);
        // A server that opens files by handle, as nfs-ganesha does, may know them by another
        // path than ours.
        let on_devices = held.iter().filter_map(|path| on_device(path, &own));
        let on_devices: Vec<(String, PathBuf)> = on_devices.collect();
        let tops = ["root", "cwd"].map(|link| top(&process.join(link)));
        let used = |place: &ExportPath| {
            held.iter().any(|path| path.starts_with(&place.real))
                || on_devices
                    .iter()
                    .any(|(device, path)| place.has(device, path))
                || place.top.is_some() && tops.contains(&place.top)
        };
        for place in places.iter().filter(|place| used(place)) {
            let command = fs::read_to_string(process.join("comm")).unwrap_or_default();
            let process = format!("the process {name} ({})", command.trim());
            in_use.note(place, format!("{process} has files of it open"));
        }
        let namespace = fs::read_link(process.join("ns/mnt")).unwrap_or_default();
        if namespaces.insert(namespace) {
            mounts(&process, places, in_use);
        }
    }
}

/// What a process has open, runs from or has mapped. What is hidden from us is passed over.
fn held_paths(process: &Path) -> Vec<PathBuf> {
    let mut held: Vec<PathBuf> = ["root", "cwd", "exe"]
        .iter()
        .filter_map(|link| fs::read_link(process.join(link)).ok())
        .collect();
    let open = fs::read_dir(process.join("fd")).into_iter().flatten();
    let open = open.flatten().map(|entry| fs::read_link(entry.path()));
    held.extend(open.flatten());
    let maps = fs::read_to_string(process.join("maps")).unwrap_or_default();
    let mapped = maps.lines().filter_map(|line| line.get(line.find('/')?..));
    held.extend(mapped.map(PathBuf::from));
    held.sort();
    held.dedup();
    held
}

struct Mount {
    device: String,
    root: PathBuf,
    at: PathBuf,
    options: String,
}

impl Mount {
    /// What a process sees.
    fn of(process: &Path) -> Vec<Mount> {
        let text = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
        text.lines().filter_map(Mount::parse).collect()
    }

    /// `ID PARENT MAJOR:MINOR ROOT AT OPTIONS … - TYPE SOURCE OPTIONS`, see proc(5).
    fn parse(line: &str) -> Option<Mount> {
        let (left, right) = line.split_once(" - ")?;
        let mut fields = left.split(' ').skip(2);
        Some(Mount {
            device: fields.next()?.to_owned(),
            root: unescape(fields.next()?),
            at: unescape(fields.next()?),
            options: right.to_owned(),
        })
    }
}

fn unescape(text: &str) -> PathBuf {
    let text = text.replace("\\040", " ").replace("\\011", "\t");
    PathBuf::from(text.replace("\\012", "\n").replace("\\134", "\\"))
}

fn mounts(process: &Path, places: &[ExportPath], in_use: &mut InUse) {
    for mount in Mount::of(process) {
        for place in places {
            // Of an overlay or of a loopback mount of NFS.
            let mut words = mount.options.split([' ', ',', ':', '=']);
            if place.has(&mount.device, &mount.root)
                || words.any(|word| unescape(word).starts_with(&place.real))
            {
                in_use.note(place, format!("it is mounted at {}", mount.at.display()));
            }
        }
    }
}
