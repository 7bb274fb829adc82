//! Failures of the real tools, from the tool to the report: each is provoked, its report
//! held to what it says and which call of the recipe it underlines, then cured, and built
//! again. Needs root privileges, the host's own package mirror, mmdebstrap, apt-ftparchive
//! and gpg. One root is made, and every case stands on it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::failure::Failure;
use crate::support::mount::Mount;
use crate::support::{mounts_below, rootwright, run, stdout};

const ROOT: &str = r#"let root = bootstrap(#{ distro: "debian", release: "bookworm", variant: "apt", updates: false, security: false });
"#;

/// The repository of little packages, its lists fetched; `KEY` is the keyring in the root.
const ARCHIVE: &str = r#"root.copy_in("archive", "/srv/archive");
root.copy_in("keys/KEY.gpg", "/etc/apt/keyrings/little.gpg");
root.write_file("/etc/apt/sources.list.d/little.list", "deb [signed-by=/etc/apt/keyrings/little.gpg] file:/srv/archive ./\n");
root.nspawn_run(["apt-get", "-o", "Dir::Etc::sourcelist=/etc/apt/sources.list.d/little.list", "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Get::List-Cleanup=false", "update"], #{ network: false });
"#;

/// A recipe repository with a repository of packages, and a store that all tests share.
struct Bench {
    folder: PathBuf,
}

impl Bench {
    fn get() -> &'static Bench {
        static BENCH: OnceLock<Bench> = OnceLock::new();
        BENCH.get_or_init(|| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failures");
            if folder.exists() {
                std::fs::remove_dir_all(&folder).unwrap();
            }
            std::fs::create_dir_all(folder.join("keys")).unwrap();
            key(&folder, "right");
            key(&folder, "other");
            packages(&folder.join("archive"));
            sign(&folder);
            let bench = Bench { folder };
            bench.write("base.rhai", ROOT);
            run(&mut bench.build("base"));
            bench
        })
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.folder.join(name).parent().unwrap()).unwrap();
        std::fs::write(self.folder.join(name), text).unwrap();
    }

    fn build(&self, name: &str) -> Command {
        let mut command = rootwright();
        self.arguments(&mut command, name, &self.folder.join("store"));
        command
    }

    fn arguments(&self, command: &mut Command, name: &str, store: &Path) {
        command
            .current_dir(&self.folder)
            .args([
                "build",
                "--error-format=json",
                "--log-format=json",
                "--store",
            ])
            .arg(store)
            .arg(format!("{name}.rhai"));
    }

    /// Builds a recipe that has to fail.
    fn failure(&self, name: &str, recipe: &str) -> Failure {
        self.write(&format!("{name}.rhai"), recipe);
        self.failure_of(&mut self.build(name), name, recipe)
    }

    fn failure_of(&self, command: &mut Command, name: &str, recipe: &str) -> Failure {
        let failure = Failure::of(command, name, recipe);
        assert!(mounts_below(&self.folder).is_empty());
        failure
    }

    /// The same, after the cure.
    fn success(&self, name: &str, recipe: &str) {
        self.write(&format!("{name}.rhai"), recipe);
        run(&mut self.build(name));
    }
}

fn key(folder: &Path, name: &str) {
    let home = folder.join(format!("gnupg-{name}"));
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).unwrap();
    let gpg = |arguments: &[&str]| {
        let mut command = Command::new("gpg");
        command
            .arg("--homedir")
            .arg(&home)
            .args(["--batch", "--quiet"]);
        run(command.args(arguments)).stdout
    };
    let user = format!("{name} <{name}@example.org>");
    gpg(&[
        "--passphrase",
        "",
        "--quick-generate-key",
        &user,
        "ed25519",
        "sign",
        "never",
    ]);
    let public = gpg(&["--export"]);
    std::fs::write(folder.join(format!("keys/{name}.gpg")), public).unwrap();
}

fn packages(archive: &Path) {
    std::fs::create_dir(archive).unwrap();
    package(archive, "little", "true", |_| {});
    // As a service's package that wants its configuration to be there.
    let wants = "test -e /etc/little.conf || { echo 'little-service: /etc/little.conf is not there' >&2; exit 1; }";
    package(archive, "little-service", wants, |_| {});
    package(archive, "little-kernel", "true", |tree| {
        let modules = tree.join("lib/modules/6.1.0-little");
        std::fs::create_dir_all(modules.join("kernel")).unwrap();
        for file in ["modules.dep", "modules.order", "modules.builtin"] {
            std::fs::write(modules.join(file), "").unwrap();
        }
        std::fs::create_dir_all(tree.join("boot")).unwrap();
        std::fs::write(tree.join("boot/vmlinuz-6.1.0-little"), "no kernel\n").unwrap();
    });
    package(archive, "huge", "true", |tree| {
        std::fs::create_dir_all(tree.join("srv")).unwrap();
        let file = std::fs::File::create(tree.join("srv/huge")).unwrap();
        file.set_len(1200 << 20).unwrap();
    });
}

fn package(archive: &Path, name: &str, postinst: &str, fill: impl Fn(&Path)) {
    let tree = tempfile::tempdir().unwrap();
    std::fs::set_permissions(tree.path(), PermissionsExt::from_mode(0o755)).unwrap();
    fill(tree.path());
    let control = tree.path().join("DEBIAN");
    std::fs::create_dir(&control).unwrap();
    let text = format!(
        "Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: made for a test\n"
    );
    std::fs::write(control.join("control"), text).unwrap();
    let script = control.join("postinst");
    std::fs::write(&script, format!("#!/bin/sh\n{postinst}\n")).unwrap();
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-Zgzip", "-z1", "--build"])
        .args([tree.path(), archive]));
}

fn sign(folder: &Path) {
    let script = "cd archive
apt-ftparchive packages . >Packages
apt-ftparchive -o APT::FTPArchive::Release::Suite=little release . >../Release
mv ../Release Release
gpg --homedir ../gnupg-right --batch --quiet --clearsign --output InRelease Release";
    run(Command::new("sh")
        .current_dir(folder)
        .args(["-euc", script]));
}

fn archive(key: &str) -> String {
    format!("{ROOT}{}", ARCHIVE.replace("KEY", key))
}

/// The host name of the mirror that is used here.
fn mirror() -> String {
    let bench = Bench::get();
    let mut plan = rootwright();
    plan.current_dir(&bench.folder)
        .args(["plan", "--format=json", "base.rhai"]);
    let plan: serde_json::Value = serde_json::from_slice(&run(&mut plan).stdout).unwrap();
    let assumptions = plan["assumptions"].as_array().unwrap();
    let mirror = assumptions.iter().find(|a| a["what"] == "mirror").unwrap();
    let url = mirror["value"].as_str().unwrap();
    let host = url.split('/').nth(2).unwrap();
    host.split(':').next().unwrap().to_owned()
}

#[test]
#[ignore = "run with tests/run distro"]
fn an_unknown_key_at_the_bootstrap() {
    let bench = Bench::get();
    let keyring = bench.folder.join("keys/other.gpg").display().to_string();
    let cured = ROOT;
    let wrong = cured.replace(
        "variant:",
        &text!(r#"keyring: "{keyring}", variant:"#, keyring),
    );
    let failure = bench.failure("bootstrap-key", &wrong);
    // Found before the first step: nothing has run.
    assert_eq!(failure.report.code, "host::check", "{:#?}", failure.report);
    let message = &failure.report.message;
    assert!(
        message.starts_with("a key that the keyring lacks has signed bookworm"),
        "{message}"
    );
    assert!(failure.report.command.is_none());
    failure
        .underlines("keyring")
        .because("has no key ", "name the archive's own");
    bench.success("bootstrap-key", cured);
}

#[test]
#[ignore = "run with tests/run distro"]
fn an_unknown_key_in_the_root() {
    let bench = Bench::get();
    let failure = bench.failure("root-key", &archive("other"));
    let update = ARCHIVE.lines().last().unwrap().trim_end_matches(';');
    failure
        .says(
            "run::command",
            "step 5 failed: `apt-get` ended with exit status 100",
        )
        .underlines(update)
        .because("`file:/srv/archive ./` is signed with the key", "keyring")
        .shows("NO_PUBKEY");
    let cured = archive("right")
        + r#"root.install(["little"]);
"#;
    bench.success("root-key", &cured);
}

/// A repository of somebody else, with its own key: a folder of this host, which commands in
/// the root see while they run.
#[test]
#[ignore = "run with tests/run distro"]
fn a_repository_with_its_own_key() {
    let bench = Bench::get();
    let uri = format!("file://{}", bench.folder.join("archive").display());
    let recipe = |more: &str| {
        text!(
            r#"{ROOT}root.add_repository(#{ name: "little", uri: "{uri}", suites: ["./"]{more} });
root.install(["little"]);
"#,
            ROOT,
            uri,
            more
        )
    };
    let fingerprint = |name: &str| {
        let listed = run(Command::new("gpg")
            .arg("--homedir")
            .arg(bench.folder.join(format!("gnupg-{name}")))
            .args(["--batch", "--with-colons", "--list-keys"]));
        let listed = stdout(&listed);
        let line = listed
            .lines()
            .find(|line| line.starts_with("fpr:"))
            .unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    };
    let (right, other) = (fingerprint("right"), fingerprint("other"));
    let pinned = |key: &str| {
        recipe(&text!(
            r#", key: "keys/right.gpg", fingerprints: ["{key}"]"#,
            key
        ))
    };
    let failure = bench.failure("repository-pin", &pinned(&other));
    failure
        .says(
            "keyring::lacks",
            &format!("the key {other}, of the packages of little, was not found"),
        )
        .underlines("fingerprints")
        .because(
            &format!("found instead: {right} (right <right@example.org>)"),
            "compare the fingerprints",
        );
    let failure = bench.failure("repository-bare", &recipe(""));
    failure
        .says("script::fail", "the repository `little` has no key")
        .because(
            "whoever can change what is downloaded can change the root",
            r#"or say why it may be used unchecked: `allow_unsigned: "why"`"#,
        );
    let failure = bench.failure(
        "repository-url",
        &recipe(r#", key: "https://packages.example.org/key.asc""#),
    );
    failure
        .says(
            "script::fail",
            "the key of the repository `little` comes from the network, and nothing says which it is",
        )
        .underlines(r#"key: "https://packages.example.org/key.asc""#);
    let look = "root.nspawn_run(`test -e /var/lib/dpkg/info/little.list; test -s /etc/apt/keyrings/little.gpg; grep -q 'signed-by=/etc/apt/keyrings/little.gpg\\|Signed-By: /etc/apt/keyrings/little.gpg' /etc/apt/sources.list.d/little.*`, #{ network: false });\n";
    bench.success("repository-pin", &(pinned(&right) + look));
    bench.success(
        "repository-unsigned",
        &recipe(r#", allow_unsigned: "made by this test""#),
    );
}

/// Packages of the recipe's own repository, by their digests; nothing of the folder stays.
#[test]
#[ignore = "run with tests/run distro"]
fn packages_of_a_folder() {
    let bench = Bench::get();
    let recipe = text!(
        r#"{ROOT}root.install(["little"], #{ packages_dir: "archive" });
root.nspawn_run(`test -e /var/lib/dpkg/info/little.list; ! ls /etc/apt/sources.list.d/rootwright* /var/cache/rootwright* /var/lib/apt/lists/*rootwright*`, #{ network: false });
root.clean();
root.nspawn_run(`! ls /var/lib/apt/lists/*_Packages /var/cache/apt/*.bin`, #{ network: false });
"#,
        ROOT
    );
    bench.success("folder", &recipe);
    bench.write("empty/readme", "");
    let empty = recipe.replace(r#""archive""#, r#""empty""#);
    let failure = bench.failure("folder-empty", &empty);
    failure
        .says(
            "run::command",
            "step 2 failed: the script ended with exit status 1",
        )
        .shows("rootwright: there is no .deb in the folder of packages");
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_resolv_conf_that_leads_nowhere_simply_works() {
    let bench = Bench::get();
    let host = mirror();
    for (name, make, same) in [
        (
            "dns-link",
            r#"root.symlink("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");"#,
            r#"test "$(readlink /etc/resolv.conf)" = ../run/systemd/resolve/stub-resolv.conf"#,
        ),
        (
            "dns-folder",
            r#"root.make_dir("/etc/resolv.conf");"#,
            "test -d /etc/resolv.conf",
        ),
    ] {
        let recipe = text!(
            r#"{ROOT}{make}
root.nspawn_run(["getent", "hosts", "{host}"]);
root.nspawn_run(["apt-get", "-o", "APT::Update::Error-Mode=any", "update"]);
root.nspawn_run(`{same}`, #{ network: false });
"#,
            ROOT,
            make,
            host,
            same
        );
        bench.success(name, &recipe);
    }
}

#[test]
#[ignore = "run with tests/run distro"]
fn no_kernel_for_dracut() {
    let bench = Bench::get();
    let tools = archive("right")
        + r#"root.install(["dracut-core", "mount", "systemd-sysv"]);
"#;
    let without = text!(
        r#"{tools}root.dracut(#{ compress: "cat" });
"#,
        tools
    );
    let failure = bench.failure("dracut", &without);
    failure
        .says("files::required", "the root lacks a file for the initramfs")
        .underlines(r#"root.dracut(#{ compress: "cat" })"#)
        .because(
            "`/lib/modules/*/modules.dep` or `/usr/lib/modules/*/modules.dep`: the kernel that it is for",
            r#"install what brings them before: `root.install(["linux-image-amd64"]);`"#,
        );
    let kernel = text!(
        r#"{tools}root.install(["little-kernel"]);
"#,
        tools
    );
    let another = text!(
        r#"{kernel}root.dracut(#{ kver: "5.10.0-1-amd64", compress: "cat" });
"#,
        kernel
    );
    let failure = bench.failure("dracut-kver", &another);
    failure
        .says(
            "run::command",
            "step 8 failed: the script ended with exit status 1",
        )
        .underlines(r#"root.dracut(#{ kver: "5.10.0-1-amd64", compress: "cat" })"#)
        .because(
            "`kver` names the kernel `5.10.0-1-amd64`, and the root has another: 6.1.0-little",
            "correct `kver`, or leave it out",
        )
        .shows("the kernel 5.10.0-1-amd64 is not installed in the root");
    bench.success(
        "dracut",
        &text!(
            r#"{kernel}root.dracut(#{ compress: "cat" });
"#,
            kernel
        ),
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_package_that_does_not_exist() {
    let bench = Bench::get();
    let wrong = archive("right")
        + r#"root.install(["litle"]);
"#;
    let failure = bench.failure("package", &wrong);
    failure
        .says(
            "run::command",
            "step 6 failed: `apt-get` ended with exit status 100",
        )
        .underlines(r#"root.install(["litle"])"#)
        .because(
            "no package source of this root has a package `litle`",
            "correct the name",
        )
        .shows("E: Unable to locate package litle");
    bench.success("package", &wrong.replace("litle", "little"));
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_postinst_that_fails() {
    let bench = Bench::get();
    let wrong = archive("right")
        + r#"root.install(["little-service"]);
"#;
    let failure = bench.failure("postinst", &wrong);
    failure
        .says(
            "run::command",
            "step 6 failed: `apt-get` ended with exit status 100",
        )
        .underlines(r#"root.install(["little-service"])"#)
        .because(
            "the post-installation script of `little-service` failed with status 1",
            "a file or user that the script expects (make it in a step before)",
        )
        .shows("little-service: /etc/little.conf is not there");
    let cured = wrong.replace(
        "root.install(",
        r#"root.write_file("/etc/little.conf", "");
root.install("#,
    );
    bench.success("postinst", &cured);
}

#[test]
#[ignore = "run with tests/run distro"]
fn no_names_resolve() {
    let bench = Bench::get();
    let host = mirror();
    let recipe = text!(
        r#"{ROOT}root.install(["hello"], #{ update: true });
"#,
        ROOT
    );
    bench.write("dns.rhai", &recipe);
    // A host without a network: its name server does not answer.
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--"])
        .arg(rootwright().get_program())
        .env_remove("ROOTWRIGHT_STORE");
    bench.arguments(&mut command, "dns", &bench.folder.join("store"));
    let failure = bench.failure_of(&mut command, "dns", &recipe);
    failure
        .says(
            "run::command",
            "step 2 failed: `apt-get` ended with exit status 100",
        )
        .underlines(r#"root.install(["hello"], #{ update: true })"#)
        .because(
            &format!("no name server answers in the root: `{host}` could not be looked up"),
            &format!("try `getent hosts {host}` on the host"),
        )
        .shows(&format!("Temporary failure resolving '{host}'"));
    bench.success("dns", &recipe);
}

#[test]
#[ignore = "run with tests/run distro"]
fn a_full_disk() {
    let bench = Bench::get();
    let recipe = archive("right")
        + r#"root.install(["huge"]);
"#;
    bench.write("full.rhai", &recipe);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("small-disk");
    std::fs::create_dir_all(&folder).unwrap();
    let mount = |options: &str| {
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&folder));
    };
    mount("size=1400m,mode=0700");
    let small = Mount(folder.clone());
    // The root is there already; the package is larger than what is left.
    run(Command::new("cp")
        .arg("-a")
        .arg(bench.folder.join("store/layers"))
        .arg(folder.join("layers")));
    let build = |name: &str| {
        let mut command = rootwright();
        bench.arguments(&mut command, name, &folder);
        command
    };
    let failure = bench.failure_of(&mut build("full"), "full", &recipe);
    failure
        .says(
            "run::command",
            "step 6 failed: `apt-get` ended with exit status 100",
        )
        .underlines(r#"root.install(["huge"])"#)
        .because("the disk is full", "`--store DIR`")
        .shows("No space left on device");
    mount("remount,size=4g");
    run(&mut build("full"));
    drop(small);
}
