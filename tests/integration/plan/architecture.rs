//! The shape of the source: which area uses which, and what is named nowhere in it.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn base() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn arrows_point_one_way() {
    let allowed: &[(&str, &[&str])] = &[
        ("diagnose", &[]),
        ("plan", &["diagnose"]),
        ("preview", &["plan", "diagnose"]),
        ("project", &["plan", "diagnose"]),
        ("recipe", &["plan", "preview", "project", "diagnose"]),
        ("store", &["plan", "diagnose"]),
        ("run", &["plan", "store", "diagnose"]),
        ("lint", &["run", "plan", "diagnose"]),
        ("export", &["run", "plan", "store", "diagnose"]),
        ("reference", &["recipe", "diagnose"]),
        ("diff", &["export", "run", "preview", "plan", "diagnose"]),
        ("boot", &["export", "run", "plan", "store", "diagnose"]),
        (
            "build",
            &[
                "boot", "diff", "export", "run", "store", "recipe", "project", "preview", "plan",
                "diagnose",
            ],
        ),
    ];
    let areas = [
        "diagnose",
        "plan",
        "preview",
        "project",
        "recipe",
        "store",
        "run",
        "lint",
        "export",
        "boot",
        "reference",
        "diff",
        "build",
        "cli",
    ];
    for (area, may_use) in allowed {
        let mut files = Vec::new();
        sources(&base().join(area), &mut files);
        assert!(!files.is_empty());
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for other in areas
                .iter()
                .filter(|other| *other != area && !may_use.contains(other))
            {
                let name = format!("crate::{other}");
                assert!(!text.contains(&name), "{} uses {name}", file.display());
            }
        }
    }
}

#[test]
fn no_distro_is_named() {
    let words = [
        "debian",
        "ubuntu",
        "fedora",
        "rocky",
        "opensuse",
        "archlinux",
        "alpine",
        "bookworm",
        "trixie",
        "mmdebstrap",
        "debootstrap",
        "pacstrap",
        "apt-get",
        "dpkg",
        "devuan",
        "kali",
        "centos",
        "almalinux",
        "zypper",
        "pacman",
        "apk-tools",
        "archive-keyring",
        "noble",
        "jammy",
        "tumbleweed",
    ];
    let mut files = Vec::new();
    sources(&base(), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let line = line.to_lowercase();
            let is_example = line.contains("bootstrap(#{ distro:")
                || line.trim_start().starts_with("//")
                || line.contains("`${release}`");
            let named = words.iter().find(|word| line.contains(*word));
            assert!(
                named.is_none() || is_example,
                "{}:{}: {line}",
                file.display(),
                number + 1
            );
        }
    }
}

#[test]
fn there_is_no_flag_for_a_dry_run() {
    let mut files = Vec::new();
    sources(&base(), &mut files);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("dry_run"), "{}", file.display());
    }
}

/// Plain `cargo test` runs the tier `plan` only: tests of the others say how they are run.
#[test]
fn tests_of_the_other_tiers_are_ignored() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration");
    for tier in ["tiny", "attacks", "distro", "boot"] {
        let mut files = Vec::new();
        sources(&tests.join(tier), &mut files);
        // Attacks that only make plans are a part of `plan`.
        files.retain(|file| !file.ends_with("attacks/library.rs"));
        assert!(!files.is_empty());
        let ignored = format!("#[ignore = \"run with tests/run {tier}\"]");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let mut lines = text.lines();
            while let Some(line) = lines.next() {
                let next = (line == "#[test]").then(|| lines.next().unwrap());
                let part = "#[ignore = \"a part of the next test\"]";
                // It reads its own table.
                let table = "fn every_built_in_meets_the_image() {";
                assert!(
                    next.is_none_or(|next| [&*ignored, part, table].contains(&next)),
                    "{}: {next:?}",
                    file.display()
                );
            }
        }
    }
}
