//! An archive for each derivative of Debian, laid out and signed as that distro's is. The
//! packages in it are Debian's own, but for a few that Debian has not: these are made on the
//! spot. `pool/` comes from the host's own mirror of Debian, as it is asked for, and is kept.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use crate::support::archive::Archive;
use crate::support::serve::Server;
use crate::support::{rootwright, run, stdout};

/// The release of Debian that all of it is made of.
const DEBIAN: &str = "bookworm";

/// How the archive of a distro is laid out.
pub struct Distro {
    pub name: &'static str,
    /// The archive's name in its address.
    pub folder: &'static str,
    /// The release that is bootstrapped in every run.
    pub shown: &'static str,
    /// The package with its keys.
    pub keyring: &'static str,
    origin: &'static str,
    components: &'static [&'static str],
    architectures: &'static str,
    /// What stands after a release's name in those of its suites.
    suites: &'static [&'static str],
    /// How the field `Codename` of such a suite calls itself.
    codename: fn(&str, &str) -> String,
    /// The field `Suite`.
    suite: fn(&str, &str) -> String,
    /// Packages of Debian that the distro does not take.
    without: fn(&str) -> bool,
    /// Packages that Debian has not, with what they depend on.
    own: &'static [(&'static str, &'static str)],
}

/// From the Release files of the distros' archives, as their modules of the stdlib know them.
pub const DISTROS: &[Distro] = &[
    Distro {
        name: "ubuntu",
        folder: "ubuntu",
        shown: "noble",
        keyring: "ubuntu-keyring",
        origin: "Ubuntu",
        components: &["main", "restricted", "universe", "multiverse"],
        architectures: "amd64 arm64 armhf i386 ppc64el riscv64 s390x",
        suites: &["", "-updates", "-security"],
        codename: |release, _| release.to_owned(),
        suite: |release, suite| format!("{release}{suite}"),
        without: |_| false,
        own: &[
            ("linux-image-generic", "linux-image-cloud-amd64"),
            ("linux-image-virtual", "linux-image-cloud-amd64"),
            ("ubuntu-keyring", ""),
        ],
    },
    Distro {
        name: "devuan",
        folder: "merged",
        shown: "daedalus",
        keyring: "devuan-keyring",
        origin: "Devuan",
        components: &["main", "contrib", "non-free", "non-free-firmware"],
        architectures: "amd64 arm64 armhf i386 ppc64el",
        suites: &["", "-updates", "-security"],
        codename: |release, suite| format!("{release}{suite}"),
        suite: |_, suite| format!("stable{suite}"),
        // What is built of systemd's source, but for udev and the libraries; elogind's PAM
        // module stands for libpam-systemd there.
        without: |name| {
            name == "systemd"
                || name.starts_with("systemd-")
                || ["libpam-systemd", "libnss-systemd"].contains(&name)
        },
        own: &[("eudev", "udev"), ("devuan-keyring", "")],
    },
    Distro {
        name: "kali",
        folder: "kali",
        shown: "kali-rolling",
        keyring: "kali-archive-keyring",
        origin: "Kali",
        components: &["main", "contrib", "non-free", "non-free-firmware"],
        architectures: "amd64 arm64 armhf i386",
        suites: &[""],
        codename: |release, _| release.to_owned(),
        suite: |release, _| release.to_owned(),
        without: |_| false,
        own: &[("kali-archive-keyring", "")],
    },
];

/// In the third component of each archive alone, the last that every release has: a root that has
/// it knows more than `main`.
pub const LAST: &str = "hello";
/// In versions 1 and 2; the second is in the last suite alone.
pub const TWICE: &str = "made-twice";

impl Distro {
    /// Its releases, as the stdlib has them.
    pub fn releases(&self) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let name = self.name;
        let recipe = text!(
            r#"import "distro/{name}" as distro;
log(distro::releases().to_json());
"#,
            name
        );
        std::fs::write(folder.path().join("recipe.rhai"), recipe).unwrap();
        let mut plan = rootwright();
        plan.current_dir(folder.path());
        let plan = run(plan.args(["plan", "recipe.rhai", "--format", "json"]));
        let plan: serde_json::Value = serde_json::from_str(&stdout(&plan)).unwrap();
        let text = plan["messages"][0]["text"].as_str().unwrap();
        let releases: serde_json::Map<_, _> = serde_json::from_str(text).unwrap();
        releases.into_iter().map(|(name, _)| name).collect()
    }

    /// The suites of a release, by their names in the archive.
    pub fn suites(&self, release: &str) -> Vec<String> {
        let suites = self.suites.iter();
        suites.map(|suite| format!("{release}{suite}")).collect()
    }

    pub fn components(&self, release: &str) -> String {
        // `non-free-firmware` came with Debian 12, which Devuan 5 is made of.
        let count = if release == "chimaera" { 3 } else { 4 };
        self.components[..count].join(" ")
    }
}

/// The archives.
pub struct Made {
    pub archive: Archive,
    /// The host's mirrors of Debian.
    mirrors: Vec<String>,
}

/// The archives: made for the first test that asks, gone with the last.
pub fn made() -> Arc<Made> {
    static MADE: Mutex<Weak<Made>> = Mutex::new(Weak::new());
    let mut known = MADE.lock().unwrap();
    known.upgrade().unwrap_or_else(|| {
        let made = Arc::new(Made::new());
        *known = Arc::downgrade(&made);
        made
    })
}

impl Made {
    fn new() -> Made {
        let archive = Archive::new();
        let lists = lists();
        for distro in DISTROS {
            publish(&archive, distro, &lists);
        }
        let mirrors = lists.into_iter().map(|list| list.mirror).collect();
        Made { archive, mirrors }
    }

    /// A server of the archives, each in the folder that its distro names.
    pub fn serve(&self) -> Server {
        let (folder, mirrors) = (self.archive.path(""), self.mirrors.clone());
        Server::finding(move |path| find(&folder, &mirrors, path))
    }

    /// The fields of `bootstrap` that pin the archives' key.
    pub fn pinned(&self) -> String {
        format!(
            "keyring: \"{}\", fingerprints: [\"{}\"]",
            self.archive.path("archive.gpg").display(),
            self.archive.fingerprint("archive")
        )
    }

    /// The archive of a distro as it was at a date, whose lists have expired since.
    pub fn dated(&self, distro: &Distro, date: &str) {
        let folder = self.archive.path(distro.folder);
        let dated = folder.join(date);
        std::fs::create_dir_all(&dated).unwrap();
        run(Command::new("cp").args(["-a", "--link"]).args([
            folder.join("dists"),
            folder.join("pool"),
            dated.clone(),
        ]));
        for suite in std::fs::read_dir(dated.join("dists")).unwrap().flatten() {
            let release = suite.path().join("Release");
            let text = std::fs::read_to_string(&release).unwrap();
            let text = text.replace(
                "\nDate: ",
                "\nValid-Until: Tue, 01 Sep 2026 10:00:00 UTC\nDate: ",
            );
            // The links go: the archive of today stays as it is.
            std::fs::remove_file(&release).unwrap();
            std::fs::write(&release, text).unwrap();
            std::fs::remove_file(suite.path().join("InRelease")).unwrap();
            let name = suite.file_name();
            let name = name.to_string_lossy();
            let place = format!("{}/{date}/dists/{name}", distro.folder);
            self.archive.sign_in("archive", &place);
        }
    }
}

/// A list of packages that the host's apt has got, and the mirror that it is of.
struct List {
    suite: String,
    mirror: String,
    text: String,
}

/// Debian's lists, as the host's apt has them.
fn lists() -> Vec<List> {
    let format =
        "$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(ARCHITECTURE)|$(RELEASE)|$(REPO_URI)|$(FILENAME)";
    let listed = run(Command::new("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Created-By: Packages",
    ]));
    let listed = stdout(&listed);
    let mut lists = Vec::new();
    for line in listed.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [
            origin,
            codename,
            component,
            architecture,
            suite,
            mirror,
            file,
        ] = fields[..]
        else {
            panic!("{line}");
        };
        let ours = origin == "Debian" && codename.starts_with(DEBIAN);
        if ours && component == "main" && architecture == "amd64" {
            let text = run(Command::new("/usr/lib/apt/apt-helper").args(["cat-file", file]));
            lists.push(List {
                suite: suite.trim_start_matches(DEBIAN).to_owned(),
                mirror: mirror.to_owned(),
                text: stdout(&text),
            });
        }
    }
    assert!(
        lists.iter().any(|list| list.suite.is_empty()),
        "the host's apt has no list of {DEBIAN}'s packages: `apt-get update` gets it\n{listed}"
    );
    lists
}

/// The name of the package that a stanza is of.
fn name(stanza: &str) -> &str {
    let first = stanza.lines().next().unwrap_or_default();
    first.strip_prefix("Package: ").unwrap_or_default()
}

fn publish(archive: &Archive, distro: &Distro, lists: &[List]) {
    let root = archive.path(distro.folder);
    let own = own_packages(archive, distro);
    // One file of lists a suite, which all releases share.
    let shared = archive.path(&format!("lists/{}", distro.name));
    let last_suite = distro.suites.last().copied().unwrap_or_default();
    for suite in distro.suites {
        let texts = lists.iter().filter(|list| list.suite == *suite);
        let (mut first, mut last) = (String::new(), String::new());
        for stanza in texts.flat_map(|list| list.text.split_inclusive("\n\n")) {
            match name(stanza) {
                LAST => last.push_str(stanza),
                name if (distro.without)(name) => {}
                _ => first.push_str(stanza),
            }
        }
        for stanza in own.split_inclusive("\n\n") {
            let newer = stanza.contains("\nVersion: 2\n");
            if newer && *suite == last_suite || !newer && suite.is_empty() {
                first.push_str(stanza);
            }
        }
        let place = shared.join(format!("suite{suite}"));
        for component in distro.components {
            let folder = place.join(component).join("binary-amd64");
            std::fs::create_dir_all(&folder).unwrap();
            let text = match component {
                component if distro.components.first() == Some(component) => &first,
                component if distro.components.get(2) == Some(component) => &last,
                _ => "",
            };
            std::fs::write(folder.join("Packages"), text).unwrap();
            run(Command::new("gzip")
                .args(["-1", "--keep", "--no-name"])
                .arg(folder.join("Packages")));
        }
        let sums = sums(&place);
        for release in distro.releases() {
            let folder = root.join(format!("dists/{release}{suite}"));
            std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
            run(Command::new("cp")
                .args(["-a", "--link"])
                .arg(&place)
                .arg(&folder));
            let text = format!(
                "Origin: {}\nLabel: {}\nSuite: {}\nCodename: {}\nDate: Mon, 02 Nov 2026 10:00:00 UTC\nArchitectures: {}\nComponents: {}\nSHA256:\n{sums}",
                distro.origin,
                distro.origin,
                (distro.suite)(&release, suite),
                (distro.codename)(&release, suite),
                distro.architectures,
                distro.components(&release),
            );
            std::fs::write(folder.join("Release"), text).unwrap();
            archive.sign_in(
                "archive",
                &format!("{}/dists/{release}{suite}", distro.folder),
            );
        }
    }
}

/// The lines of a Release file for the lists in a folder.
fn sums(folder: &Path) -> String {
    let script = r#"cd "$1" && find . -name 'Packages*' -printf '%P\n' | sort | while read -r file; do printf ' %s %s %s\n' "$(sha256sum <"$file" | cut -d ' ' -f 1)" "$(stat -c %s "$file")" "$file"; done"#;
    stdout(&run(Command::new("sh")
        .args(["-euc", script, "sh"])
        .arg(folder)))
}

/// Makes the packages that Debian has not; gives their stanzas.
fn own_packages(archive: &Archive, distro: &Distro) -> String {
    let root = archive.path(distro.folder);
    let pool = root.join("pool/made");
    std::fs::create_dir_all(&pool).unwrap();
    let twice = [(TWICE, "1", ""), (TWICE, "2", "")];
    let own = distro
        .own
        .iter()
        .map(|(name, depends)| (*name, "1", *depends));
    for (name, version, depends) in own.chain(twice) {
        let folder = archive.path(&format!("packages/{}/{name}-{version}", distro.name));
        let depends = match depends {
            "" => String::new(),
            depends => format!("Depends: {depends}\n"),
        };
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: made <made@example.org>\n{depends}Description: made by a test\n"
        );
        std::fs::create_dir_all(folder.join("DEBIAN")).unwrap();
        std::fs::create_dir_all(folder.join("usr/share")).unwrap();
        std::fs::write(folder.join("DEBIAN/control"), control).unwrap();
        std::fs::write(folder.join("usr/share").join(name), format!("{version}\n")).unwrap();
        run(Command::new("dpkg-deb")
            .args(["--root-owner-group", "--build", "-Znone"])
            .arg(&folder)
            .arg(pool.join(format!("{name}_{version}_amd64.deb"))));
    }
    let listed = run(Command::new("apt-ftparchive")
        .args(["packages", "pool/made"])
        .current_dir(&root));
    stdout(&listed)
}

/// The file for a path: one of the archives', else one of Debian's pool.
fn find(folder: &Path, mirrors: &[String], path: &str) -> Option<PathBuf> {
    let own = folder.join(path);
    if own.is_file() {
        return Some(own);
    }
    let (_, name) = path.split_once("/pool/")?;
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("debian-pool")
        .join(name);
    if kept.is_file() {
        return Some(kept);
    }
    std::fs::create_dir_all(kept.parent()?).unwrap();
    let coming = tempfile::NamedTempFile::new_in(kept.parent()?).unwrap();
    let came = mirrors.iter().any(|mirror| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--location", "--output"])
            .arg(coming.path())
            .arg(format!("{mirror}pool/{name}"))
            .stdin(Stdio::null());
        curl.status().is_ok_and(|status| status.success())
    });
    came.then(|| {
        coming.persist(&kept).unwrap();
        kept
    })
}
