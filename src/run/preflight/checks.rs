//! What the plan's own checks say: commands of the host that change nothing.
//!
//! A check gets the names that it is about on standard input, a line each, and a folder in
//! `CACHE` to keep downloads in. It prints lines of fields between tabs:
//!
//! ```text
//! wrong    MESSAGE  CAUSE  HELP
//! missing  NAME     FILE         a name from standard input; FILE has those that there are
//! unknown  WHY                   it could not be checked
//! ```

use std::path::Path;
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::diagnose::Report;
use crate::plan::{Check, Plan, Want};

/// What one check found.
#[derive(Debug)]
pub struct Checked {
    pub about: String,
    pub wrong: Vec<Report>,
    /// What could not be checked, and why.
    pub unknown: Vec<String>,
}

/// Seconds that a check may take.
const PATIENCE: &str = "60";

/// Runs all checks of a plan side by side; `cache` is a folder that they keep downloads in.
pub fn run(plan: &Plan, cache: &Path) -> Vec<Checked> {
    std::thread::scope(|scope| {
        let running: Vec<_> = plan
            .checks
            .iter()
            .map(|check| (check, scope.spawn(|| output(check, cache))))
            .collect();
        running
            .into_iter()
            .map(|(check, output)| match output.join() {
                Ok(Ok(output)) => read(check, &output),
                Ok(Err(error)) => unknown(check, error.to_string()),
                Err(_) => unknown(check, "the check ended before its time".to_owned()),
            })
            .collect()
    })
}

fn unknown(check: &Check, why: String) -> Checked {
    Checked {
        about: check.about.clone(),
        wrong: Vec::new(),
        unknown: vec![why],
    }
}

fn output(check: &Check, cache: &Path) -> std::io::Result<std::process::Output> {
    let folder = tempfile::tempdir()?;
    let names: String = check
        .wants
        .iter()
        .map(|want| format!("{}\n", want.name))
        .collect();
    let stdin = folder.path().join("names");
    fs::write(&stdin, names)?;
    Command::new("timeout")
        .arg(PATIENCE)
        .args(&check.argv)
        .envs(&check.env)
        .env("CACHE", cache)
        .env("TMPDIR", folder.path())
        .env("LC_ALL", "C.UTF-8")
        .current_dir(folder.path())
        .stdin(Stdio::from(fs::File::open(&stdin)?.into_file()))
        .output()
}

fn read(check: &Check, output: &std::process::Output) -> Checked {
    let mut checked = Checked {
        about: check.about.clone(),
        wrong: Vec::new(),
        unknown: Vec::new(),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            ["wrong", message, cause, help] => checked.wrong.push(
                Report::new("host::check", *message)
                    .trace(check.site.clone())
                    .cause(*cause)
                    .help(*help),
            ),
            ["missing", name, file] => {
                let want = check.wants.iter().find(|want| want.name == *name);
                match want.and_then(|want| want.after) {
                    Some(step) => checked.unknown.push(format!(
                        "`{name}` is in none of the lists, but step {step} may add others"
                    )),
                    None => checked
                        .wrong
                        .push(missing(check, want, name, Path::new(file))),
                }
            }
            ["unknown", why] => checked.unknown.push((*why).to_owned()),
            _ => checked.unknown.push(format!("the check said: {line}")),
        }
    }
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().last().unwrap_or("it failed without a word");
        checked.unknown.push(match output.status.code() {
            Some(124) => format!("no answer within {PATIENCE} s"),
            _ => last.to_owned(),
        });
    }
    checked
}

fn missing(check: &Check, want: Option<&Want>, name: &str, file: &Path) -> Report {
    let site = want.map_or(&check.site, |want| &want.site);
    let report = Report::new("host::no_package", format!("there is no package `{name}`"))
        .trace(site.clone())
        .focus(want.and_then(|want| want.literal.clone()))
        .cause(format!("it is in none of the lists of {}", check.about));
    let names = fs::read_to_string(file).unwrap_or_default();
    match crate::diagnose::nearest(name, names.lines()) {
        Some(near) => report.help(format!("did you mean `{near}`?")),
        None => {
            report.help("look at its name, at the release, and at the components of the archive")
        }
    }
}
