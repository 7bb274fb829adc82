//! Kernels, their modules and their initramfs, and whether they agree.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::Subject;
use super::files::{self, Hit, Paths};
use super::initramfs::{Initramfs, image_version, lists_driver};
use super::table::{Boot, KernelCheck};
use crate::run::files::{Tree, version_order};

/// What a node boots, as far as the root and what lies beside it say.
#[derive(Debug)]
pub struct Kernels {
    /// Images: their path and version, the oldest first.
    images: Vec<(String, String)>,
    /// Versions that have modules, the oldest first.
    modules: Vec<String>,
    /// Each initramfs: its path and contents, or why there are none.
    initramfs: Vec<(String, Result<Initramfs, String>)>,
}

const MODULES: [&str; 2] = ["/usr/lib/modules", "/lib/modules"];

impl Kernels {
    pub fn of(tree: &Tree, boot: &Boot, subject: &Subject, hidden: &Paths) -> io::Result<Kernels> {
        let except = Paths::new(&boot.except);
        let hidden = [hidden, &except];
        let mut images = Vec::new();
        match &subject.kernel {
            Some(path) => {
                let version = image_version(File::open(path)?);
                let shown = path.display().to_string();
                images.extend(version.map(|version| (shown, version)));
            }
            None => {
                for path in files::expand(tree, &boot.kernels, &hidden)? {
                    let Some(file) = tree.open_file(&path)? else {
                        continue;
                    };
                    let version = image_version(file).or_else(|| named_version(&path));
                    let shown = path.to_string_lossy().into_owned();
                    images.extend(version.map(|version| (shown, version)));
                }
            }
        }
        images.sort_by(|a, b| version_order(&a.1, &b.1).then_with(|| a.0.cmp(&b.0)));
        let mut modules: Vec<String> = Vec::new();
        for folder in MODULES {
            for part in ["modules.dep", "kernel"] {
                for path in files::expand(tree, &[format!("{folder}/*/{part}")], &hidden)? {
                    let version = path.parent().and_then(Path::file_name);
                    let version = version.map(|name| name.to_string_lossy().into_owned());
                    modules.extend(version);
                }
            }
        }
        modules.sort_by(|a, b| version_order(a, b));
        modules.dedup();
        let read = |file: io::Result<File>| -> Result<Initramfs, String> {
            file.and_then(Initramfs::read)
                .map_err(|error| error.to_string())
        };
        let mut initramfs = Vec::new();
        match &subject.initramfs {
            Some(path) => {
                let contents = read(File::open(path));
                initramfs.push((path.display().to_string(), contents));
            }
            None => {
                for path in files::expand(tree, &boot.initramfs, &hidden)? {
                    if let Some(file) = tree.open_file(&path)? {
                        initramfs.push((path.to_string_lossy().into_owned(), read(Ok(file))));
                    }
                }
            }
        }
        Ok(Kernels {
            images,
            modules,
            initramfs,
        })
    }

    /// Each initramfs that can be read.
    pub fn readable(&self) -> impl Iterator<Item = (&str, &Initramfs)> {
        self.initramfs
            .iter()
            .filter_map(|(path, contents)| Some((path.as_str(), contents.as_ref().ok()?)))
    }

    /// Which initramfs has none of the drivers, neither as a module nor built into a
    /// kernel that it is for.
    pub fn lacking(&self, tree: &Tree, drivers: &[String]) -> io::Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for (path, initramfs) in self.readable() {
            let mut there = drivers.iter().any(|driver| initramfs.has_driver(driver));
            let mut versions: Vec<&str> = initramfs.versions().into_iter().collect();
            if versions.is_empty() {
                // All that it needs may be built in.
                versions.extend(self.images.last().map(|(_, version)| version.as_str()));
            }
            for version in versions {
                for folder in MODULES {
                    let list = Path::new(folder).join(version).join("modules.builtin");
                    let list = tree.read(&list)?.unwrap_or_default();
                    there |= drivers.iter().any(|driver| lists_driver(&list, driver));
                }
            }
            if !there {
                hits.push((path.to_owned(), drivers.join(", ")));
            }
        }
        Ok(hits)
    }

    /// What a look at the kernels finds.
    pub fn check(&self, tree: &Tree, check: KernelCheck) -> io::Result<Vec<Hit>> {
        let has_image = |version: &str| self.images.iter().any(|(_, image)| image == version);
        let has_modules = |version: &str| self.modules.iter().any(|known| known == version);
        let mut hits = Vec::new();
        match check {
            KernelCheck::NoKernel => {
                if self.images.is_empty() && self.modules.is_empty() {
                    hits.push((String::new(), String::new()));
                }
            }
            KernelCheck::ImageWithoutModules => {
                let images = self.images.iter();
                hits.extend(images.filter(|(_, version)| !has_modules(version)).cloned());
            }
            KernelCheck::ModulesWithoutImage => {
                if let Some(newest) = self.modules.last()
                    && !has_image(newest)
                {
                    hits.push((format!("/usr/lib/modules/{newest}"), newest.clone()));
                }
            }
            KernelCheck::NoInitramfs => {
                if let Some((path, version)) = self.images.last()
                    && !self.initramfs.iter().any(|(path, contents)| {
                        path.contains(version.as_str())
                            || contents.as_ref().map_or(true, |contents| {
                                let versions = contents.versions();
                                versions.is_empty() || versions.contains(version.as_str())
                            })
                    })
                {
                    hits.push((path.clone(), version.clone()));
                }
            }
            KernelCheck::OtherInitramfs => {
                for (path, contents) in self.readable() {
                    let versions = contents.versions();
                    let fits = versions.is_empty()
                        || self.images.is_empty()
                        || versions.iter().any(|version| has_image(version));
                    let in_root = self.modules.is_empty()
                        || versions.is_empty()
                        || versions.iter().any(|version| has_modules(version));
                    if !fits || !in_root {
                        let versions: Vec<&str> = versions.into_iter().collect();
                        hits.push((path.to_owned(), versions.join(", ")));
                    }
                }
            }
            KernelCheck::UnreadableInitramfs => {
                for (path, contents) in &self.initramfs {
                    if let Err(why) = contents {
                        hits.push((path.clone(), why.clone()));
                    }
                }
            }
            KernelCheck::FirmwareLeftOut => hits = self.firmware(tree, true)?,
            KernelCheck::FirmwareMissing => hits = self.firmware(tree, false)?,
        }
        Ok(hits)
    }

    /// What firmware each initramfs lacks that its network drivers ask for, and that the
    /// root has or has not.
    fn firmware(&self, tree: &Tree, in_root: bool) -> io::Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for (path, initramfs) in self.readable() {
            let mut drivers = Vec::new();
            for (driver, asked) in &initramfs.firmware {
                // A driver asks for the firmware of every revision of its devices: where
                // the image has some of it, it was thought of.
                let thought_of = asked.iter().any(|name| initramfs.has_firmware(name));
                let mut there = false;
                for name in asked {
                    there |= has_firmware(tree, name)?;
                }
                if !thought_of && there == in_root {
                    drivers.push(driver.as_str());
                }
            }
            if !drivers.is_empty() {
                hits.push((path.to_owned(), drivers.join(", ")));
            }
        }
        Ok(hits)
    }
}

fn has_firmware(tree: &Tree, name: &str) -> io::Result<bool> {
    for folder in ["/usr/lib/firmware", "/lib/firmware"] {
        for suffix in ["", ".xz", ".zst"] {
            let path = PathBuf::from(folder).join(format!("{name}{suffix}"));
            if tree.find(&path)?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What a path says of the version: `/boot/vmlinuz-6.1.0`, `…/modules/6.1.0/vmlinuz`.
fn named_version(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    match name.split_once('-') {
        Some((_, version)) => Some(version.to_owned()),
        None => Some(path.parent()?.file_name()?.to_str()?.to_owned()),
    }
}
