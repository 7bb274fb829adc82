//! What an export was made of, as one key, and whether the one in place is of the same.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::closed_tree;
use super::companions::{self, Manifest};
use crate::plan::{Export, Format, Key};

/// Changes when the same spec gives other artifacts than before.
const EXPORTER: &str = "exporter 1";

/// The key of an export to `out` of the root that `root` stands for. Neither the tools of
/// the host are in it nor the recipe's text: the same root, written anew, would be no
/// other.
pub fn identity(export: &Export, out: &Path, root: &Key) -> Key {
    let mut spec = export.clone();
    // How many older ones stay does not change this one.
    if let Format::Nfs { keep, .. } = &mut spec.format {
        *keep = None;
    }
    let spec = serde_json::to_vec(&spec).unwrap_or_default();
    // The texts beside the artifact name the folder.
    let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    Key::of(&[
        EXPORTER.as_bytes(),
        root.as_str().as_bytes(),
        out.as_os_str().as_encoded_bytes(),
        &spec,
    ])
}

/// Whether `bundle` was made of the same, and nobody has changed it as far as sizes and
/// times of the files beside the tree say. The tree itself is not gone through.
pub fn is_fresh(bundle: &Path, identity: &Key) -> bool {
    let made_of = |manifest: &Manifest| manifest.identity.as_ref() == Some(identity);
    let Some(manifest) = Manifest::read(bundle).filter(made_of) else {
        return false;
    };
    let complete = manifest.files.iter().all(|(name, entry)| {
        let there = std::fs::symlink_metadata(bundle.join(name));
        there.is_ok_and(|metadata| {
            metadata.is_file()
                && metadata.len() == entry.size
                && entry.modified.as_deref() == Some(companions::modified(&metadata).as_str())
        })
    });
    complete && tree_is_there(bundle, &manifest).unwrap_or(false)
}

fn tree_is_there(bundle: &Path, manifest: &Manifest) -> io::Result<bool> {
    let format = &manifest.format;
    if format.is_tree() && !closed_tree::is_closed(bundle)? {
        return Ok(false);
    }
    if !format.is_folder() {
        return Ok(true);
    }
    let metadata = std::fs::symlink_metadata(bundle.join(format.artifact()))?;
    // A directory that nothing lies in has two links on most file systems, and one on
    // those that do not count.
    Ok(metadata.is_dir() && metadata.nlink() != 2)
}
