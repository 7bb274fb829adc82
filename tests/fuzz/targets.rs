//! What input from outside goes through, from bytes to what people see. A target fails by
//! panicking, by hanging, or by taking more memory than its caller allows.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "each fuzz target is a crate that uses one function; a target fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rootwright::diagnose::render::{Style, render as render_report};
use rootwright::diagnose::{HintSet, Report, SourceMap};
use std::collections::BTreeSet;

use rootwright::build::bundle::Bundle;
use rootwright::build::cache::archive_digest;
use rootwright::export::{MANIFEST, Manifest, OpenedExport, Shelf, publish};
use rootwright::lint::Initramfs;
use rootwright::plan::{Capture, CaptureRequest, Captured, Circumstances, Key, Plan, keys, layers};
use rootwright::preview;
use rootwright::project::{LOCK_FILE, Lock, config};
use rootwright::recipe::{self, HostFacts, Settings};
use rootwright::run::{CommandFailure, Error};
use rootwright::store::Offer;

/// Captures are answered with what the recipe expects.
struct Stand;

impl Capture for Stand {
    fn capture(&mut self, request: CaptureRequest<'_>) -> Result<Captured, Report> {
        let text = request.preview.unwrap_or("captured");
        Ok(Captured::Preview(text.to_owned()))
    }
}

/// A host of which nothing is known.
struct Nowhere;

impl Circumstances for Nowhere {
    fn version(&self, _: &str) -> Option<String> {
        None
    }

    fn archives(&self, _: &Key, _: &BTreeSet<usize>) -> Option<String> {
        None
    }
}

/// The bytes as a recipe: parsed, evaluated, and its plan or its reports drawn.
pub fn evaluate(data: &[u8]) {
    with_recipe(data, Vec::new());
}

/// Declares an option of every kind.
const OPTIONS: &str = r#"
let a = option("text", #{ default: "a", pattern: "[a-z]+(-[0-9]{1,3})?" });
let b = option("choice", #{ default: "one", choices: ["one", "two", "drei"] });
let c = option("number", #{ default: 1, choices: [1, 2, -3] });
let d = option("any", #{ type: "number", default: 7 });
let e = option("flag", #{ default: false });
let f = option("list", #{ default: ["x"], pattern: "[x-z]" });
let g = option("some", #{ type: "list", default: ["x"], choices: ["x", "y"] });
let h = option("free");
log(`${a} ${b} ${c} ${d} ${e} ${f} ${g} ${h}`);
"#;

/// Each line as a word of a command line, and `NAME=VALUE` lines as a recipe's options.
pub fn options(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words = ["rootwright", "plan", "recipe.rhai"];
    let _ = rootwright::cli::check_usage(words.into_iter().chain(text.lines()));
    let _ = rootwright::cli::check_usage(["rootwright"].into_iter().chain(text.lines()));
    let pairs = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    with_recipe(OPTIONS.as_bytes(), pairs);
}

fn with_recipe(text: &[u8], options: Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.rhai");
    std::fs::write(&recipe, text).unwrap();
    let settings = Settings {
        options,
        // What recipes ask of the host comes from an empty folder.
        host: HostFacts {
            root: folder.path().to_owned(),
            ..HostFacts::default()
        },
        ..Settings::default()
    };
    match recipe::evaluate(&recipe, &settings, &mut Stand) {
        Ok(evaluation) => draw_plan(&evaluation.plan),
        Err(failure) => {
            assert!(!failure.reports.is_empty());
            draw_reports(&failure.reports, &failure.sources);
        }
    }
}

fn draw_reports(reports: &[Report], sources: &SourceMap) {
    for style in [Style::Human, Style::Json, Style::Short] {
        for report in reports {
            for (color, width) in [(false, 100), (true, 40)] {
                let drawn = render_report(report, sources, style, color, width);
                assert!(drawn.ends_with('\n'));
            }
        }
    }
}

/// The first line names tools, the others are what they printed before they failed.
pub fn hints(data: &[u8]) {
    static HINTS: OnceLock<HintSet> = OnceLock::new();
    let hints = HINTS.get_or_init(|| recipe::known_failures(&Settings::default()));
    assert!(hints.iter().count() >= 60);
    let text = String::from_utf8_lossy(data);
    let (tools, output) = text.split_once('\n').unwrap_or(("", &text));
    for hint in hints.iter() {
        if let Some(known) = hint.explain(output) {
            assert!(!known.cause.is_empty() && !known.help.is_empty());
        }
    }
    let failure = CommandFailure {
        step: 1,
        command: tools.to_owned(),
        in_root: data.len().is_multiple_of(2),
        script: data.len().is_multiple_of(3),
        tools: tools.split_whitespace().map(str::to_owned).collect(),
        status: "exit status 1".to_owned(),
        exited_well: false,
        matched: output
            .lines()
            .filter(|line| line.contains("FAILED"))
            .map(str::to_owned)
            .collect(),
        output: output.lines().map(str::to_owned).collect(),
        log: PathBuf::from("log"),
        kept: Some(PathBuf::from("kept")),
        boot: None,
        told: Vec::new(),
    };
    let error = Error::Command {
        failure: Box::new(failure),
        calls: Vec::new(),
    };
    draw_reports(&[error.report(hints)], &SourceMap::default());
}

/// A plan from elsewhere: drawn in every form; as JSON it comes back as it was.
pub fn plan(data: &[u8]) {
    if let Ok(plan) = serde_json::from_slice::<Plan>(data) {
        draw_plan(&plan);
    }
}

fn draw_plan(plan: &Plan) {
    for commands in [true, false] {
        for width in [1, 90] {
            let options = preview::TextOptions {
                color: !commands,
                commands,
                width,
                ..preview::TextOptions::default()
            };
            preview::text(plan, &options);
        }
    }
    let _ = preview::sh(plan);
    preview::graph(plan);
    let again: Plan = serde_json::from_str(&preview::json(plan)).expect("a plan's own JSON");
    assert_eq!(&again, plan);
    let layers = layers(plan);
    assert!(layers.len() <= plan.steps.len());
    assert_eq!(keys(plan, &layers, &Nowhere).len(), layers.len());
}

/// A project's `rootwright.toml`.
pub fn project(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let name = "rootwright.toml";
    if let Err(report) = config::parse(name, &text) {
        let mut sources = SourceMap::default();
        sources.insert(name.to_owned(), text);
        draw_reports(&[report], &sources);
    }
}

/// A project's `rootwright.lock`; what is read is written back as it was.
pub fn lock(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(LOCK_FILE), data).unwrap();
    match Lock::read(folder.path()) {
        Ok(lock) => {
            lock.write(folder.path()).unwrap();
            assert_eq!(Lock::read(folder.path()).ok(), Some(lock));
        }
        Err(trouble) => draw_reports(&trouble.reports, &trouble.sources),
    }
}

/// What separates the entries of a bundle in the input, each a name, a line's end, and a content.
const ENTRY: &[u8] = b"\n====\n";

/// A bundle: the bytes themselves, and a tar archive of the entries that they name, hostile names
/// included.
pub fn bundle(data: &[u8]) {
    read_bundle(data);
    let mut archive = Vec::new();
    for entry in split(data, ENTRY) {
        let end = entry.iter().position(|byte| *byte == b'\n');
        let (name, content) = entry.split_at(end.unwrap_or(entry.len()));
        let content = content.get(1..).unwrap_or_default();
        archive.extend(tar_entry(name, content));
    }
    archive.extend([0; 1024]);
    read_bundle(&archive);
}

fn read_bundle(bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.bundle");
    std::fs::write(&path, bytes).unwrap();
    match Bundle::read(&path) {
        Ok(bundle) => draw_plan(&bundle.plan),
        Err(error) => draw_reports(&[error.into()], &SourceMap::default()),
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

/// The first byte of a name that isn't a letter of a path says of what type the entry is.
fn tar_entry(name: &[u8], content: &[u8]) -> Vec<u8> {
    let (kind, name) = match name {
        [kind @ b'0'..=b'9', b':', name @ ..] => (*kind, name),
        name => (b'0', name),
    };
    let mut header = [0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| {
        header[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(0, &name[..name.len().min(100)]);
    put(100, b"0000644\0");
    let is_link = matches!(kind, b'1' | b'2');
    let size = if is_link { 0 } else { content.len() };
    put(124, format!("{size:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    if is_link {
        put(157, &content[..content.len().min(100)]);
    }
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut entry = header.to_vec();
    if !is_link {
        entry.extend(content);
        entry.resize(entry.len().next_multiple_of(512), 0);
    }
    entry
}

fn split<'a>(data: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(by.len()).position(|window| window == by) {
        parts.push(&rest[..at]);
        rest = &rest[at + by.len()..];
    }
    parts.push(rest);
    parts
}

/// The `manifest.json` of an export, of a folder of versions, and of the versions in it.
pub fn manifest(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    for export in ["x", "shelf", "shelf/1"] {
        let export = out.join(export);
        std::fs::create_dir_all(export.join("tree/root")).unwrap();
        for file in ["vmlinuz", "initramfs.img", "cmdline", "root.squashfs"] {
            std::fs::write(export.join(file), "x").unwrap();
        }
        std::fs::write(export.join(MANIFEST), data).unwrap();
    }
    let draw = |error: rootwright::export::Error| {
        draw_reports(&[error.into()], &SourceMap::default());
    };
    let x = out.join("x");
    for versioned in [true, false] {
        if let Err(error) = publish::refuse_foreign(&x, versioned) {
            draw(error);
        }
    }
    let _ = Manifest::read(&x);
    match OpenedExport::open(&x) {
        Ok(opened) => {
            let _ = opened.transport();
            let _ = opened.cmdline_for("192.0.2.1:/x", "http://192.0.2.1/x");
        }
        Err(error) => draw(error),
    }
    match Shelf::open(&out.join("shelf")).and_then(|shelf| shelf.versions()) {
        Ok(versions) => assert!(versions.iter().all(|version| version.path.starts_with(out))),
        Err(error) => draw(error),
    }
}

/// What repositories answer: their state, and the files that a signed index offers.
pub fn repository(data: &[u8]) {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    let plan = PLAN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let recipe = folder.path().join("recipe.rhai");
        let text = REPOSITORIES.map(|(distro, release)| {
            let mirror = "mirror: \"http://mirror.example.org/x\"";
            format!("bootstrap(#{{ distro: \"{distro}\", release: \"{release}\", {mirror} }});\n")
        });
        std::fs::write(&recipe, text.concat()).unwrap();
        let evaluated = recipe::evaluate(&recipe, &Settings::default(), &mut Stand);
        evaluated.expect("the repositories' recipe").plan
    });
    assert!(!plan.repositories.is_empty());
    for repository in &plan.repositories {
        let state = archive_digest(repository, data).expect("patterns of the standard library");
        assert_eq!(state.digest.len(), 64);
    }
    for offer in String::from_utf8_lossy(data)
        .lines()
        .filter_map(Offer::parse)
    {
        let path = Path::new("/pool").join(&offer.name);
        assert_eq!(path.parent(), Some(Path::new("/pool")), "{offer:?}");
        assert_eq!(offer.sha256.len(), 64);
    }
}

/// One for each form of an archive's state.
const REPOSITORIES: [(&str, &str); 4] = [
    ("debian", "bookworm"),
    ("fedora", "43"),
    ("arch", "rolling"),
    ("alpine", "3.23"),
];

/// An initramfs, as far as no program unpacks it.
pub fn initramfs(data: &[u8]) {
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, data).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    if let Ok(found) = Initramfs::read(file) {
        assert!(!found.names.is_empty());
        let _ = found.versions();
        let _ = found.has_driver("nfs") || found.has_firmware("x.fw");
    }
}
