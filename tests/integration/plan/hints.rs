//! Every hint of the stdlib against the output that it was made from, and against all the
//! other outputs: a hint that fires on another failure's output is a defect.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rootwright::build::PreviewCapture;
use rootwright::diagnose::HintSet;

use rootwright::recipe::{self, Settings};

/// A failure that happened: what the tool printed, and what is to be said about it.
struct Recording {
    path: PathBuf,
    tools: Vec<String>,
    /// How it was provoked, or the issue that it was quoted from.
    from: String,
    date: String,
    /// The first words of the cause.
    hint: String,
    output: String,
}

fn base() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn recordings() -> Vec<Recording> {
    files(&base().join("tests/suite/failures"), "txt")
        .iter()
        .map(|path| recording(path))
        .collect()
}

fn recording(path: &Path) -> Recording {
    let text = std::fs::read_to_string(path).unwrap();
    let header: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with("# "))
        .collect();
    let field = |name: &str| {
        let start = format!("# {name}: ");
        let value = header.iter().find_map(|line| line.strip_prefix(&start));
        value
            .unwrap_or_else(|| panic!("{}: no `{start}` in the header", path.display()))
            .to_owned()
    };
    Recording {
        path: path.strip_prefix(base()).unwrap().to_owned(),
        tools: field("tool").split(", ").map(str::to_owned).collect(),
        from: field("from"),
        date: field("date"),
        hint: field("hint"),
        output: text
            .lines()
            .skip(header.len())
            .map(|line| format!("{line}\n"))
            .collect(),
    }
}

/// The hints as a recipe gets them that imports the stdlib's files.
fn hints() -> HintSet {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.rhai");
    let mut text = String::new();
    for path in files(&base().join("stdlib/hints"), "rhai") {
        let name = path.file_stem().unwrap().to_str().unwrap();
        text.push_str(&text!(
            r#"import "hints/{name}" as hints_{name};
"#,
            name
        ));
    }
    std::fs::write(&recipe, text).unwrap();
    match recipe::evaluate(
        &recipe,
        &Settings::default(),
        &mut PreviewCapture::default(),
    ) {
        Ok(evaluation) => evaluation.hints,
        Err(failure) => panic!("{:#?}", failure.reports),
    }
}

#[test]
fn every_recording_is_explained_by_its_hint_and_by_no_other() {
    let hints = hints();
    let mut wrong = Vec::new();
    for recording in recordings() {
        let path = recording.path.display();
        let tools: Vec<&str> = recording.tools.iter().map(String::as_str).collect();
        match hints.explain(&tools, &recording.output).first() {
            None => wrong.push(format!("{path}: no hint")),
            Some(first) if !first.cause.starts_with(&recording.hint) => {
                wrong.push(format!("{path}: says first `{}`", first.cause));
            }
            Some(first) => {
                for line in &first.lines {
                    assert!(
                        recording.output.lines().any(|l| l.trim_end() == line),
                        "{path}: `{line}`"
                    );
                }
            }
        }
        // Whatever tool it is for: a script's output is of many tools.
        for hint in hints.iter() {
            let said = hint.explain(&recording.output).map(|e| e.cause);
            if let Some(cause) = said.filter(|cause| !cause.starts_with(&recording.hint)) {
                wrong.push(format!("{path}: {} fires too: `{cause}`", hint.origin));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_hint_has_a_recording() {
    let hints = hints();
    let recordings = recordings();
    let without: Vec<&str> = hints
        .iter()
        .filter(|hint| !recordings.iter().any(|r| hint.explain(&r.output).is_some()))
        .map(|hint| hint.origin.as_str())
        .collect();
    assert!(without.is_empty(), "{without:#?}");
    assert!(hints.iter().count() >= 60);
}

#[test]
fn no_two_hints_are_alike() {
    let hints = hints();
    let patterns: BTreeSet<&str> = hints.iter().map(|hint| hint.pattern.as_str()).collect();
    let causes: BTreeSet<(&[String], &str)> = hints
        .iter()
        .map(|hint| (hint.tools.as_slice(), hint.cause.as_str()))
        .collect();
    assert_eq!(patterns.len(), hints.iter().count());
    assert_eq!(causes.len(), hints.iter().count());
}

#[test]
fn the_texts_keep_the_style_of_messages() {
    for hint in hints().iter() {
        for text in [&hint.cause, &hint.help] {
            let first = text.chars().next().unwrap();
            let proper = ["Debian", "NetworkManager", "QEMU", "NFS", "GTK"]
                .iter()
                .any(|name| text.starts_with(name));
            assert!(
                !first.is_uppercase() || proper,
                "{}: starts with a capital: {text}",
                hint.origin
            );
            assert!(
                !text.ends_with('.') && !text.ends_with('!'),
                "{}: ends with a stop: {text}",
                hint.origin
            );
            assert!(
                !text.to_lowercase().contains("please"),
                "{}: {text}",
                hint.origin
            );
            assert!(!text.contains("  "), "{}: two blanks: {text}", hint.origin);
            assert_eq!(
                text.matches('`').count() % 2,
                0,
                "{}: a backquote is left open: {text}",
                hint.origin
            );
            assert!(
                text.chars().count() < 330,
                "{}: too long: {text}",
                hint.origin
            );
        }
    }
}

#[test]
fn the_recordings_are_short_and_name_no_real_host_or_machine() {
    let host = regex::Regex::new(r"(?:https?|ftp|nfs)://(?:[^@/\s]+@)?([A-Za-z0-9.-]+)").unwrap();
    let mail = regex::Regex::new(r"[\w.+-]+@([\w-]+\.[\w.-]+)").unwrap();
    for recording in recordings() {
        let path = recording.path.display();
        assert!(recording.output.lines().count() <= 80, "{path}: too long");
        assert!(
            recording.date.len() == 10 && recording.from.len() > 8,
            "{path}: header"
        );
        let text = format!("{}\n{}", recording.from, recording.output);
        for found in host.captures_iter(&text).chain(mail.captures_iter(&text)) {
            let name = &found[1];
            let allowed = [
                "127.0.0.1",
                "github.com",
                "ipxe.org",
                "curl.se",
                "localhost",
            ];
            assert!(
                name.ends_with("example.org") || allowed.contains(&name),
                "{path}: `{name}`"
            );
        }
        for private in ["/home/", "/root/."] {
            assert!(!text.contains(private), "{path}: `{private}`");
        }
    }
}
