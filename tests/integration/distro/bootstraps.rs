//! Real bootstraps from the host's own mirror, minimal: what a release's table says is what
//! the archive has. Root privileges, mmdebstrap, network. `ROOTWRIGHT_LONG=1` takes every release that
//! the mirror has; else those that boot/debian does not build. Downloads are kept.

use std::path::Path;

use crate::support::user::User;
use crate::support::verified::{Level, verified};
use crate::support::{Project, run, stdout};

/// The tables against the archive: every role's packages are there for this architecture, and
/// dracut has the version that the release's facts say.
const RECIPE: &str = r#"
import "distro/debian" as debian;
let release = option("release", #{ default: "bookworm" });
let root = bootstrap(#{ distro: "debian", release: release, arch: "amd64", allow_expired: if release in ["forky", "sid"] { "the mirror may have stopped" } });
let packages = [];
for name in ["init", "kernel", "udev", "dbus", "ip", "ps", "kmod", "tzdata", "ca-certificates", "locale", "nfs-client", "network-manager", "dracut", "dracut-network", "dracut-live", "ssh-server"] {
    packages += root.role(name);
}
for kernel in root.kernels() { packages.push(kernel.package); }
// The root's own sources and keys, as somebody who logs in would use them.
root.nspawn_run(["apt-get", "-o", "APT::Update::Error-Mode=any", "update"]);
root.nspawn_run("for package in " + quote(packages) + "; do apt-cache show \"$package\" >/dev/null || { echo \"there is no $package\"; exit 1; }; done", #{ network: false });
root.nspawn_run(`apt-cache policy dracut | grep -q 'Candidate: ${debian::releases()[release].dracut}'`, #{ network: false });
root.nspawn_run("apt-cache policy | grep -q 'c=non-free,' && apt-cache policy | grep -q 'c=contrib,'", #{ network: false });
root.install(["hello"]);
root.nspawn_run(["/usr/bin/hello"], #{ network: false });
root.remove(["hello"]);
root.upgrade();
root.clean();
"#;

fn bootstrap(release: &str) {
    let project = Project::new();
    project.write("recipe.rhai", RECIPE);
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bootstraps");
    let mut build = crate::support::rootwright();
    build
        .current_dir(project.path())
        .arg("--store")
        .arg(&store)
        .args(["build", "recipe.rhai", "-o"])
        .arg(format!("release={release}"));
    run(&mut build);
    // What is shared is the downloads: the layers would be taken for granted next time.
    for folder in ["layers", "builds", "states"] {
        std::fs::remove_dir_all(store.join(folder)).unwrap();
    }
    let sums = std::fs::read_dir(store.join("keyrings")).unwrap();
    let names: Vec<_> = sums.flatten().map(|entry| entry.file_name()).collect();
    let prefix = format!("debian-{release}-");
    assert!(
        names
            .iter()
            .any(|name| name.to_string_lossy().starts_with(&prefix)),
        "{names:?}"
    );
    verified(
        "debian",
        release,
        Level::RealMirror,
        "distro::bootstraps::releases_of_the_real_mirror",
    );
}

#[test]
#[ignore = "run with tests/run distro"]
fn releases_of_the_real_mirror() {
    let releases: &[&str] = match std::env::var_os("ROOTWRIGHT_LONG") {
        Some(_) => &["sid", "forky", "trixie", "bookworm", "bullseye"],
        None => &["bullseye", "sid"],
    };
    for release in releases {
        bootstrap(release);
    }
    let mounts = stdout(&run(std::process::Command::new("cat").arg("/proc/mounts")));
    assert!(!mounts.contains("/bootstraps/"), "{mounts}");
}

/// The older tool makes device nodes, which nothing that a build runs may do.
#[test]
#[ignore = "run with tests/run distro"]
fn debootstrap() {
    let project = Project::new();
    project
        .recipe(
            r#"let root = bootstrap(#{ distro: "debian", release: "bookworm", tool: "debootstrap" });
root.nspawn_run("dpkg --audit; [ -z \"$(dpkg --audit)\" ]", #{ network: false });
root.export(#{ format: "dir", name: "x" });
"#,
        )
        .build()
        .success();
    let root = project.out().join("x/root");
    let dev = std::fs::read_dir(root.join("dev")).unwrap();
    let left: Vec<_> = dev.flatten().map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(root.join("usr/bin/apt-get").exists());
}

/// What maintainer scripts, a package manager in the root, and dpkg's triggers leave is the same
/// for root and for an ordinary user.
#[test]
#[ignore = "run with tests/run distro"]
fn an_ordinary_user_makes_the_same_root() {
    let (project, user) = (Project::new(), User::new());
    project.recipe(
        r#"let root = bootstrap(#{ distro: "debian", release: "bookworm" });
root.install(["cron", "iputils-ping"]);
root.nspawn_run("getcap /usr/bin/ping | grep -q cap_net_raw && stat -c %a /usr/bin/passwd | grep -q 4755");
root.remove(["iputils-ping"]);
root.clean();
root.export(#{ format: "tar", compress: "none", name: "x" });
"#,
    );
    project.build().success();
    let own = project.path().join("own");
    std::fs::create_dir(&own).unwrap();
    user.own(&own);
    let store = user.home().join("store");
    let build = project.build_to("own/out");
    let build = build.args(["--store", store.to_str().unwrap()]);
    user.runs(build).success();
    let (root, user) = (project.out().join("x/root.tar"), own.join("out/x/root.tar"));
    if std::fs::read(&root).unwrap() != std::fs::read(&user).unwrap() {
        let listed = |tar: &Path| {
            let mut list = std::process::Command::new("sh");
            let script = r#"tar --numeric-owner -tvf "$1"; tar -xf "$1" --to-command='echo "$(sha256sum) $TAR_FILENAME"'"#;
            list.args(["-euc", script, "sh"]).arg(tar);
            stdout(&run(&mut list))
        };
        let (root, user) = (listed(&root), listed(&user));
        let differs: Vec<_> = root
            .lines()
            .zip(user.lines())
            .filter(|(a, b)| a != b)
            .collect();
        panic!("{differs:#?}");
    }
}
