//! The files beside a tree or an archive: `vmlinuz`, `initramfs.img`, `cmdline` and
//! `manifest.json`. What the root does not have is not written.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, ExportJob};
use crate::diagnose::Report;
use crate::plan::{
    Action, Allowed, Export, Format, Key, Op, Plan, ServerField, ServerPart, ServerText, TREE,
    Times, Transport,
};
use crate::run::files::{self, Tree, glob};

/// The name of the manifest, which also marks an export as rootwright's.
pub const MANIFEST: &str = "manifest.json";

/// What [`Manifest::made_by`] says.
pub const MADE_BY: &str = "rootwright";

/// What an export was made from, and what it consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`MADE_BY`]: without it, a folder is not replaced.
    pub made_by: String,
    /// The version of the manifest's own form.
    pub schema: u32,
    /// The version of rootwright.
    pub rootwright: String,
    pub name: String,
    /// The version, where the format has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub format: Format,
    /// Stands for the root and the spec that it was made of; a script writes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Key>,
    /// How it boots; absent where no initramfs was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<BootEntry>,
    pub recipe: RecipeEntry,
    pub options: Vec<OptionEntry>,
    /// The newest kernel in the root, if there is one.
    pub kernel_version: Option<String>,
    /// The files of the export by name; the tree of format `dir` is not among them.
    pub files: BTreeMap<String, FileEntry>,
    /// Sorted by name.
    pub packages: Vec<Package>,
    /// What lints may find in the root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Allowed>,
}

impl Manifest {
    /// The one of an export, if it has one.
    pub fn read(export: &Path) -> Option<Manifest> {
        let text = fs::read(export.join(MANIFEST)).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipeEntry {
    pub path: String,
    pub title: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptionEntry {
    pub name: String,
    pub value: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// In bytes.
    pub size: u64,
    pub sha256: String,
    /// When it was written, in seconds since 1970 with nine decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// The kernel command line, with `SERVER:PATH` or `URL` left to fill in.
    pub cmdline: String,
}

/// Where an export is going to be.
#[derive(Debug)]
pub struct ExportLocation {
    /// `OUT/NAME`, absolute.
    dir: PathBuf,
    /// `NAME` or `NAME/VERSION`.
    bundle: String,
    name: String,
    version: Option<String>,
}

impl ExportLocation {
    pub fn new(out: &Path, name: &str, version: Option<String>) -> ExportLocation {
        let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
        ExportLocation {
            dir: out.join(name),
            bundle: match &version {
                Some(version) => format!("{name}/{version}"),
                None => name.to_owned(),
            },
            name: name.to_owned(),
            version,
        }
    }

    fn dir(&self, export: &Export) -> String {
        match &export.served.path {
            Some(path) => path.trim_end_matches('/').to_owned(),
            None => self.dir.display().to_string(),
        }
    }

    fn url(&self, export: &Export) -> String {
        format!("{}/{}", export.served.base_url(), self.bundle)
    }

    /// The command line as a node takes it. What is not served from here keeps
    /// `SERVER:PATH`.
    fn cmdline(&self, export: &Export, template: &str) -> String {
        match (export.format.transport(), &self.version) {
            (Some(Transport::Nfs), Some(version)) => {
                let (server, dir) = (export.served.server(), self.dir(export));
                template.replace("SERVER:PATH", &format!("{server}:{dir}/{version}/{TREE}"))
            }
            (Some(Transport::Http), _) => {
                template.replace("live:URL/", &format!("live:{}/", self.url(export)))
            }
            _ => template.to_owned(),
        }
    }

    fn fill(&self, export: &Export, cmdline: &str, text: &ServerText) -> String {
        let part = |part: &ServerPart| match part {
            ServerPart::Literal(text) => text.clone(),
            ServerPart::Field { field } => match field {
                ServerField::Server => export.served.server().to_owned(),
                ServerField::Dir => self.dir(export),
                ServerField::Bundle => self.bundle.clone(),
                ServerField::Url => self.url(export),
                ServerField::Name => self.name.clone(),
                ServerField::Version => self.version.clone().unwrap_or_default(),
                ServerField::Cmdline => cmdline.to_owned(),
            },
        };
        text.text.iter().map(part).collect()
    }
}

/// What only the root can say.
#[derive(Debug)]
pub struct Answers {
    packages: Vec<Package>,
    cmdline: Option<String>,
}

/// Asks the root.
pub fn ask(export: &Export, job: &ExportJob<'_>) -> Result<Answers, Error> {
    let cmdline = match &export.cmdline_command {
        Some(command) => Some((job.in_root)(command)?.trim().to_owned()),
        None => export.cmdline.clone(),
    };
    Ok(Answers {
        packages: packages(export, job)?,
        cmdline,
    })
}

/// `export` with the time that times are clamped to.
pub fn with_time(export: &Export, job: &ExportJob<'_>) -> Result<Export, Error> {
    let Times::Newest { command } = &export.times else {
        return Ok(export.clone());
    };
    let output = (job.in_root)(command)?;
    let seconds = output.trim().parse().map_err(|_| Error::Time {
        output: output.trim().to_owned(),
    })?;
    Ok(Export {
        times: Times::Until { seconds },
        ..export.clone()
    })
}

/// A file's time as [`FileEntry::modified`] has it.
pub fn modified(metadata: &Metadata) -> String {
    format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec())
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub architecture: String,
}

/// What the root's package manager says is installed.
fn packages(export: &Export, job: &ExportJob<'_>) -> Result<Vec<Package>, Error> {
    let Some(command) = &export.packages else {
        return Ok(Vec::new());
    };
    let output = (job.in_root)(command)?;
    let mut packages = Vec::new();
    for (index, line) in output.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        let Ok([name, version, architecture]) = <[String; 3]>::try_from(fields) else {
            return Err(Error::PackageLine {
                number: index + 1,
                line: line.to_owned(),
            });
        };
        packages.push(Package {
            name,
            version,
            architecture,
        });
    }
    packages.sort();
    Ok(packages)
}

/// Writes all that goes beside the artifact.
pub fn write(
    export: &Export,
    job: &ExportJob<'_>,
    bundle: &Path,
    place: &ExportLocation,
    answers: Answers,
    identity: &Key,
) -> Result<(), Error> {
    let kernel_version = files::newest_kernel(job.root.path);
    let mut listed = boot_images(export, job, bundle, kernel_version.as_deref())?;
    if !export.format.is_folder() {
        listed.push(export.format.artifact());
    }
    let mut boot = None;
    if let Some(template) = &answers.cmdline {
        let template = template.trim_end();
        let cmdline = place.cmdline(export, template);
        write_text(&bundle.join("cmdline"), &format!("{cmdline}\n"))?;
        listed.push("cmdline".to_owned());
        for text in &export.texts {
            let filled = place.fill(export, &cmdline, text);
            write_text(&bundle.join(&text.name), &filled)?;
            listed.push(text.name.clone());
        }
        boot = Some(BootEntry {
            transport: export.format.transport(),
            cmdline: template.to_owned(),
        });
    }
    let mut entries = BTreeMap::new();
    for name in listed {
        let path = bundle.join(&name);
        if let Times::Until { seconds } = export.times {
            set_time(&path, seconds)?;
        }
        entries.insert(name, entry(&path)?);
    }
    let plan = job.plan;
    let options = plan.options.iter().map(|option| OptionEntry {
        name: option.name.clone(),
        value: option.value.clone(),
    });
    let manifest = Manifest {
        made_by: MADE_BY.to_owned(),
        schema: 1,
        rootwright: env!("CARGO_PKG_VERSION").to_owned(),
        name: export.name.clone(),
        version: place.version.clone(),
        format: export.format.clone(),
        identity: Some(identity.clone()),
        boot,
        recipe: RecipeEntry {
            path: plan.recipe.path.clone(),
            title: plan.recipe.title.clone(),
        },
        options: options.collect(),
        kernel_version,
        files: entries,
        packages: answers.packages,
        allowed: allowed(export, plan),
    };
    write_json(&bundle.join(MANIFEST), &manifest)
}

/// What the recipe allows in the root that this export is of.
fn allowed(export: &Export, plan: &Plan) -> Vec<Allowed> {
    let this = |action: &Action| matches!(&action.op, Op::Export(op) if op.name == export.name);
    let mut steps = plan.steps.iter();
    let step = steps.find(|step| step.actions.iter().any(this));
    let root = step.and_then(|step| plan.root(step.root?));
    root.map(|root| root.allowed.clone()).unwrap_or_default()
}

/// Copies kernel and initramfs out of the root; gives the names of those that are there.
fn boot_images(
    export: &Export,
    job: &ExportJob<'_>,
    bundle: &Path,
    kernel_version: Option<&str>,
) -> Result<Vec<String>, Error> {
    let tree = Tree::open(job.root.path).map_err(Report::from)?;
    let mut listed = Vec::new();
    for (patterns, name) in [
        (&export.kernel, "vmlinuz"),
        (&export.initramfs, "initramfs.img"),
    ] {
        let to = bundle.join(name);
        let failed = Error::io("write", &to);
        if let Some(mut from) = first_file(&tree, patterns, kernel_version).map_err(failed)? {
            write_file(&to, |file| io::copy(&mut from, file).map(drop)).map_err(failed)?;
            listed.push(name.to_owned());
        }
    }
    Ok(listed)
}

/// The time of a file beside the artifact, so that the manifest of the same root is the
/// same, too.
fn set_time(path: &Path, seconds: u64) -> Result<(), Error> {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    fs::File::open(path)
        .and_then(|file| file.set_modified(time))
        .map_err(Error::io("set the time of", path))
}

/// Makes a file one that any server may read.
pub fn readable(path: &Path) -> Result<(), Error> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).map_err(Error::io("write", path))
}

pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|error| Error::Manifest { error })?;
    text.push('\n');
    write_text(path, &text)
}

/// The first pattern that names a regular file, links followed inside of the root; of
/// several names the last in the order of versions.
fn first_file(
    tree: &Tree,
    patterns: &[String],
    kernel_version: Option<&str>,
) -> io::Result<Option<fs::File>> {
    for pattern in patterns {
        let pattern = match kernel_version {
            Some(version) => pattern.replace("{kver}", version),
            None if pattern.contains("{kver}") => continue,
            None => pattern.clone(),
        };
        let mut paths = glob::expand(tree, &pattern)?;
        let text = |path: &PathBuf| path.display().to_string();
        paths.sort_by(|a, b| files::version_order(&text(b), &text(a)));
        for path in paths {
            if let Some(file) = tree.open_file(&path)? {
                return Ok(Some(file));
            }
        }
    }
    Ok(None)
}

fn entry(path: &PathBuf) -> Result<FileEntry, Error> {
    let read = || -> io::Result<FileEntry> {
        let metadata = fs::metadata(path)?;
        Ok(FileEntry {
            size: metadata.len(),
            sha256: files::sha256(path)?,
            modified: Some(modified(&metadata)),
        })
    };
    read().map_err(Error::io("read", path))
}

fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    write_file(path, |file| io::Write::write_all(file, text.as_bytes()))
        .map_err(Error::io("write", path))
}

/// A new file that a server may read, whatever the umask and the mode in the root: an
/// initramfs is often 0600, and a TFTP or HTTP server is not root.
fn write_file(path: &Path, fill: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<()> {
    let mut file = fs::File::create_new(path)?;
    fill(&mut file)?;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}
