//! What the tests of every package manager do alike.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::bench::Bench;
use crate::support::serve::Server;
use crate::support::stdlib::releases;
use crate::support::verified::{Level, verified};
use crate::support::{listing, read, run, stdout};

/// The step that installs from a folder.
const OURS: &str = r#"root.install(["ours"], #{ packages_dir: "ours" });
"#;

/// An address at which nobody listens.
pub const DEAD: &str = "http://127.0.0.1:1";

/// The end of a recipe that installs `hello`.
fn installed(name: &str) -> String {
    text!(
        r#"root.install(["hello"]);
root.clean();
root.export(#{ format: "dir", name: "{name}" });
"#,
        name
    )
}

/// A distro, and how its mirrors are made.
#[derive(Clone, Copy)]
pub struct Distro<'a> {
    pub name: &'a str,
    /// The release that most tests are of.
    pub release: &'a str,
    pub bench: fn() -> &'static Bench,
    /// What a mirror has of a release: folders below it, and which of the bench they are.
    pub layout: fn(&str) -> Vec<(String, String)>,
    /// The field of `bootstrap` with the key that has signed the mirror.
    pub key: &'a str,
    /// The fields of `bootstrap` with which `hello` is not the newer one from the start.
    pub older: &'a str,
    /// The fields of `add_repository` for the repository with the newer `hello`, after its `uri`.
    pub newer: (&'a str, &'a str),
    /// What a package is called that every root has, and its version.
    pub first: (&'a str, &'a str),
}

impl Distro<'_> {
    /// The start of a recipe: a root from the mirror in a folder of the bench.
    pub fn root_of(&self, variant: &str, folder: &str, more: &str) -> String {
        if folder == "mirror" {
            self.lay_out();
        }
        let mirror = (self.bench)().uri(folder);
        let Distro { name, release, .. } = self;
        text!(
            r#"let root = bootstrap(#{ distro: "{name}", release: "{release}", variant: "{variant}", mirror: "{mirror}", {more} });
"#,
            name,
            release,
            variant,
            mirror,
            more
        )
    }

    /// The same from the mirror whose packages the right key has signed.
    pub fn root(&self, variant: &str) -> String {
        self.root_of(variant, "mirror", self.key)
    }

    /// Makes the mirror's folders of the release: links to the files of the bench.
    fn lay_out(&self) {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock();
        let folder = &(self.bench)().folder;
        for (path, set) in (self.layout)(self.release) {
            let place = folder.join("mirror").join(path);
            if !place.exists() {
                std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                run(Command::new("cp")
                    .arg("-al")
                    .args([&folder.join(set), &place]));
            }
        }
    }

    /// A root is made, and packages are installed, upgraded and removed. Gives what is exported,
    /// as `name`.
    pub fn lives(&self, name: &str, variant: &str) -> PathBuf {
        let bench = (self.bench)();
        let (place, fields) = self.newer;
        let uri = bench.uri(place);
        let recipe = self.root_of(variant, "mirror", &format!("{}, {}", self.key, self.older))
            + r#"for path in ["/.buildenv", "/etc/kernel/install.d/50-dracut.install", "/etc/pacman.d/hooks/90-dracut-install.hook"] {
    root.write_file(path, "the recipe's own\n");
}
root.install(["hello", "tool"]);
root.nspawn_run("cp /usr/share/hello /var/first");
"# + &*text!(
            r#"root.add_repository(#{ name: "newer", uri: "{uri}", {fields} });
"#,
            uri,
            fields
        ) + r#"root.upgrade();
root.nspawn_run("cp /usr/share/hello /var/second");
root.remove(["hello"]);
root.clean();
"# + &*text!(
            r#"root.export(#{ format: "dir", name: "{name}" });
"#,
            name
        );
        let export = bench.build(name, &recipe);
        assert_eq!(read(export.join("var/first")), "1\n", "{name}");
        assert_eq!(read(export.join("var/second")), "2\n", "{name}");
        assert_eq!(
            read(export.join("var/scripts")),
            "hello 1\nhello 2\n",
            "{name}: the scripts of both, with /dev, /proc and /sys"
        );
        assert_eq!(read(export.join("usr/share/tool")), "1\n", "{name}");
        for own in [
            ".buildenv",
            "etc/kernel/install.d/50-dracut.install",
            "etc/pacman.d/hooks/90-dracut-install.hook",
        ] {
            assert_eq!(
                read(export.join(own)),
                "the recipe's own\n",
                "{name}: {own}"
            );
        }
        assert_eq!(found(&export, ["*.rootwright-own"].iter()), "", "{name}");
        for left in [
            "usr/share/hello",
            ".rootwright",
            "etc/resolv.conf",
            "etc/hostname",
        ] {
            let path = export.join(left);
            assert!(path.symlink_metadata().is_err(), "{name}: {left}");
        }
        let manifest: serde_json::Value =
            serde_json::from_str(&read(export.parent().unwrap().join("manifest.json"))).unwrap();
        let packages = manifest["packages"].as_array().unwrap();
        let has = |name| packages.iter().find(|package| package["name"] == name);
        let (first, version) = self.first;
        let found = has(first).unwrap_or_else(|| panic!("{name}: {packages:?}"));
        assert_eq!(found["version"], version, "{name}");
        assert!(
            has("tool").is_some() && has("hello").is_none(),
            "{name}: {packages:?}"
        );
        export
    }

    /// An image has a link to a folder of the host in the place of the build's own folder: what the
    /// host's tool needs isn't written there, nor read from there.
    pub fn stays_in_the_root(&self) {
        let bench = (self.bench)();
        let host = tempfile::tempdir().unwrap();
        let place = host.path().display();
        let around = host.path().join("around.sh");
        std::fs::write(&around, "touch \"${0%/*}/owned\"; exit 1\n").unwrap();
        let name = format!("{}-link", self.name);
        let recipe = self.root_of("minimal", "mirror", self.key)
            + &*text!(
                r#"root.symlink("/.rootwright", "{place}");
root.install(["hello"]);
root.export(#{ format: "dir", name: "{name}" });
"#,
                place,
                name
            );
        let export = bench.build(&name, &recipe);
        assert!(export.join("usr/share/hello").exists(), "{name}");
        assert!(export.join(".rootwright").symlink_metadata().is_err());
        let names = std::fs::read_dir(host.path()).unwrap();
        assert_eq!(names.count(), 1, "{name}");
        assert_eq!(read(&around), "touch \"${0%/*}/owned\"; exit 1\n", "{name}");
    }

    /// A package that the mirror does not have: the check before the build says so.
    pub fn misses(&self) {
        let recipe = self.root("minimal")
            + r#"root.install(["helo"]);
"#;
        let name = format!("{}-{}-missing", self.name, self.release);
        (self.bench)()
            .failure(&name, &recipe)
            .says("host::check", "there is no package `helo`")
            .because(
                "no package and no provided name is called that in ",
                "did you mean `hello`?",
            )
            .underlines(r#""helo""#);
    }

    /// `add_repository` with a key by its address. Its digest alone says which it is, or its
    /// fingerprint alone; without both, or with another digest, it is refused.
    pub fn takes_keys_from_the_network(&self) {
        let bench = (self.bench)();
        let server = Server::start(bench.folder.clone());
        let address = format!("{}/right.asc", server.uri());
        let sum = stdout(&run(
            Command::new("sha256sum").arg(bench.folder.join("right.asc"))
        ));
        let sum = sum.split_whitespace().next().unwrap();
        let shown = stdout(&run(Command::new("gpg")
            .args(["--batch", "--quiet", "--with-colons", "--show-keys"])
            .arg(bench.folder.join("right.asc"))));
        let shown = shown.lines().find(|line| line.starts_with("fpr:")).unwrap();
        let fingerprint = shown.split(':').nth(9).unwrap();
        let (place, fields) = self.newer;
        let uri = bench.uri(place);
        let start = self.root_of(
            "minimal",
            "mirror",
            &format!("{}, {}", self.key, self.older),
        );
        let recipe = |name: &str, which: &str| {
            let fields = fields.replace(
                r#""right.asc""#,
                &text!(r#""{address}"{which}"#, address, which),
            );
            start.clone()
                + &*text!(
                    r#"root.add_repository(#{ name: "newer", uri: "{uri}", {fields} });
"#,
                    uri,
                    fields
                )
                + &*text!(
                    r#"root.install(["hello"]);
root.export(#{ format: "dir", name: "{name}" });
"#,
                    name
                )
        };
        for (how, which) in [
            ("digest", text!(r#", sha256: "{sum}""#, sum)),
            (
                "fingerprint",
                text!(r#", fingerprints: ["{fingerprint}"]"#, fingerprint),
            ),
        ] {
            let name = format!("{}-by-{how}", self.name);
            let export = bench.build(&name, &recipe(&name, &which));
            assert_eq!(read(export.join("usr/share/hello")), "2\n", "{name}");
        }
        let other = sum.chars().rev().collect::<String>();
        let name = format!("{}-by-other", self.name);
        let wrong = recipe(&name, &text!(r#", sha256: "{other}""#, other));
        bench
            .failure(&name, &wrong)
            .says(
                "keyring::lacks",
                "there are no keys in the keyring of the packages of newer",
            )
            .because(
                &format!("{address} has the digest {sum}, and {other} was expected"),
                "give the new one as `sha256`",
            )
            .underlines("sha256");
        let name = format!("{}-by-nothing", self.name);
        bench
            .failure(&name, &recipe(&name, ""))
            .explains(
                "the key of the repository `newer` comes from the network, and nothing says which it is",
                "",
                "or the file's digest as `sha256`",
            )
            .underlines(&text!(r#"key: "{address}""#, address));
    }

    /// The first of two mirrors is one where nobody listens: the second has it all, in the
    /// bootstrap and for the root's own package manager, and the image knows both.
    pub fn goes_on_with_the_next_mirror(&self, configuration: &str) {
        let bench = (self.bench)();
        let server = Server::start(bench.folder.clone());
        let mirror = format!("{}/mirror", server.uri());
        for variant in ["minimal", "standard"] {
            let name = format!("{}-mirrors-{variant}", self.name);
            let recipe = self.root(variant).replace(
                &format!("\"{}\"", bench.uri("mirror")),
                &text!(r#"["{DEAD}", "{mirror}"]"#, DEAD, mirror),
            ) + &*installed(&name);
            let export = bench.build(&name, &recipe);
            assert!(export.join("usr/share/hello").exists(), "{name}");
            let text = read(export.join(configuration));
            let first = text.find(DEAD).expect(&text);
            assert!(text.find(&mirror).is_some_and(|at| at > first), "{text}");
        }
        assert!(!server.log().is_empty());
    }

    /// A mirror that only a proxy reaches. Nothing of the proxy stays in the image.
    pub fn goes_through_a_proxy(&self) {
        let bench = (self.bench)();
        let proxy = Server::start(bench.folder.clone());
        let mut asked = 0;
        for variant in ["minimal", "standard"] {
            let name = format!("{}-proxy-{variant}", self.name);
            let more = format!("{}, proxy: \"{}\"", self.key, proxy.uri());
            let recipe = self
                .root_of(variant, "mirror", &more)
                .replace(&bench.uri("mirror"), "http://mirror.example.org/mirror")
                + &*installed(&name);
            let export = bench.build(&name, &recipe);
            assert!(export.join("usr/share/hello").exists(), "{name}");
            let log = proxy.log();
            assert!(log.len() > asked, "{name}: {log:?}");
            asked = log.len();
            for path in log {
                assert!(
                    path.starts_with("http://mirror.example.org/mirror/"),
                    "{path}"
                );
            }
            let port = proxy.uri().replace("http://", "");
            let mut grep = Command::new("grep");
            let grep = grep.args(["-rlF", &port]).arg(&export).output().unwrap();
            assert_eq!(stdout(&grep), "", "{name}");
        }
    }

    /// A hostile recipe replaces what the next one will look for in the pools: by a package that
    /// another key has signed, then by altered bytes. The next one installs the mirror's package.
    pub fn installs_no_package_of_another_recipe(&self, pools: &[&str], suffix: &str) {
        let store = format!("hostile-{}", self.name);
        let bench = (self.bench)().afresh(&store);
        let server = Server::start(bench.folder.join("mirror"));
        let root = match self.older {
            "" => self.root("minimal"),
            older => self.root_of("minimal", "mirror", &format!("{}, {older}", self.key)),
        };
        let root = root.replace(&bench.uri("mirror"), &server.uri());
        let places = ["wrong", "strange"].map(|name| bench.folder.join(name));
        let mut find = Command::new("find");
        find.args(places.iter().filter(|place| place.exists()));
        let name = format!("*hello*{suffix}");
        let evil = stdout(&run(find.args(["-name", &name, "-print", "-quit"])));
        let evil = Path::new(evil.trim()).strip_prefix(&bench.folder).unwrap();
        let evil = evil.display();
        let built = |attack: usize| {
            let name = format!("{}-hostile-{attack}", self.name);
            let recipe = root.clone()
                + &*text!(
                    r#"root.install(["hello"]);
root.write_file("/var/attack", "{attack}");
root.export(#{ format: "dir", name: "{name}" });
"#,
                    attack,
                    name
                );
            // Cached layers would tell nothing.
            let _ = std::fs::remove_dir_all(bench.folder.join(&store).join("layers"));
            let export = bench.build(&name, &recipe);
            assert_eq!(read(export.join("usr/share/hello")), "1\n", "{name}");
        };
        built(0);
        let attacks = [
            r#"cat /evil >\"$file\""#,
            r#"size=$(stat -c %s \"$file\"); head -c $((size - 8)) \"$file\" >/cut; printf 12345678 >>/cut; cat /cut >\"$file\""#,
        ];
        for (number, attack) in attacks.iter().enumerate() {
            let mut recipe = root.clone() + &*text!(r#"root.copy_in("{evil}", "/evil");"#, evil);
            for pool in pools {
                recipe += &*text!(
                    r#"
root.nspawn_run("for file in /pool/*hello*; do if [ -e \"$file\" ]; then {attack}; fi; done", #{ downloads: [#{ pool: "{pool}", path: "/pool", suffix: "{suffix}", checked: true }] });"#,
                    attack,
                    pool,
                    suffix
                );
            }
            let before = pooled(&bench.folder.join(&store));
            let name = format!("{}-attack-{number}", self.name);
            let export = text!(
                r#"
root.export(#{ format: "dir", name: "{name}" });"#,
                name
            );
            bench.build(&name, &(recipe + &*export));
            assert!(
                pooled(&bench.folder.join(&store)) > before,
                "{name} stored nothing"
            );
            built(number + 1);
        }
    }

    /// Packages that `fetch` names by their digests are installed beside others, without a signature;
    /// one whose digest is another is refused.
    pub fn installs_fetched_packages(&self, suffix: &str) {
        let bench = (self.bench)();
        let mut files = Vec::new();
        for entry in std::fs::read_dir(bench.folder.join("ours")).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().ends_with(suffix) {
                let sum = stdout(&run(Command::new("sha256sum").arg(&path)));
                files.push(format!(
                    "fetch(\"file://{}\", #{{ sha256: \"{}\" }})",
                    path.display(),
                    sum.split_whitespace().next().unwrap()
                ));
            }
        }
        assert_eq!(files.len(), 2, "{files:?}");
        let files = files.join(", ");
        for variant in ["minimal", "standard"] {
            let name = format!("{}-fetched-{variant}", self.name);
            let recipe = self.root(variant)
                + &*text!(
                    r#"root.install([{files}, "tool"]);
root.export(#{ format: "dir", name: "{name}" });
"#,
                    files,
                    name
                );
            assert!(!bench.plan(&name, &recipe, "text").contains(" unsigned: "));
            let export = bench.build(&name, &recipe);
            assert_eq!(read(export.join("usr/share/ours")), "ours\n", "{name}");
            assert_eq!(read(export.join("usr/share/ours-data")), "ours-data\n");
            assert!(export.join("usr/share/hello").exists(), "{name}");
            assert!(export.join("usr/share/tool").exists(), "{name}");
            let left = [".rootwright*", "rootwright-packages*", "ours*.rpm"];
            let more = ["ours*.apk", "ours*.pkg.*"];
            assert_eq!(found(&export, left.iter().chain(&more)), "", "{name}");
        }
        assert_eq!(
            found(&bench.folder.join("store/packages"), ["ours*"].iter()),
            ""
        );
        let (start, digest) = files.split_at(files.find("sha256: \"").unwrap() + 9);
        let other: String = digest[..64].chars().rev().collect();
        let call = format!("root.install([{start}{other}{}])", &digest[64..]);
        let name = format!("{}-fetched-other", self.name);
        let recipe = format!("{}{call};\n", self.root("minimal"));
        let failure = bench.failure(&name, &recipe);
        let message = "has another digest than the recipe says";
        failure
            .explains(message, &other, "take the digest from")
            .underlines(&call);
    }

    /// A repository may be unsigned; one beside it with a key, which somebody else has signed, is
    /// refused.
    pub fn checks_beside_an_unsigned_repository(
        &self,
        variants: &[&str],
        (unsigned, keyed): (&str, &str),
        (cause, help): (&str, &str),
    ) {
        let bench = (self.bench)();
        let place = bench.folder.display();
        for variant in variants {
            let name = format!("{}-beside-{variant}", self.name);
            let root = match self.older {
                "" => self.root(variant),
                older => self.root_of(variant, "mirror", &format!("{}, {older}", self.key)),
            };
            let allowed = root
                + &*text!(
                    r#"root.add_repository(#{ uri: "file://{place}/{unsigned}, allow_unsigned: "made by this test" });
"#,
                    place,
                    unsigned
                );
            let install = r#"root.install(["hello"])"#;
            let export = bench.build(
                &name,
                &format!(
                    "{allowed}{install};\nroot.export(#{{ format: \"dir\", name: \"{name}\" }});"
                ),
            );
            assert_eq!(read(export.join("usr/share/hello")), "2\n", "{name}");
            // It comes first, and has the same package.
            let (start, added) = allowed.split_once('\n').unwrap();
            let refused = text!(
                r#"{start}
root.add_repository(#{ uri: "file://{place}/{keyed}, key: "right.asc" });
{added}{install};"#,
                start,
                place,
                keyed,
                added,
                install
            );
            bench
                .failure(&format!("{name}-refused"), &refused)
                .explains("step 4 failed", cause, help)
                .underlines(install);
        }
    }

    /// Every release of the distro's own table; that of most tests also with the package manager
    /// of the root itself. `test` is who asks.
    pub fn every_release(&self, test: &str) {
        for release in releases(self.name).keys() {
            let of = Distro { release, ..*self };
            let name = |variant| format!("{}-{release}-{variant}", self.name);
            of.lives(&name("minimal"), "minimal");
            if release == self.release {
                of.lives(&name("standard"), "standard");
            }
            of.misses();
            verified(self.name, release, Level::MadeProject, test);
        }
    }

    /// `plan --format sh` makes the same root without rootwright, but for the paths that begin
    /// with one of `volatile`.
    pub fn is_the_same_by_script(&self, volatile: &[&str]) {
        let bench = (self.bench)();
        let name = format!("{}-same", self.name);
        let more = format!("{}, include: [\"hello\"]", self.key);
        let recipe = self.root_of("minimal", "mirror", &more)
            + &*text!(
                r#"root.clean();
root.export(#{ format: "dir", name: "{name}" });
"#,
                name
            );
        let export = bench.build(&name, &recipe);
        let script = bench.folder.join(format!("{name}.sh"));
        std::fs::write(&script, bench.plan(&name, &recipe, "sh")).unwrap();
        let by_script = bench.folder.join(format!("{name}-by-script"));
        run(Command::new("bash")
            .current_dir(&bench.folder)
            .arg(&script)
            .arg(&by_script));
        let by_script = by_script.join(&name).join("root");
        let stays = |root: &Path| {
            let mut all = listing(root);
            all.retain(|path, _| !volatile.iter().any(|start| path.starts_with(start)));
            all
        };
        assert_eq!(stays(&export), stays(&by_script));
    }

    /// `ours` from the folder of that name, signed by nobody whom the root knows, in a root with
    /// the host's tool and one with its own.
    pub fn builds_from_a_folder(&self) {
        let bench = (self.bench)();
        for variant in ["minimal", "standard"] {
            let name = format!("{}-folder-{variant}", self.name);
            let recipe = self.root(variant)
                + OURS
                + &*text!(
                    r#"root.export(#{ format: "dir", name: "{name}" });
"#,
                    name
                );
            let export = bench.build(&name, &recipe);
            // Itself, what it needs of the folder, and what that needs of the mirror.
            assert_eq!(read(export.join("usr/share/ours")), "ours\n");
            assert_eq!(read(export.join("usr/share/ours-data")), "ours-data\n");
            assert!(export.join("usr/share/hello").exists(), "{name}");
            // Nothing of the folder stays, nor of how it became a repository.
            let files = ["*rootwright-packages*", ".rootwright", "ours*.rpm"];
            let more = ["ours*.apk", "ours*.pkg.*", "packages.conf"];
            assert_eq!(found(&export, files.iter().chain(&more)), "", "{name}");
        }
        // Nor in the downloads that builds share.
        assert_eq!(
            found(&bench.folder.join("store/packages"), ["ours*"].iter()),
            ""
        );
    }

    /// A package that neither the folder nor the mirror has, beside one of the folder.
    pub fn misses_what_is_nowhere(&self, cause: &str, help: &str) {
        let call = r#"root.install(["ours", "helo"], #{ packages_dir: "ours" })"#;
        let recipe = format!("{}{call};\n", self.root("minimal"));
        (self.bench)()
            .failure(&format!("{}-folder-missing", self.name), &recipe)
            .explains("step 2 failed", cause, help)
            .underlines(call);
    }

    /// A folder without packages, whose kind is `suffix`.
    pub fn refuses_an_empty_folder(&self, suffix: &str) {
        let bench = (self.bench)();
        std::fs::create_dir_all(bench.folder.join("empty")).unwrap();
        std::fs::write(bench.folder.join("empty/readme"), "").unwrap();
        let call = r#"root.install(["ours"], #{ packages_dir: "empty" })"#;
        let recipe = format!("{}{call};\n", self.root("minimal"));
        bench
            .failure(&format!("{}-folder-empty", self.name), &recipe)
            .explains(
                "step 2 failed",
                &format!(
                    "`packages_dir` names holds no package of this distro's kind, `*.{suffix}`"
                ),
                "put the files there",
            )
            .underlines(call);
    }
}

/// How many files of `hello` the pools of a store have.
fn pooled(store: &Path) -> usize {
    found(&store.join("packages"), ["*hello*"].iter())
        .lines()
        .count()
}

/// What is below a folder under names like these.
fn found<'a>(folder: &Path, names: impl Iterator<Item = &'a &'a str>) -> String {
    let mut find = Command::new("find");
    find.arg(folder).args(["-name", "nothing"]);
    for name in names {
        find.args(["-o", "-name", name]);
    }
    stdout(&run(&mut find))
}
