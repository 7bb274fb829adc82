//! Exports with the real tools: what a tree carries, what is beside it, and how it gets
//! its final name. Needs root privileges.

// Helpers outside of test functions unwrap too.
use std::fs::{self, File, Permissions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rootwright::diagnose::Report;
use rootwright::export::{self, Manifest};
use rootwright::export::{ExportJob, ExportRoot};
use rootwright::plan::*;
use tempfile::TempDir;

use crate::support::mount::Mount;
use crate::support::wait_for;

struct Fixture {
    dir: TempDir,
    plan: Plan,
}

fn export(format: Format, exclude: &[&str]) -> Export {
    Export {
        name: "node".into(),
        format,
        exclude: exclude
            .iter()
            .map(|pattern| (*pattern).to_owned())
            .collect(),
        kernel: vec!["/usr/lib/modules/{kver}/vmlinuz".into(), "/vmlinuz".into()],
        initramfs: vec![
            "/boot/initrd.img-{kver}".into(),
            "/boot/initramfs-*.img".into(),
        ],
        cmdline: Some("root=nfs4:SERVER:PATH ro".into()),
        packages: Some(["list-packages"].into_iter().collect()),
        cmdline_command: None,
        times: Times::Kept,
        served: Served::default(),
        texts: Vec::new(),
    }
}

fn tar(compression: Compression) -> Format {
    Format::Tar { compression }
}

/// A root with one of everything that is easily lost.
fn make_root(root: &Path) {
    for name in [
        "etc",
        "boot",
        "proc",
        "usr/lib/modules/6.1.0-9",
        "usr/lib/modules/6.1.0-42",
        "var/cache/sub",
        "dev",
    ] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for version in ["6.1.0-9", "6.1.0-42"] {
        fs::write(
            root.join("usr/lib/modules")
                .join(version)
                .join("modules.dep"),
            "",
        )
        .unwrap();
        fs::write(root.join(format!("boot/vmlinuz-{version}")), version).unwrap();
        let initrd = root.join(format!("boot/initrd.img-{version}"));
        fs::write(&initrd, format!("initrd {version}")).unwrap();
        fs::set_permissions(&initrd, Permissions::from_mode(0o600)).unwrap();
    }
    // Absolute: it has to be read inside of the root.
    symlink("/boot/vmlinuz-6.1.0-42", root.join("vmlinuz")).unwrap();
    fs::write(root.join("etc/hosts"), "x").unwrap();
    fs::hard_link(root.join("etc/hosts"), root.join("etc/hosts.link")).unwrap();
    symlink("/none", root.join("etc/dangling")).unwrap();
    xattr::set(root.join("etc/hosts"), "user.note", b"kept\0raw").unwrap();
    std::os::unix::fs::chown(root.join("etc/hosts"), Some(70_000), Some(12)).unwrap();
    fs::write(root.join("usr/ping"), "x").unwrap();
    duct::cmd!("setcap", "cap_net_raw+ep", root.join("usr/ping"))
        .run()
        .unwrap();
    fs::write(root.join("usr/su"), "x").unwrap();
    fs::set_permissions(root.join("usr/su"), Permissions::from_mode(0o4755)).unwrap();
    duct::cmd!(
        "setfacl",
        "-m",
        "u:12:rw,d:u:12:rwx",
        root.join("var/cache/sub")
    )
    .run()
    .unwrap();
    duct::cmd!("mknod", root.join("dev/null"), "c", "1", "3")
        .run()
        .unwrap();
    duct::cmd!("mkfifo", root.join("dev/pipe")).run().unwrap();
    for name in [
        &b"-rf"[..],
        b"new\nline",
        b"sp ace",
        b"b\\slash",
        b"\xff\xfe",
        b"[x]*",
        b".hidden",
    ] {
        fs::write(
            root.join("var/cache")
                .join(std::ffi::OsStr::from_bytes(name)),
            "x",
        )
        .unwrap();
    }
    fs::write(root.join("var").join("n".repeat(200)), "long").unwrap();
    let mut sparse = File::create(root.join("var/sparse")).unwrap();
    sparse.seek(SeekFrom::Start(64 << 20)).unwrap();
    sparse.write_all(b"end").unwrap();
    duct::cmd!(
        "touch",
        "-d",
        "2001-02-03 04:05:06.123456789",
        root.join("etc"),
        root.join("etc/hosts")
    )
    .run()
    .unwrap();
    fs::set_permissions(root, Permissions::from_mode(0o751)).unwrap();
}

/// All that an export has to keep, one line a file: find, getfattr and getfacl say it.
fn inventory(root: &Path) -> String {
    let capture = |expression: duct::Expression| {
        let output = expression.dir(root).stdout_capture().run().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut lines: Vec<String> = capture(duct::cmd!(
        "find",
        ".",
        "-printf",
        "%p %y %m %U %G %l %T@ %n %s\\0"
    ))
    .split('\0')
    // The size of a directory depends on its history.
    .map(|line| match line.split_once(" d ") {
        Some((path, rest)) => format!("{path} d {}", rest.rsplit_once(' ').unwrap().0),
        None => line.to_owned(),
    })
    .collect();
    lines.sort();
    let devices = capture(duct::cmd!("stat", "-c", "%t %T", "dev/null"));
    // In the order of names, which differs between directories otherwise.
    let attributes = capture(duct::cmd!(
        "sh",
        "-c",
        "LC_ALL=C; export LC_ALL; find . -print0 | sort -z | xargs -0 getfattr -h -d -m - -e hex --; \
         find . ! -type l -print0 | sort -z | xargs -0 getfacl -n --"
    ));
    assert!(attributes.contains("security.capability"), "{attributes}");
    assert!(attributes.contains("default:user:12:rwx"), "{attributes}");
    format!("{}\n{devices}\n{attributes}", lines.join("\n"))
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root")).unwrap();
        fs::create_dir_all(dir.path().join("staging")).unwrap();
        make_root(&dir.path().join("root"));
        let plan = Plan {
            schema: SCHEMA_VERSION,
            rootwright: "0".into(),
            recipe: Recipe {
                path: "recipes/node.rhai".into(),
                title: "a node".into(),
                description: String::new(),
            },
            libraries: Vec::new(),
            options: vec![OptionValue {
                name: "release".into(),
                value: "twelve".into(),
                given: true,
                help: String::new(),
                from: None,
                choices: Vec::new(),
            }],
            ..Plan::default()
        };
        Fixture { dir, plan }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write_to(&self, export: &Export, out: &Path) -> Result<PathBuf, Report> {
        let in_root = |command: &Command| -> Result<String, Report> {
            assert_eq!(command.words(), ["list-packages"]);
            Ok("zlib\t1.2\tamd64\nbash\t5.2-1\tamd64\n".to_owned())
        };
        let root = self.path("root");
        let job = ExportJob {
            identity: &rootwright::plan::Key::of(&["a test's"]),
            layers: &[],
            root: ExportRoot::folder(&root),
            out,
            staging: &self.path("staging"),
            plan: &self.plan,
            in_root: &in_root,
        };
        export::write(export, &job).map_err(Report::from)
    }

    fn write(&self, export: &Export) -> PathBuf {
        self.write_to(export, &self.path("out")).unwrap()
    }

    /// Nothing unfinished lies about.
    fn clean(&self, out: &Path) {
        assert_eq!(fs::read_dir(self.path("staging")).unwrap().count(), 0);
        let hidden = fs::read_dir(out)
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .as_bytes()
                    .starts_with(b".")
            })
            .count();
        assert_eq!(hidden, 0);
    }
}

fn manifest(bundle: &Path) -> Manifest {
    serde_json::from_slice(&fs::read(bundle.join("manifest.json")).unwrap()).unwrap()
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_directory_keeps_everything() {
    let f = Fixture::new();
    let bundle = f.write(&export(Format::Dir, &[]));
    assert_eq!(inventory(&bundle.join("root")), inventory(&f.path("root")));
    let blocks = fs::metadata(bundle.join("root/var/sparse"))
        .unwrap()
        .blocks();
    assert!(blocks < 1000, "holes are filled: {blocks} blocks");
    f.clean(&f.path("out"));

    assert_eq!(
        fs::read_to_string(bundle.join("vmlinuz")).unwrap(),
        "6.1.0-42"
    );
    assert_eq!(
        fs::read_to_string(bundle.join("initramfs.img")).unwrap(),
        "initrd 6.1.0-42"
    );
    assert_eq!(
        fs::read_to_string(bundle.join("cmdline")).unwrap(),
        "root=nfs4:SERVER:PATH ro\n"
    );
    for name in ["vmlinuz", "initramfs.img", "manifest.json", "cmdline"] {
        assert_eq!(
            fs::metadata(bundle.join(name)).unwrap().mode() & 0o777,
            0o644,
            "{name}"
        );
    }
    assert_eq!(fs::metadata(&bundle).unwrap().mode() & 0o777, 0o755);
    let manifest = manifest(&bundle);
    assert_eq!(manifest.made_by, "rootwright");
    assert_eq!(manifest.kernel_version.unwrap(), "6.1.0-42");
    assert_eq!(manifest.recipe.title, "a node");
    assert_eq!(manifest.options[0].value, "twelve");
    let packages: Vec<_> = manifest.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(packages, ["bash", "zlib"]);
    let names: Vec<_> = manifest.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["cmdline", "initramfs.img", "vmlinuz"]);
    let sum = duct::cmd!("sha256sum", bundle.join("vmlinuz"))
        .read()
        .unwrap();
    assert_eq!(
        manifest.files["vmlinuz"].sha256,
        sum.split(' ').next().unwrap()
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_archive_keeps_everything_and_is_the_same_again() {
    let f = Fixture::new();
    for (compression, name) in [
        (Compression::None, "root.tar"),
        (Compression::Gzip, "root.tar.gz"),
        (Compression::Zstd, "root.tar.zst"),
    ] {
        let bundle = f.write(&export(tar(compression), &[]));
        let archive = bundle.join(name);
        let first = fs::read(&archive).unwrap();
        let size = first.len();
        assert!(size < 1 << 20, "holes are packed: {size} bytes");
        let unpacked = tempfile::tempdir().unwrap();
        duct::cmd!(
            "tar",
            "-xpf",
            &archive,
            "-C",
            unpacked.path(),
            "--acls",
            "--xattrs",
            "--xattrs-include=*",
            "--numeric-owner"
        )
        .run()
        .unwrap();
        assert_eq!(inventory(unpacked.path()), inventory(&f.path("root")));
        assert!(!bundle.join("root").exists());
        assert_eq!(manifest(&bundle).files[name].size, size as u64);
        // Reading changes access times, which are not in it.
        duct::cmd!("cat", f.path("root/etc/hosts"))
            .stdout_null()
            .run()
            .unwrap();
        let again = f.write(&export(tar(compression), &[]));
        assert!(
            fs::read(again.join(name)).unwrap() == first,
            "{name} differs"
        );
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn excludes_mean_the_same_in_both() {
    let f = Fixture::new();
    let exclude = [
        "var/cache/*",
        "/etc/hosts.link",
        "boot",
        "usr/*i*g",
        "*sparse",
        "var/[x]*",
    ];
    let bundle = f.write(&export(Format::Dir, &exclude));
    let tree = bundle.join("root");
    assert_eq!(fs::read_dir(tree.join("var/cache")).unwrap().count(), 0);
    assert!(!tree.join("boot").exists());
    assert!(!tree.join("usr/ping").exists());
    // Anchored, and a wildcard stays within its component.
    assert!(tree.join("var/sparse").exists());
    assert!(tree.join("usr/su").exists());
    assert!(tree.join("usr/lib/modules").exists());
    // What is beside the tree is not left out.
    assert_eq!(
        fs::read_to_string(bundle.join("vmlinuz")).unwrap(),
        "6.1.0-42"
    );
    let files = |dir: &Path| {
        let output = duct::cmd!("find", ".", "-printf", "%p %m %U %T@\\0")
            .dir(dir)
            .stdout_capture()
            .run()
            .unwrap();
        let mut lines: Vec<Vec<u8>> = output
            .stdout
            .split(|&b| b == 0)
            .map(<[u8]>::to_vec)
            .collect();
        lines.sort();
        lines
    };
    let of_dir = files(&tree);
    let bundle = f.write(&export(tar(Compression::None), &exclude));
    let unpacked = tempfile::tempdir().unwrap();
    duct::cmd!(
        "tar",
        "-xpf",
        bundle.join("root.tar"),
        "-C",
        unpacked.path(),
        "--numeric-owner"
    )
    .run()
    .unwrap();
    assert_eq!(files(unpacked.path()), of_dir);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_the_root_lacks_is_not_written() {
    let f = Fixture::new();
    for name in ["root/usr/lib/modules", "root/boot"] {
        fs::remove_dir_all(f.path(name)).unwrap();
    }
    // Leads out of the root, where there is a file.
    fs::write(f.path("outside"), "host").unwrap();
    fs::remove_file(f.path("root/vmlinuz")).unwrap();
    symlink("../outside", f.path("root/vmlinuz")).unwrap();
    let bundle = f.write(&Export {
        cmdline: None,
        packages: None,
        ..export(Format::Dir, &[])
    });
    let mut names: Vec<_> = fs::read_dir(&bundle)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["manifest.json", "root", "tree"]);
    assert_eq!(manifest(&bundle).kernel_version, None);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn only_its_own_exports_are_replaced() {
    let f = Fixture::new();
    let export = export(Format::Dir, &["var"]);
    let first = f.write(&export);
    let inode = fs::metadata(&first).unwrap().ino();
    fs::write(f.path("root/etc/new"), "n").unwrap();
    let second = f.write(&export);
    assert_ne!(fs::metadata(&second).unwrap().ino(), inode);
    assert!(second.join("root/etc/new").exists());
    f.clean(&f.path("out"));

    let foreign = |make: &dyn Fn(&Path)| {
        let out = f.path("foreign");
        fs::create_dir(&out).unwrap();
        make(&out.join("node"));
        let report = f.write_to(&export, &out).unwrap_err();
        assert_eq!(report.code, "export::foreign", "{report:?}");
        let plan = with_exports(&f.plan, &["node"]);
        assert_eq!(
            rootwright::build::preflight::exports(&plan, &out)[0].code,
            "export::foreign"
        );
        f.clean(&out);
        assert!(fs::symlink_metadata(out.join("node")).is_ok());
        fs::remove_dir_all(&out).unwrap();
    };
    foreign(&|path| fs::write(path, "mine").unwrap());
    foreign(&|path| fs::create_dir(path).unwrap());
    foreign(&|path| symlink(&second, path).unwrap());
    foreign(&|path| {
        fs::create_dir(path).unwrap();
        fs::write(path.join("manifest.json"), r#"{"name": "an app"}"#).unwrap();
    });
    assert!(second.join("root/etc/new").exists());
}

fn with_exports(plan: &Plan, names: &[&str]) -> Plan {
    let step = |(index, name): (usize, &&str)| Step {
        number: index + 1,
        root: Some(0),
        call: "export".into(),
        label: String::new(),
        calls: Vec::new(),
        repositories: Vec::new(),
        uses: Names::default(),
        capabilities: Vec::new(),
        actions: vec![Action {
            op: Op::Export(Export {
                name: (*name).to_owned(),
                ..export(Format::Dir, &[])
            }),
            about: None,
            only_if: None,
            calls: Vec::new(),
        }],
    };
    Plan {
        steps: names.iter().enumerate().map(step).collect(),
        ..plan.clone()
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_can_be_known_before_is_said_before() {
    let f = Fixture::new();
    let codes = |names: &[&str], out: &Path| -> Vec<String> {
        rootwright::build::preflight::exports(&with_exports(&f.plan, names), out)
            .into_iter()
            .map(|report| report.code.clone())
            .collect()
    };
    let new = f.path("not/yet/there");
    assert!(codes(&["a", "b"], &new).is_empty());
    assert!(!f.path("not").exists());
    assert_eq!(codes(&["a", "a"], &new), ["export::twice"]);
    assert_eq!(codes(&["../a", ".a", ""], &new), ["export::name"; 3]);
    fs::write(f.path("file"), "").unwrap();
    for out in ["file", "file/below"] {
        assert_eq!(codes(&["a"], &f.path(out)), ["export::out"]);
        assert_eq!(
            f.write_to(&export(Format::Dir, &[]), &f.path(out))
                .unwrap_err()
                .code,
            "export::out"
        );
    }
    assert!(codes(&[], &f.path("file")).is_empty());
    let mount = Mount::new(f.path("ro"), "tmpfs", "ro");
    let report =
        &rootwright::build::preflight::exports(&with_exports(&f.plan, &["a"]), mount.path())[0];
    assert_eq!(
        report.cause.as_deref(),
        Some("the file system is read-only")
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn another_file_system_and_a_full_one() {
    let f = Fixture::new();
    let mount = Mount::new(f.path("disk"), "tmpfs", "size=1m");
    let small = export(Format::Dir, &["var"]);
    let bundle = f.write_to(&small, mount.path()).unwrap();
    let before = inventory_of_names(&bundle);
    f.clean(mount.path());
    fs::write(f.path("root/etc/big"), vec![1; 2 << 20]).unwrap();
    for format in [Format::Dir, tar(Compression::None)] {
        for exclude in [&["var"][..], &[]] {
            let report = f
                .write_to(&export(format.clone(), exclude), mount.path())
                .unwrap_err();
            assert_eq!(report.code, "export::tool");
            assert_eq!(
                report.cause.as_deref(),
                Some("the disk is full"),
                "{report:?}"
            );
            f.clean(mount.path());
            assert_eq!(inventory_of_names(&bundle), before);
        }
    }
}

fn inventory_of_names(dir: &Path) -> String {
    let output = duct::cmd!("find", ".", "-printf", "%p %i\\n")
        .dir(dir)
        .read()
        .unwrap();
    let mut lines: Vec<_> = output.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Run by the test below as a process of its own, which it kills.
#[test]
#[ignore = "a part of the next test"]
fn export_in_a_loop() {
    let Some(dir) = std::env::var_os("ROOTWRIGHT_TEST_KILL").map(PathBuf::from) else {
        return;
    };
    let f = Fixture::new();
    let in_root = |_: &Command| Ok(String::new());
    let root = dir.join("root");
    let job = ExportJob {
        identity: &rootwright::plan::Key::of(&["a test's"]),
        layers: &[],
        root: ExportRoot::folder(&root),
        out: &dir.join("out"),
        staging: &dir.join("staging"),
        plan: &f.plan,
        in_root: &in_root,
    };
    for _ in 0..1000 {
        export::write(&export(Format::Dir, &[]), &job).unwrap();
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_kill_leaves_the_old_or_the_new_export() {
    let f = Fixture::new();
    let expected = inventory(&f.path("root"));
    let mut unfinished = 0;
    for (round, out) in (0..12).map(|round| (round, f.path("out"))) {
        let this = std::env::current_exe().unwrap();
        // Its own process group: cp goes with it, as with the whole build.
        let mut child = std::process::Command::new("setsid")
            .arg(this)
            .args([
                "--ignored",
                "--exact",
                "tiny::export_bundles::export_in_a_loop",
            ])
            .env("ROOTWRIGHT_TEST_KILL", f.dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Sooner or later after the beginning of an export.
        let staging = f.path("staging");
        wait_for("an export to begin", || {
            fs::read_dir(&staging).is_ok_and(|mut entries| entries.next().is_some())
        });
        std::thread::sleep(std::time::Duration::from_millis(13 * round));
        let _ = duct::cmd!("kill", "-9", "--", format!("-{}", child.id()))
            .unchecked()
            .run();
        child.wait().unwrap();
        unfinished += fs::read_dir(f.path("staging")).unwrap().count();
        if out.join("node").exists() {
            assert_eq!(inventory(&out.join("node/root")), expected);
            assert_eq!(manifest(&out.join("node")).files.len(), 3);
        }
    }
    assert!(unfinished > 0, "no kill came in the middle of an export");
    // The next one clears up.
    f.write(&export(Format::Dir, &[]));
    f.clean(&f.path("out"));
    assert_eq!(inventory(&f.path("out/node/root")), expected);
}
