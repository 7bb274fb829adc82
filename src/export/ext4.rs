//! Format `ext4`: a file system in a file, without a partition table.
//!
//! mke2fs fills it in the order in which it reads directories (before 1.47.1), and takes
//! over times that the tree cannot be given: the tree is copied to memory, where the order
//! is that of the copy, and debugfs sets the times after.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::root::ExportRoot;
use super::stage::Staged;
use super::tools::ToolPaths;
use super::{Error, tools};
use crate::plan::tool::ext4;
use crate::plan::{Export, Times};

/// Where inodes of files start; those before are the file system's own.
const FIRST_INODE: u64 = 11;

/// `size` in bytes; as large as the tree needs where absent.
pub fn write(
    export: &Export,
    size: Option<u64>,
    root: ExportRoot<'_>,
    file: &Path,
) -> Result<(), Error> {
    let tree = Staged::in_memory(export, root)?;
    let failed = Error::io("look through", tree.path());
    let (blocks, inodes) = measure(tree.path()).map_err(failed)?;
    // Metadata takes a few per cent, the journal up to 64 MiB.
    let needed = blocks * 4096 * 108 / 100 + inodes * 512 + (72 << 20);
    let kib = size.unwrap_or(needed).div_ceil(4096) * 4;
    let places = ToolPaths {
        tree: tree.path(),
        ..ToolPaths::of_root(export, root, file)
    };
    let inodes_made = inodes.saturating_mul(5).div_ceil(4).max(1024).to_string();
    places.pack(&ext4(export, &format!("{kib}k"), &inodes_made))?;
    let metadata = std::fs::metadata(tree.path()).map_err(failed)?;
    let mut script = String::new();
    let mode = format!("{:o}", metadata.mode());
    let owner = [
        ("mode", format!("0{mode}")),
        ("uid", metadata.uid().to_string()),
        ("gid", metadata.gid().to_string()),
        ("mtime", format!("@{}", metadata.mtime())),
        ("mtime_extra", "0".to_owned()),
    ];
    for (field, value) in owner {
        let _ = writeln!(script, "sif <2> {field} {value}");
    }
    if let Times::Until { seconds } = export.times {
        // One more than there are: lost+found.
        let last = FIRST_INODE + inodes;
        for inode in std::iter::once(2).chain(FIRST_INODE..=last) {
            for field in ["atime", "ctime", "crtime"] {
                let _ = writeln!(script, "sif <{inode}> {field} @{seconds}");
                let _ = writeln!(script, "sif <{inode}> {field}_extra 0");
            }
        }
    }
    let argv = ["debugfs", "-w", "-f", "-", &file.display().to_string()].map(str::to_owned);
    let set = tools::dated(export, places.process(&argv)).stdin(script);
    tools::run_noisy("set the times in", file, set)
}

/// Blocks of 4 KiB and inodes that the tree takes, its top not counted.
fn measure(tree: &Path) -> std::io::Result<(u64, u64)> {
    let mut blocks = 0;
    let mut seen = std::collections::BTreeSet::new();
    for entry in walkdir::WalkDir::new(tree).min_depth(1) {
        let metadata = entry?.metadata()?;
        if seen.insert(metadata.ino()) {
            // A directory's own blocks, and one for attributes that do not fit.
            blocks += metadata.blocks().div_ceil(8) + 2;
        }
    }
    Ok((blocks, u64::try_from(seen.len()).unwrap_or(u64::MAX)))
}
