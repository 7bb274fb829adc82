//! Every format with the real tools: what is in it, and that the same root gives the same
//! bytes. Needs root privileges.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rootwright::export::{self, Manifest, OpenedExport};
use rootwright::export::{ExportJob, ExportRoot};
use rootwright::plan::*;
use rootwright::run::files;

use crate::support::{Project, wait_for};

/// Times in the root are later; everything is clamped to this.
const TIME: u64 = 1_700_000_000;

fn make_root(root: &Path, names: &[&str]) {
    for name in [
        "etc",
        "boot",
        "proc",
        "bin",
        "dev",
        "var/cache",
        "lib/modules/6.1/kernel",
    ] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    symlink("busybox", root.join("bin/sh")).unwrap();
    for name in names {
        fs::write(root.join("etc").join(name), format!("{name}\n")).unwrap();
    }
    fs::hard_link(root.join("etc/one"), root.join("etc/two.link")).unwrap();
    fs::write(root.join("boot/vmlinuz"), "kernel").unwrap();
    fs::write(root.join("boot/initrd"), "initrd").unwrap();
    fs::write(root.join("var/cache/junk"), "left out").unwrap();
    fs::write(root.join("bin/ping"), "x").unwrap();
    duct::cmd!("setcap", "cap_net_raw+ep", root.join("bin/ping"))
        .run()
        .unwrap();
    duct::cmd!("mknod", root.join("dev/null"), "c", "1", "3")
        .run()
        .unwrap();
    std::os::unix::fs::chown(root.join("etc/two"), Some(1234), Some(99)).unwrap();
    fs::set_permissions(root.join("etc/two"), Permissions::from_mode(0o4640)).unwrap();
    fs::set_permissions(root, Permissions::from_mode(0o751)).unwrap();
    duct::cmd!("touch", "-d", "2001-02-03 04:05:06", root.join("etc/three"))
        .run()
        .unwrap();
}

/// Two roots that hold the same, made in another order and at another time.
fn two_roots(folder: &Path) -> [PathBuf; 2] {
    let (a, b) = (folder.join("a/root"), folder.join("b/root"));
    make_root(&a, &["one", "two", "three", "four"]);
    let made = SystemTime::now();
    wait_for("the next second", || {
        made.elapsed().is_ok_and(|passed| passed.as_secs() > 0)
    });
    make_root(&b, &["four", "three", "two", "one"]);
    [a, b]
}

fn spec(format: Format) -> Export {
    Export {
        name: "node".into(),
        format,
        exclude: vec!["var/cache/*".into()],
        kernel: vec!["/boot/vmlinuz".into()],
        initramfs: vec!["/boot/initrd".into()],
        cmdline: Some("root=live:URL/root.squashfs".into()),
        cmdline_command: None,
        packages: None,
        times: Times::Until { seconds: TIME },
        served: Served::default(),
        texts: vec![ServerText::parse(
            "boot.ipxe".into(),
            "kernel @URL@/vmlinuz @CMDLINE@ @BUNDLE@ @NAME@\n",
            &BTreeMap::new(),
        )],
    }
}

fn plan() -> Plan {
    serde_json::from_value(serde_json::json!({
        "schema": SCHEMA_VERSION, "rootwright": "0",
        "recipe": { "path": "r.rhai", "title": "", "description": "" },
        "options": [], "inputs": [], "assumptions": [], "messages": [],
        "needs": [], "roots": [], "steps": [],
    }))
    .unwrap()
}

fn write(export: &Export, root: &Path) -> PathBuf {
    let beside = root.parent().unwrap();
    let staging = beside.join("staging");
    fs::create_dir_all(&staging).unwrap();
    let in_root = |command: &Command| Ok(command.words().concat());
    let job = ExportJob {
        plan: &plan(),
        root: ExportRoot::folder(root),
        out: &beside.join("out"),
        staging: &staging,
        in_root: &in_root,
        identity: &Key::of(&[b"the same root"]),
        layers: &[],
    };
    let path = export::write(export, &job).unwrap();
    assert_eq!(
        fs::read_dir(&staging).unwrap().count(),
        0,
        "work is left behind"
    );
    path
}

fn oci(archive: bool) -> Format {
    Format::Oci {
        archive,
        layers: OciLayers::One,
        compression: Compression::Gzip,
        architecture: "amd64".into(),
        command: vec!["/bin/sh".into()],
    }
}

fn formats() -> Vec<Format> {
    let mut formats = vec![Format::Ext4 { size: None }, oci(true), oci(false)];
    for compression in [Compression::Zstd, Compression::Gzip, Compression::None] {
        formats.push(Format::Tar { compression });
        formats.push(Format::Squashfs { compression });
        formats.push(Format::Cpio { compression });
    }
    for compression in [Compression::Lz4hc, Compression::None] {
        formats.push(Format::Erofs { compression });
    }
    formats.push(Format::Cpio {
        compression: Compression::Xz,
    });
    formats.push(Format::Cpio {
        compression: Compression::Lz4,
    });
    formats
}

/// Every file below, by its path, with its digest.
fn digests(bundle: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![bundle.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(bundle).unwrap().display().to_string();
                found.insert(name, files::sha256(&path).unwrap());
            }
        }
    }
    found
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_same_root_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let roots = two_roots(dir.path());
    let mut differing = Vec::new();
    for format in formats() {
        let [a, b] = [&roots[0], &roots[1]].map(|root| {
            let mut found = digests(&write(&spec(format.clone()), root));
            // The identity in it names the output folder; all else in it is digests.
            found.remove("manifest.json");
            found
        });
        assert!(a.len() >= 4, "{format:?}: {a:?}");
        for name in a.keys().chain(b.keys()) {
            if a.get(name) != b.get(name) {
                differing.push(format!("{format:?}: {name}"));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// A file system image, mounted; unmounted when it is dropped.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(image: &Path) -> Mount {
        let dir = tempfile::tempdir().unwrap();
        duct::cmd!("mount", "-o", "loop,ro", image, dir.path())
            .run()
            .unwrap();
        Mount(dir)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = duct::cmd!("umount", self.0.path()).run();
    }
}

/// What has to come out of any format that holds it.
fn holds_the_root(tree: &Path, capabilities: bool) {
    let read = |name: &str| fs::read_to_string(tree.join(name)).unwrap();
    assert_eq!(read("etc/one"), "one\n");
    assert!(!tree.join("var/cache/junk").exists());
    let top = fs::metadata(tree).unwrap();
    assert_eq!(top.mode() & 0o7777, 0o751);
    let two = fs::metadata(tree.join("etc/two")).unwrap();
    assert_eq!(
        (two.mode() & 0o7777, two.uid(), two.gid()),
        (0o4640, 1234, 99)
    );
    let one = fs::metadata(tree.join("etc/one")).unwrap();
    assert_eq!((one.nlink(), one.mtime()), (2, TIME.cast_signed()));
    let three = fs::metadata(tree.join("etc/three")).unwrap();
    assert!(three.mtime() < one.mtime(), "an earlier time is kept");
    assert_eq!(
        fs::read_link(tree.join("bin/sh")).unwrap(),
        Path::new("busybox")
    );
    let null = fs::metadata(tree.join("dev/null")).unwrap();
    assert_eq!(null.rdev(), rustix::fs::makedev(1, 3));
    if capabilities {
        let found = duct::cmd!("getcap", tree.join("bin/ping")).read().unwrap();
        assert!(found.contains("cap_net_raw=ep"), "{found}");
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn images_hold_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/root");
    make_root(&root, &["one", "two", "three", "four"]);
    for format in [
        Format::Squashfs {
            compression: Compression::Zstd,
        },
        Format::Erofs {
            compression: Compression::Lz4hc,
        },
        Format::Ext4 { size: None },
        Format::Ext4 {
            size: Some(128 << 20),
        },
    ] {
        let bundle = write(&spec(format.clone()), &root);
        let image = bundle.join(format.artifact());
        if let Format::Ext4 { size } = format {
            duct::cmd!("e2fsck", "-fn", &image)
                .stdout_null()
                .stderr_null()
                .run()
                .unwrap();
            if let Some(size) = size {
                assert_eq!(fs::metadata(&image).unwrap().len(), size);
            }
        }
        let mount = Mount::new(&image);
        holds_the_root(mount.0.path(), true);
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_initramfs_unpacks_to_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/root");
    make_root(&root, &["one", "two", "three", "four"]);
    let bundle = write(
        &spec(Format::Cpio {
            compression: Compression::Gzip,
        }),
        &root,
    );
    let to = tempfile::tempdir().unwrap();
    fs::set_permissions(to.path(), Permissions::from_mode(0o751)).unwrap();
    duct::cmd!("gzip", "-dc", bundle.join("root.cpio.gz"))
        .pipe(duct::cmd!("cpio", "-idm", "--quiet").dir(to.path()))
        .run()
        .unwrap();
    holds_the_root(to.path(), false);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_image_of_a_container_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/root");
    make_root(&root, &["one", "two", "three", "four"]);
    for archive in [false, true] {
        let bundle = write(&spec(oci(archive)), &root);
        let source = match archive {
            true => format!("oci-archive:{}", bundle.join("image.tar").display()),
            false => format!("oci:{}:latest", bundle.join("image").display()),
        };
        let config = duct::cmd!("skopeo", "inspect", "--config", &source)
            .read()
            .unwrap();
        let config: serde_json::Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["architecture"], "amd64");
        assert_eq!(config["config"]["Cmd"][0], "/bin/sh");
        let copy = tempfile::tempdir().unwrap();
        let to = format!("dir:{}", copy.path().join("x").display());
        duct::cmd!("skopeo", "--insecure-policy", "copy", "-q", &source, &to)
            .run()
            .unwrap();
        let manifest = fs::read(copy.path().join("x/manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let tree = tempfile::tempdir().unwrap();
        let blob = copy
            .path()
            .join("x")
            .join(layer.trim_start_matches("sha256:"));
        duct::cmd!(
            "tar",
            "-xpzf",
            blob,
            "-C",
            tree.path(),
            "--numeric-owner",
            "--xattrs",
            "--xattrs-include=*"
        )
        .run()
        .unwrap();
        holds_the_root(tree.path(), true);
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_is_beside_is_filled_in_and_opens() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a/root");
    make_root(&root, &["one", "two", "three", "four"]);
    let export = Export {
        served: Served {
            server: Some("192.0.2.1".into()),
            ..Served::default()
        },
        ..spec(Format::Squashfs {
            compression: Compression::Gzip,
        })
    };
    let bundle = write(&export, &root);
    let read = |name: &str| fs::read_to_string(bundle.join(name)).unwrap();
    assert_eq!(
        read("cmdline"),
        "root=live:http://192.0.2.1/node/root.squashfs\n"
    );
    assert_eq!(
        read("boot.ipxe"),
        "kernel http://192.0.2.1/node/vmlinuz root=live:http://192.0.2.1/node/root.squashfs node node\n"
    );
    let opened = OpenedExport::open(&bundle).unwrap();
    assert_eq!(opened.transport(), Some(Transport::Http));
    assert_eq!(opened.kernel, Some(bundle.join("vmlinuz")));
    assert_eq!(opened.artifact, bundle.join("root.squashfs"));
    assert_eq!(
        opened.cmdline_for("", "http://10.0.2.2:8080/").unwrap(),
        "root=live:http://10.0.2.2:8080/root.squashfs"
    );
    fs::remove_file(bundle.join("root.squashfs")).unwrap();
    let error = OpenedExport::open(&bundle).unwrap_err().to_string();
    assert_eq!(error, format!("`{}` is no export", bundle.display()));
}

fn manifest(bundle: &Path) -> Manifest {
    serde_json::from_slice(&fs::read(bundle.join("manifest.json")).unwrap()).unwrap()
}

const STEPS: &str = r#"
let root = bootstrap(#{ distro: "tiny" });
root.write_file("/etc/one", "1");
root.nspawn_run("mkdir -p /srv/old /srv/kept && echo x >/srv/old/x && echo y >/srv/kept/y && echo z >/srv/kept/z && ln -s busybox /bin/mv");
root.nspawn_run("mv /srv/old /srv/new && rm /srv/kept/y && echo 2 >/etc/one");
root.nspawn_run("rm -r /srv/kept && echo file >/srv/kept && mkdir /tmp/junk && echo j >/tmp/junk/j");
root.nspawn_run("true");
root.export(#{ format: "oci", name: "image", layers: "steps", compress: "none", exclude: ["tmp/junk"] });
root.export(#{ format: "dir", name: "tree", exclude: ["tmp/junk"] });
"#;

#[test]
#[ignore = "run with tests/run tiny"]
fn layers_that_follow_the_steps_add_up_to_the_root() {
    let project = Project::new();
    project.recipe(STEPS).build().success();
    let image = project.out().join("image/image");
    let source = format!("oci:{}:latest", image.display());
    let config = duct::cmd!("skopeo", "inspect", "--config", &source)
        .read()
        .unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let count = config["rootfs"]["diff_ids"].as_array().unwrap().len();
    assert_eq!(config["history"].as_array().unwrap().len(), count);
    // A file step joins the command after it, and the step that changes nothing has none.
    assert_eq!(count, 4, "{config:#}");
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(image.join("index.json")).unwrap()).unwrap();
    let blob = |digest: &serde_json::Value| {
        image
            .join("blobs/sha256")
            .join(digest.as_str().unwrap().trim_start_matches("sha256:"))
    };
    let manifest = fs::read(blob(&index["manifests"][0]["digest"])).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let tree = tempfile::tempdir().unwrap();
    for layer in manifest["layers"].as_array().unwrap() {
        apply(&blob(&layer["digest"]), tree.path());
    }
    let list = |dir: &Path| {
        let found = duct::cmd!(
            "find",
            ".",
            "-mindepth",
            "1",
            "-printf",
            "%p %y %m %U %G %l\\n"
        )
        .dir(dir)
        .read()
        .unwrap();
        let mut lines: Vec<String> = found.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(list(tree.path()), list(&project.out().join("tree/root")));
    assert_eq!(
        fs::read_to_string(tree.path().join("etc/one")).unwrap(),
        "2\n"
    );
}

/// As the image specification says layers are applied.
fn apply(layer: &Path, tree: &Path) {
    let names = duct::cmd!("tar", "-tf", layer).read().unwrap();
    for name in names.lines() {
        let path = tree.join(name);
        let Some(gone) = path
            .file_name()
            .unwrap_or_default()
            .to_str()
            .unwrap()
            .strip_prefix(".wh.")
        else {
            // What is no directory replaces one.
            if path.is_dir() && !name.ends_with('/') {
                fs::remove_dir_all(&path).unwrap();
            }
            continue;
        };
        let gone = path.with_file_name(gone);
        match fs::symlink_metadata(&gone).unwrap().is_dir() {
            true => fs::remove_dir_all(gone).unwrap(),
            false => fs::remove_file(gone).unwrap(),
        }
    }
    duct::cmd!(
        "tar",
        "-xpf",
        layer,
        "-C",
        tree,
        "--numeric-owner",
        "--exclude=.wh.*"
    )
    .run()
    .unwrap();
}

#[test]
#[ignore = "run with tests/run tiny"]
fn an_unchanged_export_is_not_written_again() {
    let project = Project::new();
    let recipe = |text: &str, exclude: &str| {
        text!(
            r#"let root = bootstrap(#{ distro: "tiny" });
root.write_file("/etc/one", "{text}");
root.export(#{ format: "squashfs", name: "image", exclude: [{exclude}] });
root.export(#{ format: "nfs", name: "nodes" });
"#,
            text,
            exclude
        )
    };
    let image = project.out().join("image");
    let inode = |path: &Path| fs::metadata(path).unwrap().ino();
    project.recipe(recipe("1", "")).build().success();
    let first = inode(&image);
    assert_eq!(
        manifest(&image).files["root.squashfs"].size,
        fs::metadata(image.join("root.squashfs")).unwrap().len()
    );

    project.recipe(recipe("1", "")).build().success();
    assert_eq!(inode(&image), first, "written again");
    assert_eq!(
        fs::read_dir(project.out().join("nodes")).unwrap().count(),
        4
    );

    // Another spec, another root, a file that was touched, one that is gone.
    project
        .recipe(recipe("1", r#""etc/none""#))
        .build()
        .success();
    let second = inode(&image);
    assert_ne!(second, first);
    project
        .recipe(recipe("2", r#""etc/none""#))
        .build()
        .success();
    let third = inode(&image);
    assert_ne!(third, second);
    assert!(project.out().join("nodes/2/root").exists());
    fs::write(image.join("root.squashfs"), "broken").unwrap();
    project
        .recipe(recipe("2", r#""etc/none""#))
        .build()
        .success();
    assert_ne!(inode(&image), third);
    let fourth = inode(&image);
    fs::remove_file(image.join("root.squashfs")).unwrap();
    project
        .recipe(recipe("2", r#""etc/none""#))
        .build()
        .success();
    assert_ne!(inode(&image), fourth);
    // The older root is still there as a version, and becomes the current one again.
    project
        .recipe(recipe("1", r#""etc/none""#))
        .build()
        .success();
    assert_eq!(
        fs::read_link(project.out().join("nodes/current")).unwrap(),
        Path::new("1")
    );
    assert!(!project.out().join("nodes/3").exists());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn two_builds_from_nothing_give_the_same_bytes() {
    let mut recipe = String::from(
        r#"let root = bootstrap(#{ distro: "tiny" });
root.write_file("/etc/one", "1");
root.nspawn_run("mkdir -p /srv/a && echo x >/srv/a/x && rm /bin/pwd");
"#,
    );
    for format in ["tar", "squashfs", "erofs", "cpio", "ext4", "oci"] {
        recipe += &text!(
            r#"root.export(#{ format: "{format}", name: "{format}" });
"#,
            format
        );
    }
    recipe += r#"root.export(#{ format: "oci", name: "oci-steps", layers: "steps", archive: true });
"#;
    let [a, b] = [Project::new(), Project::new()].map(|project| {
        project.recipe(&recipe).build().success();
        let mut found = digests(&project.out());
        // The identity in it names the output folder.
        found.retain(|name, _| !name.ends_with("manifest.json"));
        found
    });
    assert!(a.len() >= 12, "{a:?}");
    let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differing: Vec<_> = names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .collect();
    assert!(differing.is_empty(), "{differing:?}");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_time_that_the_root_does_not_say_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let in_root = |_: &Command| Ok("soon\n".to_owned());
    let job = ExportJob {
        plan: &plan(),
        root: ExportRoot::folder(dir.path()),
        out: &dir.path().join("out"),
        staging: dir.path(),
        in_root: &in_root,
        identity: &Key::of(&[b"a root"]),
        layers: &[],
    };
    let export = Export {
        times: Times::Newest {
            command: ["date"].into_iter().collect(),
        },
        ..spec(oci(true))
    };
    let report = rootwright::diagnose::Report::from(export::write(&export, &job).unwrap_err());
    assert_eq!(report.code, "export::time");
    assert_eq!(
        report.message,
        "the time that times are clamped to is not known: `soon` is no number"
    );
    assert_eq!(
        report.help.first().map(String::as_str),
        Some("the distro module sets the command: it has to print seconds since 1970")
    );
    assert!(!dir.path().join("out/node").exists());
}
