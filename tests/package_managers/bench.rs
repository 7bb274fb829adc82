//! The folder in which recipes are built, with repositories that a script makes once.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use rootwright::diagnose::{Report, SourceMap};

use crate::common::{mounts_below, rootwright, run, stderr, stdout};

/// The step that installs from a folder.
const OURS: &str = "root.install([\"ours\"], #{ packages_dir: \"ours\" });\n";

pub struct Bench {
    pub folder: PathBuf,
}

/// What `make-rpms` has made.
pub fn rpms() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| Bench::new("make-rpms"))
}

/// What `make-arch` has made.
pub fn arch() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| Bench::new("make-arch"))
}

/// What `make-apk` has made.
pub fn apk() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| Bench::new("make-apk"))
}

impl Bench {
    fn new(script: &str) -> Bench {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(script);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        std::fs::create_dir_all(&folder).unwrap();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/package_managers");
        run(Command::new(scripts.join(script)).arg(&folder));
        Bench { folder }
    }

    /// The address of a folder of the bench.
    pub fn uri(&self, folder: &str) -> String {
        format!("file://{}/{folder}", self.folder.display())
    }

    fn command(&self, verb: &str, name: &str, recipe: &str) -> Command {
        let file = format!("{name}.rhai");
        std::fs::write(self.folder.join(&file), recipe).unwrap();
        let mut command = rootwright();
        command.current_dir(&self.folder).args([verb, &file]);
        command.args(["--store", "store"]);
        command
    }

    pub fn plan(&self, name: &str, recipe: &str, format: &str) -> String {
        let mut plan = self.command("plan", name, recipe);
        stdout(&run(plan.args(["--format", format])))
    }

    /// Builds, and gives the root that was exported as `name`.
    pub fn build(&self, name: &str, recipe: &str) -> PathBuf {
        run(self
            .command("build", name, recipe)
            .args(["--out", &format!("out-{name}")]));
        assert_eq!(mounts_below(&self.folder), Vec::<String>::new());
        self.folder
            .join(format!("out-{name}"))
            .join(name)
            .join("root")
    }

    /// `ours` from the folder of that name, signed by nobody whom the root knows, in a root with
    /// the host's tool and one with its own. `root` makes the root of a variant.
    pub fn builds_from_a_folder(&self, name: &str, root: impl Fn(&str) -> String) {
        for variant in ["minimal", "standard"] {
            let name = format!("{name}-{variant}");
            let recipe = root(variant)
                + OURS
                + &*format!("root.export(#{{ format: \"dir\", name: \"{name}\" }});\n");
            let export = self.build(&name, &recipe);
            // Itself, what it needs of the folder, and what that needs of the mirror.
            assert_eq!(read(&export, "usr/share/ours"), "ours\n");
            assert_eq!(read(&export, "usr/share/ours-data"), "ours-data\n");
            assert!(export.join("usr/share/hello").exists(), "{name}");
            // Nothing of the folder stays, nor of how it became a repository.
            let files = ["*rootwright-packages*", ".rootwright", "ours*.rpm"];
            let more = ["ours*.apk", "ours*.pkg.*", "packages.conf"];
            let mut find = Command::new("find");
            find.arg(&export).args(["-name", "nothing"]);
            for pattern in files.iter().chain(&more) {
                find.args(["-o", "-name", pattern]);
            }
            assert_eq!(stdout(&run(&mut find)), "", "{name}");
        }
        // Nor in the downloads that builds share.
        let store = self.folder.join("store/packages");
        let shared = run(Command::new("find").arg(store).args(["-name", "ours*"]));
        assert_eq!(stdout(&shared), "");
    }

    /// A package that neither the folder nor the mirror has, beside one of the folder.
    pub fn misses_what_is_nowhere(&self, name: &str, root: &str, cause: &str, help: &str) {
        let call = "root.install([\"ours\", \"helo\"], #{ packages_dir: \"ours\" })";
        self.failure(name, &format!("{root}{call};\n"))
            .because("step 2 failed", cause, help)
            .underlines(call);
    }

    /// A folder without packages, whose kind is `suffix`.
    pub fn refuses_an_empty_folder(&self, name: &str, root: &str, suffix: &str) {
        std::fs::create_dir_all(self.folder.join("empty")).unwrap();
        std::fs::write(self.folder.join("empty/readme"), "").unwrap();
        let call = "root.install([\"ours\"], #{ packages_dir: \"empty\" })";
        self.failure(name, &format!("{root}{call};\n"))
            .because(
                "step 2 failed",
                &format!(
                    "`packages_dir` names holds no package of this distro's kind, `*.{suffix}`"
                ),
                "put the files there",
            )
            .underlines(call);
    }

    fn failed(&self, verb: &str, name: &str, recipe: &str) -> Output {
        let output = self
            .command(verb, name, recipe)
            .arg("--error-format=json")
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{}{}",
            stdout(&output),
            stderr(&output)
        );
        assert_eq!(mounts_below(&self.folder), Vec::<String>::new());
        output
    }

    /// Builds what has to fail; gives the one report.
    pub fn failure(&self, name: &str, recipe: &str) -> Failure {
        let output = self.failed("build", name, recipe);
        let text = stderr(&output);
        let mut reports: Vec<Report> = text
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(reports.len(), 1, "{text}");
        let mut sources = SourceMap::default();
        sources.insert(format!("{name}.rhai"), recipe);
        Failure {
            report: reports.remove(0),
            sources,
        }
    }
}

pub struct Failure {
    pub report: Report,
    sources: SourceMap,
}

impl Failure {
    #[track_caller]
    pub fn because(&self, message: &str, cause: &str, help: &str) -> &Self {
        let report = &self.report;
        assert!(report.message.contains(message), "{report:#?}");
        let found = report.cause.as_deref().unwrap_or_default();
        assert!(found.contains(cause), "{report:#?}");
        assert!(
            report.help.iter().any(|found| found.contains(help)),
            "{report:#?}"
        );
        self
    }

    /// What is underlined, from its first to its last character.
    #[track_caller]
    pub fn underlines(&self, call: &str) -> &Self {
        let span = self.report.place().unwrap();
        let range = self.sources.byte_range(span).unwrap();
        let text = self.sources.get(&span.file).unwrap();
        assert_eq!(text.get(range), Some(call));
        self
    }
}

/// The text of a file below an exported root.
#[track_caller]
pub fn read(export: &Path, file: &str) -> String {
    let path = export.join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every path of a tree with kind, mode, owner, target and digest.
pub fn listing(root: &Path, volatile: &[&str]) -> Vec<String> {
    let script = r#"cd "$1"
find . -mindepth 1 -printf '%P\t%y %m %U %G %l\n'
find . -type f -print0 | xargs -0 sha256sum | sed 's|^\([0-9a-f]*\)  \./\(.*\)|\2 (content)\t\1|'"#;
    let output = run(Command::new("sh").args(["-euc", script, "sh"]).arg(root));
    let mut lines: Vec<String> = stdout(&output)
        .lines()
        .filter(|line| !volatile.iter().any(|start| line.starts_with(start)))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}
