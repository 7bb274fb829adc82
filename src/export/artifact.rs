//! An export that is there, for whoever boots or checks it.

use std::path::{Path, PathBuf};

use std::fs;

use super::versions::{CURRENT, Shelf};
use super::{Error, MADE_BY, MANIFEST, Manifest, closed_tree};
use crate::plan::{Format, Transport};

/// An export, or one version of one.
#[derive(Clone, Debug)]
pub struct OpenedExport {
    /// Where the manifest is.
    pub path: PathBuf,
    pub manifest: Manifest,
    /// The artifact: the tree, the archive or the image.
    pub artifact: PathBuf,
    pub kernel: Option<PathBuf>,
    /// For format `cpio` the artifact itself.
    pub initramfs: Option<PathBuf>,
    /// The kernel command line as it is in `cmdline`.
    pub cmdline: Option<String>,
}

impl OpenedExport {
    /// Opens `OUT/NAME`, of which the current version is meant, `OUT/NAME/VERSION` or
    /// `OUT/NAME/current`.
    ///
    /// # Errors
    /// [`Error::NoExport`] where there is none, or not all of it.
    pub fn open(path: &Path) -> Result<OpenedExport, Error> {
        let path = match Shelf::open(path) {
            Ok(_) => path.join(CURRENT),
            Err(_) => path.to_owned(),
        };
        let missing = |why: String| Error::NoExport {
            path: path.clone(),
            why,
        };
        let real = fs::canonicalize(&path).map_err(|error| missing(error.to_string()))?;
        let text = fs::read(real.join(MANIFEST))
            .map_err(|error| missing(format!("`manifest.json`: {error}")))?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|error| missing(error.to_string()))?;
        if manifest.made_by != MADE_BY {
            let why = "its `manifest.json` is not rootwright's";
            return Err(missing(why.to_owned()));
        }
        let name = manifest.format.artifact();
        let artifact = match manifest.format.is_tree() {
            true => closed_tree::find(&real),
            false => real.join(&name),
        };
        if fs::symlink_metadata(&artifact).is_err() {
            return Err(missing(format!("`{name}` is not there")));
        }
        let file = |name: &str| Some(real.join(name)).filter(|path| path.is_file());
        let initramfs = match manifest.format {
            Format::Cpio { .. } => Some(artifact.clone()),
            _ => file("initramfs.img"),
        };
        let cmdline = fs::read_to_string(real.join("cmdline")).ok();
        Ok(OpenedExport {
            kernel: file("vmlinuz"),
            initramfs,
            cmdline: cmdline.map(|line| line.trim_end().to_owned()),
            artifact,
            manifest,
            path: real,
        })
    }

    /// Whether something at this path is meant to be one.
    pub fn is_at(path: &Path) -> bool {
        path.join(MANIFEST).is_file() || path.join(CURRENT).is_symlink()
    }

    /// How nodes get at it; `None` for what needs no server, or boots nothing.
    pub fn transport(&self) -> Option<Transport> {
        self.manifest.boot.as_ref().and_then(|boot| boot.transport)
    }

    /// The kernel command line with `nfs` (`10.0.2.2:/path`) in the place of
    /// `SERVER:PATH`, or `url` in the place of the folder that the artifact is in.
    pub fn cmdline_for(&self, nfs: &str, url: &str) -> Option<String> {
        let boot = self.manifest.boot.as_ref()?;
        let live = format!("live:{}/", url.trim_end_matches('/'));
        let cmdline = boot.cmdline.replace("SERVER:PATH", nfs);
        Some(cmdline.replace("live:URL/", &live))
    }
}
