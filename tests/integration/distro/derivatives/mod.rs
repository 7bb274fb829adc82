//! Ubuntu, Devuan and Kali for real, as far as that goes without their archives: from archives
//! that are laid out and signed as theirs, with Debian's own packages (`made.rs`). Their
//! releases are bootstrapped, their nodes booted; mirrors that fail, dated mirrors and proxies
//! are what they are for every distro of apt. Needs root privileges, the host's own mirror of
//! Debian, mmdebstrap, systemd-nspawn, QEMU and nfs-ganesha. ROOTWRIGHT_LONG=1 takes every
//! release, else it is one a distro. Downloads are kept.

pub mod made;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::verified::{Level, verified};
use crate::support::{long, mounts_below, rootwright, run, stdout};
use made::{DISTROS, Distro, LAST, Made, TWICE, made};

/// A folder of recipes, with a store and exports, of a test's own.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Bench {
        let mut folder = tempfile::Builder::new();
        folder.prefix("rootwright-derivatives-");
        Bench {
            folder: folder.tempdir_in("/var/tmp").unwrap(),
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, verb: &str, name: &str, recipe: &str) -> Command {
        let file = format!("{name}.rhai");
        std::fs::write(self.path().join(&file), recipe).unwrap();
        let mut command = rootwright();
        command.current_dir(self.path()).args([verb, &file]);
        command.args(["--store", "store"]);
        command
    }

    /// Builds, and gives the root that was exported as `NAME`.
    pub fn build(&self, name: &str, recipe: &str) -> PathBuf {
        let export = text!(
            r#"root.export(#{ format: "dir", name: "{name}" });
"#,
            name
        );
        let recipe = format!("{recipe}{export}");
        run(self.command("build", name, &recipe).args(["--out", "out"]));
        assert_eq!(mounts_below(self.path()), Vec::<String>::new());
        self.path().join("out").join(name).join("root")
    }
}

/// The package sources that an image has, whichever format its release writes.
fn sources(root: &Path, distro: &Distro) -> String {
    let one_line = root.join("etc/apt/sources.list");
    let deb822 = root.join(format!("etc/apt/sources.list.d/{}.sources", distro.name));
    let text = std::fs::read_to_string(&one_line);
    assert_ne!(text.is_ok(), deb822.is_file(), "one of the formats");
    text.unwrap_or_else(|_| std::fs::read_to_string(deb822).unwrap())
}

/// The call of `bootstrap` with the fields that all of these roots have.
fn root(made: &Made, distro: &Distro, release: &str, more: &str) -> String {
    format!(
        "let root = bootstrap(#{{ distro: \"{}\", release: \"{release}\", arch: \"amd64\", {}, {more} }});\n",
        distro.name,
        made.pinned(),
    )
}

/// The sources as somebody who logs in would use them, and packages of several components and
/// suites: one installed, one brought up to date, one removed.
fn everyday() -> String {
    text!(
        r#"root.nspawn_run(["apt-get", "-o", "APT::Update::Error-Mode=any", "update"]);
root.write_file("/usr/sbin/policy-rc.d", "the recipe's own\n");
root.install(["{LAST}", "{TWICE}=1"]);
root.nspawn_run("test \"$({LAST})\" = 'Hello, world!' && test \"$(cat /usr/share/{TWICE})\" = 1", #{ network: false });
root.upgrade();
root.remove(["{LAST}"]);
root.clean();
"#,
        LAST,
        TWICE
    )
}

fn bootstrap(made: &Made, bench: &Bench, distro: &Distro, release: &str) {
    let server = made.serve();
    let mirror = format!("{}/{}", server.uri(), distro.folder);
    let recipe = root(
        made,
        distro,
        release,
        &text!(r#"mirror: "{mirror}""#, mirror),
    ) + &*everyday();
    let root = bench.build(release, &recipe);
    let text = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    assert_eq!(text(&format!("usr/share/{TWICE}")), "2\n");
    assert!(!root.join("usr/bin").join(LAST).exists());
    // The distro's own keyring is in every root of those that name one for it.
    let keyring = format!("usr/share/{}", distro.keyring);
    assert_eq!(root.join(keyring).exists(), distro.name != "ubuntu");

    let keys = root.join("etc/apt/keyrings/archive.gpg");
    let mut gpg = Command::new("gpg");
    gpg.args(["--show-keys", "--with-colons"]).arg(keys);
    let keys = stdout(&run(&mut gpg));
    let prints: Vec<&str> = keys
        .lines()
        .filter(|line| line.starts_with("fpr:"))
        .collect();
    assert_eq!(prints.len(), 1, "{keys}");
    assert!(
        prints[0].contains(&made.archive.fingerprint("archive")),
        "{keys}"
    );

    let found = sources(&root, distro);
    let suites = distro.suites(release);
    let components = distro.components(release);
    let expected = match root.join("etc/apt/sources.list").exists() {
        true => suites.iter().fold(String::new(), |text, suite| {
            text + &*format!(
                "deb [signed-by=/etc/apt/keyrings/archive.gpg] {mirror} {suite} {components}\n"
            )
        }),
        false => format!(
            "Types: deb\nURIs: {mirror}\nSuites: {}\nComponents: {components}\nSigned-By: /etc/apt/keyrings/archive.gpg\n",
            suites.join(" ")
        ),
    };
    assert_eq!(found, expected);

    assert_eq!(text("usr/sbin/policy-rc.d"), "the recipe's own\n");
    // Nothing of the build stays.
    let listed = Command::new("find")
        .arg(&root)
        .args(["-path", "*/apt/lists/*_*", "-o", "-name", "*.deb"])
        .args(["-o", "-name", "*rootwright*"])
        .output()
        .unwrap();
    assert_eq!(stdout(&listed), "");
    verified(
        distro.name,
        release,
        Level::MadeProject,
        "distro::derivatives::releases_are_bootstrapped",
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn releases_are_bootstrapped() {
    let made = made();
    for distro in DISTROS {
        let releases = distro.releases();
        let shown = [distro.shown.to_owned()];
        assert!(releases.contains(&shown[0]), "{releases:?}");
        for release in if long() { &releases[..] } else { &shown } {
            bootstrap(&made, &Bench::new(), distro, release);
        }
    }
}
