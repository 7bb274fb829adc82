//! A root full of links to the host, pipes that nobody writes to, and files of 3 GiB that take no
//! space: every built-in works on it, changes nothing outside, and ends.

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rootwright::recipe;

use super::attempt::{SECRET, Target};
use crate::support::{stderr, stdout};

/// What an image puts in the place of files and folders.
const KINDS: &[&str] = &[
    "absolute",
    "relative",
    "magic",
    "loops",
    "pipes",
    "machine-id",
    "huge",
];

/// Makes a root of that kind: its path, the kind, and a file of the host.
const HOSTILE: &str = r##"
import "distro/tiny" as tiny;
import "distro/debian" as debian;
fn bootstrap(root, spec) {
    tiny::bootstrap(root, #{});
    host_run(root, script(`
        cd "$1"
        for tool in $(busybox --list); do test -e bin/$tool || ln -s busybox bin/$tool; done
        mkdir -p usr/sbin usr/share boot usr/lib/modules/1 usr/lib/systemd/system var/lib/dpkg etc/apt var/cache/apt etc/systemd
        echo "kept" >kept
        put() {
            mkdir -p "$(dirname "$1")"
            rm -rf "$1"
            case $kind in
                absolute) ln -s "$2" "$1" ;;
                relative) ln -s "../../../../../../../../../..$2" "$1" ;;
                magic) ln -s "/proc/1/root$2" "$1" ;;
                loops) ln -s "$(basename "$1")" "$1" ;;
                pipes) mkfifo "$1" ;;
                huge) truncate -s 3G "$1" ;;
            esac
        }
        kind=$2
        case $kind in
            # systemd-nspawn reads it before all else.
            machine-id) mkfifo etc/machine-id ;;
            huge) ;;
            *) put ./etc/machine-id "$3" ;;
        esac
        test $kind != pipes || rm etc/machine-id
        # Each of them is digested with its layer.
        more=
        test $kind = huge || more="etc/group etc/shadow etc/gshadow etc/resolv.conf etc/hosts etc/hostname etc/fstab \
            etc/os-release etc/locale.conf etc/timezone etc/localtime etc/apt/sources.list boot/initrd.img-1 \
            usr/lib/modules/1/modules.dep var/lib/dpkg/available usr/sbin/policy-rc.d usr/bin/apt-get usr/bin/dpkg \
            usr/bin/dracut usr/sbin/useradd"
        for name in file etc/passwd usr/lib/os-release var/lib/dpkg/status boot/vmlinuz-1 $more; do
            put "./$name" "$3"
        done
        test $kind != huge || exit 0
        for name in folder etc/apt/keyrings etc/apt/sources.list.d etc/apt/apt.conf.d etc/dracut.conf.d usr/share/keyrings \
            var/cache/apt/archives var/lib/apt/lists cache opt srv mnt root home etc/ssh etc/systemd/system usr/lib/tmpfiles.d; do
            put "./$name" "$(dirname "$3")"
        done
    `, #{ arguments: [root.path, spec.release, "{canary}"] }));
}
fn install(root, packages, opts) { debian::install(root, packages, opts); }
fn remove(root, packages, opts) { debian::remove(root, packages, opts); }
fn upgrade(root, opts) { debian::upgrade(root, opts); }
fn clean(root) { debian::clean(root); }
fn add_repository(root, spec) { debian::add_repository(root, spec); }
fn boot_files(root) { debian::boot_files(root) }
fn services(root) { debian::services(root) }
fn dracut_facts(root) {
    #{ network: "network", initramfs: "/boot/initrd.img-", after: "", packages: #{ dracut: "dracut", network: "dracut-network", nfs: "nfs-common", rpcbind: "rpcbind", curl: "curl", dmsetup: "dmsetup", ps: "procps", live: "dracut-live", kernel: "linux-image", "network-manager": "network-manager" } }
}
"##;

enum Case {
    /// Steps in which the built-in works on the image.
    Works(&'static str),
    /// Why it meets no image.
    Away(&'static str),
}
use Case::{Away, Works};

const DESCRIBES: Case = Away("it describes the plan, and reads no root");
const RECIPES: Case = Away("it reads the recipe's files or settings");
const ADDRESS: &str = "the step that uses it reads the image: `install`, `export`";

fn built_ins() -> BTreeMap<&'static str, Case> {
    BTreeMap::from([
        (
            "add_repository",
            Works(
                r#"root.add_repository(#{ name: "x", uri: "http://127.0.0.1:1/x", suites: ["x"], components: ["main"], allow_unsigned: "a test" });"#,
            ),
        ),
        ("allow_lint", DESCRIBES),
        (
            "append_file",
            Works(
                r#"root.append_file("/folder/new", "attacked\n"); root.append_file("/file", "attacked\n");"#,
            ),
        ),
        ("archive", DESCRIBES),
        ("assume", DESCRIBES),
        ("bootstrap", Away("it makes the image")),
        (
            "capture",
            Works(r#"log(root.capture(["ls", "/file"], #{ preview: "x" }));"#),
        ),
        ("check_before", Away("it runs before there is a root")),
        ("clean", Works("root.clean();")),
        (
            "copy_in",
            Works(
                r#"root.copy_in("files", "/folder/new"); root.copy_in("files", "/folder"); root.copy_in("files/one", "/file");"#,
            ),
        ),
        ("describe_root", DESCRIBES),
        (
            "distro_call",
            Away("it is for modules: `clean` and the like call it here"),
        ),
        ("dracut", Works("root.dracut(#{ overlay: true });")),
        (
            "edit_file",
            Works(r#"root.edit_file("/file", #{ pattern: "nobody", replacement: "attacked" });"#),
        ),
        (
            "expect_boot",
            Away("it boots what the root became in a machine of its own"),
        ),
        (
            "export",
            Works(r#"root.export(#{ format: "dir", name: "x" });"#),
        ),
        ("fact", DESCRIBES),
        ("fail", DESCRIBES),
        ("fetch", RECIPES),
        ("fields", DESCRIBES),
        ("file_path", RECIPES),
        ("file_text", RECIPES),
        (
            "fork",
            Works(
                r#"let other = fork(root, "other"); other.write_file("/folder/new", "attacked\n");"#,
            ),
        ),
        ("git_revision", RECIPES),
        ("hint", DESCRIBES),
        ("host_arch", DESCRIBES),
        ("host_list", RECIPES),
        ("host_read", RECIPES),
        // As an honest recipe writes it: no path of the image is safe to follow.
        (
            "host_run",
            Works(
                r#"root.host_run(["install", "-D", "-m", "0644", "/etc/debian_version", root.path + "/etc/apt/keyrings/new"]);"#,
            ),
        ),
        ("install", Works(r#"root.install(["x"]);"#)),
        ("join", DESCRIBES),
        ("kernels", DESCRIBES),
        ("keyring", Away(ADDRESS)),
        ("log", DESCRIBES),
        (
            "make_dir",
            Works(
                r#"root.make_dir("/folder/new/deep", #{ mode: 0o777 }); root.make_dir("/file");"#,
            ),
        ),
        (
            "move_path",
            Works(
                r#"root.move_path("/kept", "/folder/new"); root.move_path("/folder/canary", "/taken");"#,
            ),
        ),
        ("need_file", RECIPES),
        (
            "nspawn_boot",
            Works(r#"root.nspawn_boot("true", #{ timeout: 5 });"#),
        ),
        (
            "nspawn_run",
            Works(
                r#"root.nspawn_run(["true"], #{ binds: [#{ host: "{payload}", path: "/folder/bound", read_only: true }], downloads: [#{ pool: "p", path: "/cache", suffix: ".x" }], cwd: "/folder" });"#,
            ),
        ),
        ("option", DESCRIBES),
        ("package_source", Away(ADDRESS)),
        ("quote", DESCRIBES),
        ("remove", Works(r#"root.remove(["x"]);"#)),
        (
            "remove_path",
            Works(
                r#"root.remove_path("/folder/*"); root.remove_path("/folder/canary", #{ missing_ok: true }); root.remove_path("/file");"#,
            ),
        ),
        ("repositories", DESCRIBES),
        (
            "require_paths",
            Works(
                r#"root.require_paths("a test", [#{ path: "/folder/canary", package: "x", why: "x" }]);"#,
            ),
        ),
        ("role", DESCRIBES),
        (
            "script",
            Works(r#"root.nspawn_run(script("ls /file >/read", #{}));"#),
        ),
        (
            "secret",
            Works(
                r#"root.write_file("/folder/new", secret("unused")); root.write_file("/file", secret("unused"));"#,
            ),
        ),
        ("set_fact", DESCRIBES),
        (
            "set_mode",
            Works(
                r#"root.set_mode("/folder", 0o777, #{ recursive: true }); root.set_mode("/file", 0o777);"#,
            ),
        ),
        (
            "set_owner",
            Works(r#"root.set_owner("/folder", "web", #{ recursive: true });"#),
        ),
        ("setting", RECIPES),
        ("source_date", RECIPES),
        ("stable_uuid", DESCRIBES),
        ("stdlib_text", RECIPES),
        (
            "symlink",
            Works(r#"root.symlink("/folder/new", "/x"); root.symlink("/file", "/x");"#),
        ),
        ("trust_key", Away(ADDRESS)),
        ("unsigned", DESCRIBES),
        ("upgrade", Works("root.upgrade();")),
        ("uses_archives", DESCRIBES),
        ("wanted", DESCRIBES),
        ("warn", DESCRIBES),
        (
            "write_file",
            Works(
                r#"root.write_file("/folder/new", "attacked\n"); root.write_file("/file", "attacked\n"); root.write_file("/etc/apt/keyrings/new", "attacked\n", #{ owner: "web" });"#,
            ),
        ),
    ])
}

/// Functions of the standard library that change a root.
const FUNCTIONS: &[&str] = &[
    "diskless::prepare(root);",
    "diskless::ssh_host_keys(root); diskless::machine_id(root);",
    "diskless::special_files(root); diskless::capabilities(root);",
    r#"users::add(root, "one", #{ authorized_keys: ["ssh-ed25519 AAAA x"] });"#,
    r#"users::lock(root, "web");"#,
    r#"services::enable(root, ["x"]);"#,
    r#"archive::unpack(root, "files.tar", "/folder");"#,
    r#"dpkg::divert(root, "/file");"#,
];

/// Every format of an export.
const FORMATS: &[&str] = &["tar", "squashfs", "erofs", "cpio", "ext4", "oci", "nfs"];

#[test]
fn every_built_in_meets_the_image() {
    let known = built_ins();
    for builtin in recipe::builtins() {
        match known.get(builtin.name) {
            None => panic!("`{}` has no entry in `built_ins`", builtin.name),
            Some(Away(why)) => assert!(!why.is_empty()),
            Some(Works(steps)) => assert!(steps.contains(builtin.name), "{}", builtin.name),
        }
    }
    for name in known.keys() {
        let mut all = recipe::builtins().iter();
        assert!(all.any(|builtin| builtin.name == *name), "{name}");
    }
}

/// Steps on an image of one kind: how the build ends is its own matter.
fn holds(target: &Target, kind: &str, steps: &str, number: usize) -> Result<(), String> {
    let name = format!("recipe-{number}.rhai");
    let payload = target.project.beside().join("payload");
    let steps = steps.replace("{payload}", &payload.display().to_string());
    target.project.write(
        &name,
        &text!(
            r#"import "diskless" as diskless;
import "users" as users;
import "services" as services;
import "archive" as archive;
import "package/dpkg" as dpkg;
let root = bootstrap(#{ distro: "image", release: "{kind}" });
{steps}
"#,
            kind,
            steps
        ),
    );
    let out = format!("out-{number}");
    let build = target.project.command(&["build", &name]);
    let build = build.args(["--allow-host-run", "--out", &out]);
    // A file of 3 GiB has no place in it.
    let limited = format!(
        "ulimit -v 3000000; exec timeout --kill-after=5 90 {:?} \"$@\"",
        build.get_program()
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &limited, "sh"]).args(build.get_args());
    shell.current_dir(target.project.path());
    shell
        .env("ROOTWRIGHT_SECRET_UNUSED", "attacked\n")
        .env("NO_COLOR", "1");
    let start = Instant::now();
    let output = shell.output().unwrap();
    let said = format!("{}{}", stdout(&output), stderr(&output));
    let bad = |what: &str| Err(format!("{kind}: {steps}: {what}:\n{said}"));
    if !matches!(output.status.code(), Some(0 | 1)) {
        return bad(&format!("{}", output.status));
    }
    if start.elapsed() > Duration::from_secs(60) {
        return bad("it took too long");
    }
    if said.contains(SECRET) {
        return bad("it has the host's secret");
    }
    // The image was met: what is wrong with a recipe is said before anything runs.
    let met = ["bootstrap image, ", "cannot make `/folder`"];
    if !met.iter().any(|part| said.contains(part)) {
        return bad("no step ran");
    }
    let grep = Command::new("grep")
        .args(["-rlsF", "--devices=skip", SECRET])
        .arg(target.project.path().join(&out))
        .output();
    if !stdout(&grep.unwrap()).is_empty() {
        return bad("its export has the host's secret");
    }
    let _ = std::fs::remove_dir_all(target.project.path().join(&out));
    Ok(())
}

#[test]
#[ignore = "run with tests/run attacks"]
fn every_built_in_and_function_on_every_kind() {
    let mut target = Target::new();
    let canary = target.canaries[0].display();
    let distro = text!(HOSTILE, canary);
    target.project.file("distro/image.rhai", distro);
    target.project.file("files/one", "one\n");
    target.project.file("files/deep/two", "two\n");
    let tar = Command::new("tar")
        .current_dir(target.project.path())
        .args(["-cf", "files.tar", "files"])
        .status();
    assert!(tar.unwrap().success());
    let known = built_ins();
    let steps = known.values().filter_map(|case| match case {
        Works(steps) => Some((*steps).to_owned()),
        Away(_) => None,
    });
    let functions = FUNCTIONS.iter().map(|&steps| steps.to_owned());
    let mut steps: Vec<String> = steps.chain(functions).collect();
    for format in FORMATS {
        steps.push(format!(
            r#"root.export(#{{ format: "{format}", name: "x" }});"#
        ));
    }
    let mut cases = Vec::new();
    for kind in KINDS {
        for steps in &steps {
            // What copies, writes out or searches such a file takes the time that 3 GiB take.
            let copies = [
                "export(",
                "append_file",
                "set_mode",
                "set_owner",
                "move_path",
                "diskless::",
            ];
            if *kind != "huge" || !copies.iter().any(|copy| steps.contains(copy)) {
                cases.push((*kind, steps));
            }
        }
    }
    let next = Mutex::new(cases.iter().enumerate());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let case = next.lock().unwrap().next();
                    let Some((number, (kind, steps))) = case else {
                        break;
                    };
                    if let Err(failure) = holds(&target, kind, steps, number) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    target.is_untouched(std::path::Path::new("/nowhere"));
    // The images were what they are said to be.
    let layers = std::fs::read_dir(target.project.store().join("layers")).unwrap();
    let files = layers.map(|layer| layer.unwrap().path().join("fs/file"));
    let found: Vec<_> = files
        .filter_map(|file| file.symlink_metadata().ok())
        .collect();
    assert!(found.iter().any(|file| file.file_type().is_fifo()));
    assert!(found.iter().any(|file| file.len() == 3 << 30));
    assert!(found.iter().filter(|file| file.is_symlink()).count() >= 4);
}
