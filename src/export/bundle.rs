//! What stands beside every root: kernel, initramfs, kernel command line, manifest.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;

use super::{Error, MARKER};
use crate::diagnose::Report;
use crate::plan::{Export, Format, OptionValue, command};
use crate::run::inside::Inside;
use crate::run::{ExportJob, files};

/// `manifest.json`.
#[derive(Serialize)]
struct Manifest<'a> {
    /// Marks the folder as ours; the version of rootwright.
    rootwright: &'a str,
    name: &'a str,
    format: &'a Format,
    recipe: &'a crate::plan::Recipe,
    options: &'a [OptionValue],
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<String>,
    /// sha256 of the files beside, by name.
    sha256: std::collections::BTreeMap<&'a str, String>,
    packages: Vec<Package<'a>>,
}

#[derive(Serialize)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    architecture: &'a str,
}

pub fn write(export: &Export, job: &ExportJob<'_>, folder: &Path) -> Result<(), Box<Report>> {
    let failed = |error: Error| Box::new(error.report());
    let inside = Inside::open(job.root).map_err(Error::write(job.root)).map_err(failed)?;
    let kernel = inside.newest_kernel();
    let mut sha256 = std::collections::BTreeMap::new();
    let mut found = vec![];
    for (name, patterns) in [("vmlinuz", &export.kernel), ("initramfs.img", &export.initramfs)] {
        if let Some(source) = first(&inside, patterns, kernel.as_deref()) {
            let target = folder.join(name);
            fs::copy(source, &target).map_err(Error::write(&target)).map_err(failed)?;
            found.push(name);
        }
    }
    if let Some(cmdline) = &export.cmdline {
        let target = folder.join("cmdline");
        fs::write(&target, format!("{cmdline}\n")).map_err(Error::write(&target)).map_err(failed)?;
        found.push("cmdline");
    }
    if let Format::Tar { compression } = export.format {
        found.push(command::tar_name(compression));
    }
    for name in found {
        let path = folder.join(name);
        let digest = files::sha256(&path).map_err(Error::write(&path)).map_err(failed)?;
        sha256.insert(name, digest);
    }
    let listed = if export.packages.is_empty() {
        String::new()
    } else {
        (job.in_root)(&export.packages)?
    };
    let manifest = Manifest {
        rootwright: &job.plan.rootwright,
        name: &export.name,
        format: &export.format,
        recipe: &job.plan.recipe,
        options: &job.plan.options,
        kernel,
        sha256,
        packages: packages(&listed),
    };
    let target = folder.join(MARKER);
    let json = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| failed(Error::write(&target)(error.into())))?;
    fs::write(&target, json).map_err(Error::write(&target)).map_err(failed)
}

/// The first pattern that names a file of the root.
fn first(inside: &Inside, patterns: &[String], kver: Option<&str>) -> Option<PathBuf> {
    patterns.iter().find_map(|pattern| {
        let path = if pattern.contains("{kver}") {
            pattern.replace("{kver}", kver?)
        } else {
            pattern.clone()
        };
        inside.existing(&path).ok().filter(|path| path.is_file())
    })
}

fn packages(listed: &str) -> Vec<Package<'_>> {
    listed
        .lines()
        .filter_map(|line| {
            let mut fields = line.split('\t');
            Some(Package {
                name: fields.next()?,
                version: fields.next()?,
                architecture: fields.next().unwrap_or_default(),
            })
        })
        .collect()
}
