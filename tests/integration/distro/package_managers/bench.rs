//! The folder in which recipes are built, with repositories that a script makes once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::failure::Failure;
use crate::support::{mounts_below, rootwright, run, stdout};

pub struct Bench {
    pub folder: PathBuf,
    /// The store's folder.
    store: String,
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
        Bench {
            folder,
            store: "store".to_owned(),
        }
    }

    /// The same repositories, with a store of its own: nothing is built or downloaded yet.
    pub fn afresh(&self, store: &str) -> Bench {
        Bench {
            folder: self.folder.clone(),
            store: store.to_owned(),
        }
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
        command.args(["--store", &self.store]);
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

    /// Builds what has to fail; gives the one report.
    #[track_caller]
    pub fn failure(&self, name: &str, recipe: &str) -> Failure {
        let mut build = self.command("build", name, recipe);
        let failure = Failure::of(build.arg("--error-format=json"), name, recipe);
        assert_eq!(mounts_below(&self.folder), Vec::<String>::new());
        failure
    }
}
