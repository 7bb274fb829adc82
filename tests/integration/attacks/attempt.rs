//! Attempts at attacks inside a build, and the marks on the host that show whether one worked.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::{Project, listing, read, run};

/// An attack that a shell attempts.
pub struct Attack {
    pub name: &'static str,
    pub places: &'static [Place],
    /// Ends with 0 if the attack worked.
    pub script: &'static str,
}

/// Where an attack is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A command in a root.
    Command,
    /// The script of a package, in a chroot(2) that a tool of the host makes.
    Script,
    /// A command of the host.
    Tool,
    /// The init of a root that is booted.
    Boot,
}

/// Where a command ends before the build goes on.
pub const COMMANDS: &[Place] = &[Place::Command, Place::Script, Place::Tool];

pub const EVERYWHERE: &[Place] = &[Place::Command, Place::Script, Place::Tool, Place::Boot];

impl Place {
    pub fn name(self) -> &'static str {
        match self {
            Place::Command => "command",
            Place::Script => "script",
            Place::Tool => "tool",
            Place::Boot => "boot",
        }
    }
}

/// The program for what a shell can't do, compiled once.
pub fn helper() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = source.join("tests/integration/attacks/attack.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attack");
        // Another test run may start the old one.
        let made = program.with_extension(std::process::id().to_string());
        let words = ["-static", "-O1", "-w", "-o"];
        run(Command::new("cc").args(words).arg(&made).arg(source));
        std::fs::rename(&made, &program).unwrap();
        program
    })
}

/// What a secret of the build is, and what files of the host say that nobody may read.
pub const SECRET: &str = "nobody-may-read-this";

/// A project, and on the host around it files that no attack may read or change.
pub struct Target {
    pub project: Project,
    /// The files, each alone in a folder.
    pub canaries: Vec<PathBuf>,
    _folders: Vec<TempDir>,
    before: BTreeMap<String, String>,
    /// A process of the host.
    sentinel: Child,
}

impl Target {
    pub fn new() -> Self {
        let project = Project::new();
        // Layers of another build, and its output.
        project.tiny("root.export(#{ format: \"dir\", name: \"other\" });");
        project.build().success();
        let payload = project.beside().join("payload");
        std::fs::create_dir(&payload).unwrap();
        std::fs::copy(helper(), payload.join("attack")).unwrap();
        std::fs::create_dir(project.beside().join("bound")).unwrap();
        std::fs::write(project.beside().join("bound/kept"), "kept\n").unwrap();
        let places = [
            "/root",
            "/home",
            "/tmp",
            "/var/tmp",
            "/run",
            "/dev/shm",
            "/etc",
            "/opt",
            "/usr/local",
            "/var/lib",
        ];
        let folders = places.map(|place| TempDir::with_prefix_in("attacked-", place).unwrap());
        let folders = Vec::from(folders);
        let mut canaries: Vec<PathBuf> = Vec::new();
        let own = ["store", "out", "recipes", "out/other/root/etc"].map(|name| {
            let folder = project.path().join(name).join("attacked");
            std::fs::create_dir_all(&folder).unwrap();
            folder
        });
        let all = folders.iter().map(|folder| folder.path().to_owned());
        for folder in all.chain(own) {
            std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
            let file = folder.join("canary");
            std::fs::write(&file, format!("{SECRET}\n")).unwrap();
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
            canaries.push(file);
        }
        let sentinel = Command::new("sleep").arg("3600").spawn().unwrap();
        let mut target = Target {
            project,
            canaries,
            _folders: folders,
            before: BTreeMap::new(),
            sentinel,
        };
        target.before = target.state();
        target
    }

    /// One more file that no attack may read or change, alone in its folder.
    pub fn watch(&mut self, file: PathBuf) {
        self.canaries.push(file);
        self.before = self.state();
    }

    /// A folder that roots see, and may not change.
    fn bound(&self) -> PathBuf {
        self.project.beside().join("bound")
    }

    /// What is in the way of a build: the canaries, and everything that is in the store already.
    fn state(&self) -> BTreeMap<String, String> {
        let mut state = BTreeMap::new();
        let folders = self.canaries.iter().map(|canary| canary.parent().unwrap());
        for folder in folders.chain([&*self.bound()]) {
            for (name, value) in listing(folder) {
                state.insert(format!("{}/{name}", folder.display()), value);
            }
        }
        let layers = self.project.store().join("layers");
        for (name, value) in listing(&layers) {
            state.insert(format!("layers/{name}"), value);
        }
        for file in [
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/hostname",
            "/etc/passwd",
            "/etc/resolv.conf",
        ] {
            state.insert(file.to_owned(), read(file));
        }
        state
    }

    /// A recipe in which all attacks of a place are attempted, in a step of their own. The shell
    /// functions around them are in `RUNNER`.
    pub fn steps(&self, place: Place, attacks: &[&Attack]) -> String {
        let script = self
            .project
            .beside()
            .join(format!("payload/{}.sh", place.name()));
        std::fs::write(&script, self.script(place, attacks)).unwrap();
        let payload = self.project.beside().join("payload");
        let payload = payload.display();
        let bound = self.bound();
        let bound = bound.display();
        let name = place.name();
        match place {
            Place::Command => text!(
                r#"root.nspawn_run(["sh", "/payload/{name}.sh", "/attacks/{name}"], #{ binds: [#{ host: "{payload}", path: "/payload", read_only: true }, #{ host: "{bound}", path: "/bound", read_only: true }] });
"#,
                name,
                payload,
                bound
            ),
            // It runs no unit, so the boot fails.
            Place::Boot => text!(
                r##"root.write_file("/usr/lib/systemd/systemd", "#!/bin/sh\nPATH=/bin; export PATH\nsh /payload/boot.sh /attacks/boot\n", #{ mode: 0o755 });
root.symlink("/sbin/init", "/usr/lib/systemd/systemd");
root.nspawn_boot("true", #{ timeout: 120, binds: [#{ host: "{payload}", path: "/payload", read_only: true }, #{ host: "{bound}", path: "/bound", read_only: true }] });
"##,
                payload,
                bound
            ),
            // As a bootstrap tool does it.
            Place::Script => text!(
                r#"root.host_run(script(`
    cp "{payload}/attack" "{payload}/{name}.sh" "$1/"
    mount -t proc proc "$1/proc"
    mount --rbind /sys "$1/sys"
    mount --rbind /dev "$1/dev"
    chroot "$1" /bin/sh /{name}.sh /attacks/{name}
`, #{ arguments: [root.path] }), #{ binds: [#{ host: "{payload}", read_only: true }] });
"#,
                payload,
                name
            ),
            Place::Tool => text!(
                r#"root.host_run(["sh", "{payload}/{name}.sh", root.path + "/attacks/{name}"], #{ binds: [#{ host: "{payload}", read_only: true }] });
"#,
                payload,
                name
            ),
        }
    }

    fn script(&self, place: Place, attacks: &[&Attack]) -> String {
        let payload = self.project.beside().join("payload");
        let payload = match place {
            Place::Command | Place::Boot => Path::new("/payload"),
            Place::Script => Path::new("/"),
            Place::Tool => &payload,
        };
        let device = std::fs::metadata("/root").unwrap().dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let pid = std::fs::read_link("/proc/self/ns/pid").unwrap();
        let canaries: Vec<String> = self
            .canaries
            .iter()
            .map(|c| c.display().to_string())
            .collect();
        let mut script = format!(
            "PATH={}:$PATH\nexport place={} secret={SECRET} major={major} minor={minor} pids='{}' rootwright='{}'\nexport canaries='{}' layers='{}'\n{RUNNER}",
            payload.display(),
            place.name(),
            pid.display(),
            env!("CARGO_BIN_EXE_rootwright"),
            canaries.join(" "),
            self.project.store().join("layers").display(),
        );
        for attack in attacks {
            assert!(!attack.script.contains("END_OF_ATTACK"));
            script.push_str(&format!(
                "attempt '{}' <<'END_OF_ATTACK'\n{}\nEND_OF_ATTACK\n",
                attack.name, attack.script
            ));
        }
        script.push_str("rm -rf /tmp/attack-*\n");
        script
    }

    /// The command that builds, with a secret that no step uses.
    pub fn build(&self) -> crate::support::Run {
        let build = self.project.build();
        build.env("ROOTWRIGHT_SECRET_UNUSED", SECRET)
    }

    /// Every attack was attempted, and refused.
    #[track_caller]
    pub fn all_were_refused(&self, place: Place, attacks: &[&Attack], root: &Path) {
        let mut bad = Vec::new();
        for attack in attacks {
            let record = root.join("attacks").join(place.name()).join(attack.name);
            let said = std::fs::read_to_string(&record).unwrap_or_default();
            // A tool that is missing attempts nothing.
            if !said.ends_with("\nrefused\n") || said.contains(": not found") {
                bad.push(format!("{} by {place:?}: {said:?}", attack.name));
            }
        }
        assert!(bad.is_empty(), "{}", bad.join("\n"));
    }

    /// What the step that failed had made.
    pub fn failed_root(&self) -> PathBuf {
        let failed = std::fs::read_dir(self.project.store().join("failed")).unwrap();
        let mut roots = failed.map(|entry| entry.unwrap().path().join("fs"));
        roots.next().unwrap()
    }

    /// The host is as it was, and nothing of it is in `root`.
    #[track_caller]
    pub fn is_untouched(&mut self, root: &Path) {
        let after = self.state();
        for (name, value) in &self.before {
            assert_eq!(after.get(name), Some(value), "{name}");
        }
        let new = after.keys().filter(|name| !self.before.contains_key(*name));
        let new: Vec<_> = new.filter(|name| !name.starts_with("layers/")).collect();
        assert!(new.is_empty(), "{new:?}");
        assert!(self.sentinel.try_wait().unwrap().is_none());
        let mounts = read("/proc/self/mountinfo");
        assert!(!mounts.contains("attack-"), "{mounts}");
        if root.exists() {
            let mut grep = Command::new("grep");
            let found = grep.args(["-rlF", "--exclude=*.sh", SECRET]).arg(root);
            let found = found.stdin(Stdio::null()).output().unwrap();
            assert_eq!(crate::support::stdout(&found), "");
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.sentinel.kill();
        let _ = self.sentinel.wait();
    }
}

/// Runs each attack in a shell of its own, and keeps what it says and how it ended.
const RUNNER: &str = r#"
umask 022
mkdir -p "$1"
records=$1
attempt() {
    cat >"$records/.script"
    work=/tmp/attack-$$
    mkdir -p "$work"
    cp "$records/.script" "$work/script"
    if (export work; cd "$work"; timeout 30 sh -eu ./script </dev/null) >"$records/$1" 2>&1; then
        end=worked
    else
        end=refused
    fi
    printf '\n%s\n' $end >>"$records/$1"
    umount -l "$work/"* "$work" 2>/dev/null || true
    rm -rf "$work" "$records/.script"
}
"#;
