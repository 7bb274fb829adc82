//! Paths as people read them: from the current folder.

use std::path::{Component, Path, PathBuf};

/// A path as it is named from the current folder, where that is not farther than some
/// folders above.
pub fn from_here(path: &Path) -> PathBuf {
    const FARTHEST: usize = 6;
    let Ok(here) = std::env::current_dir() else {
        return path.to_owned();
    };
    let relative = from(&here, path);
    let up = relative.components();
    match up.take_while(|part| *part == Component::ParentDir).count() {
        0..=FARTHEST => relative,
        _ => path.to_owned(),
    }
}

/// `path`, named from `base`, an absolute folder.
pub fn from(base: &Path, path: &Path) -> PathBuf {
    let plain = |path: &Path| -> PathBuf {
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => drop(plain.pop()),
                part => plain.push(part),
            }
        }
        plain
    };
    let (base, path) = (plain(base), plain(&base.join(path)));
    let shared = base
        .components()
        .zip(path.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = base.components().skip(shared).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(path.components().skip(shared)).collect();
    match relative.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => relative,
    }
}
