//! The shell script of every distro × release × architecture that the stdlib names. Needs bash and
//! shellcheck.

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use rootwright::preview::sh;

use crate::plan::distros::recipe;
use crate::support::stdlib::{distros, plan, releases};

/// bash reads every script, and shellcheck as well.
#[test]
#[ignore = "run with tests/run tiny"]
fn the_script_of_every_distro_release_and_architecture_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let mut jobs = Vec::new();
    for distro in distros() {
        for (release, arches) in releases(&distro) {
            for arch in arches {
                let script = sh(&plan(&recipe(&distro, &release, &arch))).unwrap();
                let path = folder.path().join(format!("{distro}-{release}-{arch}.sh"));
                std::fs::write(&path, script).unwrap();
                jobs.push(path);
            }
        }
    }
    assert!(jobs.len() > 40, "{}", jobs.len());
    let jobs = Mutex::new(jobs);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(path) = jobs.lock().unwrap().pop() else {
                        return;
                    };
                    passes(Command::new("bash").arg("-n"), &path);
                    passes(&mut Command::new("shellcheck"), &path);
                }
            });
        }
    });
}

#[track_caller]
fn passes(command: &mut Command, path: &Path) {
    let output = command.arg(path).output().unwrap();
    assert!(
        output.status.success(),
        "{}: {}{}",
        path.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
