//! What files hold: bytes, and extended attributes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

pub use crate::store::sha256;

fn buffered(path: &Path) -> io::Result<BufReader<File>> {
    Ok(BufReader::with_capacity(1 << 16, File::open(path)?))
}

/// Whether two files hold the same.
///
/// # Errors
/// Those of reading them.
pub fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (buffered(one)?, buffered(other)?);
    loop {
        let (a, b) = (one.fill_buf()?, other.fill_buf()?);
        let both = a.len().min(b.len());
        if both == 0 || a.get(..both) != b.get(..both) {
            return Ok(a == b);
        }
        one.consume(both);
        other.consume(both);
    }
}

/// The extended attributes of what `path` itself is; none where the file system has none.
///
/// # Errors
/// Those of reading them.
pub fn attributes(path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    let names = match xattr::list(path) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(BTreeMap::new()),
        names => names?,
    };
    let pairs = names.map(|name| Ok(xattr::get(path, &name)?.map(|value| (name, value))));
    pairs.filter_map(Result::transpose).collect()
}
