//! Versions of an `nfs` export: what they share, who keeps them, and clients that read
//! while versions are switched. Needs root privileges and nfs-ganesha.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rootwright::diagnose::Report;
use rootwright::export::in_use::{InUse, Sources};
use rootwright::export::{self, OpenedExport, Shelf};
use rootwright::export::{ExportJob, ExportRoot};
use rootwright::plan::*;

use crate::support::mount::Mount;
use crate::support::{Project, wait_for};

struct Site {
    dir: tempfile::TempDir,
}

impl Site {
    fn new() -> Site {
        Site::at(tempfile::tempdir().unwrap())
    }

    fn at(dir: tempfile::TempDir) -> Site {
        fs::create_dir_all(dir.path().join("staging")).unwrap();
        fs::create_dir_all(dir.path().join("root/etc")).unwrap();
        fs::create_dir_all(dir.path().join("root/proc")).unwrap();
        fs::write(dir.path().join("root/etc/kept"), "the same\n").unwrap();
        fs::write(dir.path().join("root/kernel"), "0").unwrap();
        Site { dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn shelf(&self) -> PathBuf {
        self.dir.path().join("out/nodes")
    }

    fn export_as(&self, format: Format, identity: &str) -> Result<PathBuf, Report> {
        let text = |name: &str, text: &str| ServerText::parse(name.into(), text, &BTreeMap::new());
        let export = Export {
            name: "nodes".into(),
            format,
            exclude: Vec::new(),
            kernel: vec!["/kernel".into()],
            initramfs: Vec::new(),
            cmdline: Some("root=nfs4:SERVER:PATH:vers=4.1,ro".into()),
            cmdline_command: None,
            packages: None,
            times: Times::Kept,
            served: Served::default(),
            texts: vec![
                text(
                    "ganesha.conf",
                    include_str!("../../../stdlib/export/ganesha.conf"),
                ),
                text("exports", include_str!("../../../stdlib/export/exports")),
                text("grub.cfg", include_str!("../../../stdlib/export/grub.cfg")),
            ],
        };
        let plan = serde_json::from_value(serde_json::json!({
            "schema": SCHEMA_VERSION, "rootwright": "0",
            "recipe": { "path": "r.rhai", "title": "", "description": "" },
            "options": [], "inputs": [], "assumptions": [], "messages": [],
            "needs": [], "roots": [], "steps": [],
        }))
        .unwrap();
        let in_root = |_: &rootwright::plan::Command| Ok(String::new());
        let root = self.root();
        let job = ExportJob {
            plan: &plan,
            root: ExportRoot::folder(&root),
            out: &self.dir.path().join("out"),
            staging: &self.dir.path().join("staging"),
            in_root: &in_root,
            identity: &Key::of(&[identity.as_bytes()]),
            layers: &[],
        };
        export::write(&export, &job).map_err(Report::from)
    }

    fn export(&self, keep: Option<u32>, identity: &str) -> PathBuf {
        self.export_as(nfs(keep, None), identity).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let versions = Shelf::open(&self.shelf()).unwrap().versions().unwrap();
        versions.into_iter().map(|version| version.name).collect()
    }
}

fn nfs(keep: Option<u32>, version: Option<&str>) -> Format {
    Format::Nfs {
        keep,
        version: version.map(str::to_owned),
        share: Share::Links,
    }
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_version_shares_what_has_not_changed_and_nothing_else() {
    let site = Site::new();
    let root = site.root();
    for name in [
        "content",
        "mode",
        "time",
        "attribute",
        "linked",
        "with space",
        "with\\slash",
    ] {
        fs::write(root.join("etc").join(name), "before\n").unwrap();
    }
    fs::hard_link(root.join("etc/linked"), root.join("etc/linked.2")).unwrap();
    let one = site.export(None, "1");
    let old = fs::metadata(root.join("etc/content"))
        .unwrap()
        .modified()
        .unwrap();
    let folder = fs::metadata(root.join("etc")).unwrap().modified().unwrap();
    // The same size and the same time: only the bytes differ.
    fs::write(root.join("etc/content"), "after!\n").unwrap();
    File::options()
        .append(true)
        .open(root.join("etc/content"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    duct::cmd!("chmod", "0600", root.join("etc/mode"))
        .run()
        .unwrap();
    duct::cmd!("touch", root.join("etc/time")).run().unwrap();
    duct::cmd!("setcap", "cap_net_raw+ep", root.join("etc/attribute"))
        .run()
        .unwrap();
    let two = site.export(None, "2");
    let same = |name: &str| {
        inode(&one.join("root/etc").join(name)) == inode(&two.join("root/etc").join(name))
    };
    assert!(same("kept") && same("with space"));
    for name in [
        "content",
        "mode",
        "time",
        "attribute",
        "linked",
        "with\\slash",
    ] {
        assert!(!same(name), "{name} is shared");
    }
    assert_eq!(
        inode(&two.join("root/etc/linked")),
        inode(&two.join("root/etc/linked.2"))
    );
    assert_eq!(
        fs::metadata(two.join("root/etc"))
            .unwrap()
            .modified()
            .unwrap(),
        folder
    );
    assert_eq!(
        fs::read_to_string(one.join("root/etc/content")).unwrap(),
        "before\n"
    );
    assert_eq!(
        fs::read_to_string(two.join("root/etc/content")).unwrap(),
        "after!\n"
    );
    let attribute = duct::cmd!("getcap", two.join("root/etc/attribute"))
        .read()
        .unwrap();
    assert!(attribute.contains("cap_net_raw"), "{attribute}");
    let read = |name: &str| fs::read_to_string(two.join(name)).unwrap();
    let shelf = site.shelf();
    assert_eq!(
        read("cmdline"),
        format!(
            "root=nfs4:SERVER:{}/2/tree/root:vers=4.1,ro\n",
            shelf.display()
        )
    );
    assert!(read("exports").ends_with(&format!(
        "\"{}\" @CLIENTS@(ro,no_root_squash,no_subtree_check)\n",
        shelf.display()
    )));
    assert!(read("grub.cfg").contains("linux /nodes/2/vmlinuz root=nfs4:"));
    let opened = OpenedExport::open(&shelf).unwrap();
    assert_eq!(opened.path, fs::canonicalize(&two).unwrap());
    assert_eq!(opened.manifest.version.as_deref(), Some("2"));
    assert_eq!(opened.transport(), Some(Transport::Nfs));
    assert_eq!(
        opened.cmdline_for("10.0.2.2:/x", "").unwrap(),
        "root=nfs4:10.0.2.2:/x:vers=4.1,ro"
    );
}

/// A file system in a file, where blocks can be shared.
struct Disk {
    mount: Mount,
    _dir: tempfile::TempDir,
}

impl Disk {
    fn new() -> Disk {
        let dir = tempfile::tempdir().unwrap();
        let (image, at) = (dir.path().join("image"), dir.path().join("at"));
        File::create(&image).unwrap().set_len(400 << 20).unwrap();
        fs::create_dir(&at).unwrap();
        duct::cmd!("mkfs.xfs", "-q", &image).run().unwrap();
        duct::cmd!("mount", "-o", "loop", &image, &at)
            .run()
            .unwrap();
        Disk {
            mount: Mount(at),
            _dir: dir,
        }
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn blocks_are_shared_where_the_file_system_can() {
    let disk = Disk::new();
    let site = Site::at(tempfile::tempdir_in(disk.mount.path()).unwrap());
    fs::write(site.root().join("etc/large"), vec![7; 8 << 20]).unwrap();
    duct::cmd!("setcap", "cap_net_raw+ep", site.root().join("etc/large"))
        .run()
        .unwrap();
    let one = site.export(None, "1");
    // A file of the root with blocks of its own: only the version before can be shared with.
    let copy = site.root().join("etc/copy");
    duct::cmd!(
        "cp",
        "--archive",
        "--preserve=xattr",
        "--reflink=never",
        site.root().join("etc/large"),
        &copy
    )
    .run()
    .unwrap();
    fs::rename(&copy, site.root().join("etc/large")).unwrap();
    let two = site.export(None, "2");
    let large = |version: &Path| version.join("root/etc/large");
    assert_ne!(inode(&large(&one)), inode(&large(&two)));
    let map = |version: &Path| {
        let output = duct::cmd!("filefrag", "-v", large(version)).read().unwrap();
        let lines: Vec<String> = output
            .lines()
            .filter(|line| line.contains(".."))
            .map(|line| line.split(':').nth(2).unwrap().to_owned())
            .collect();
        assert!(!lines.is_empty(), "{output}");
        lines
    };
    assert_eq!(map(&one), map(&two));
    let same = |m: fs::Metadata| (m.mode(), m.uid(), m.mtime(), m.mtime_nsec(), m.len());
    assert_eq!(
        same(fs::metadata(large(&two)).unwrap()),
        same(fs::metadata(site.root().join("etc/large")).unwrap())
    );
    let attribute = duct::cmd!("getcap", large(&two)).read().unwrap();
    assert!(attribute.contains("cap_net_raw"), "{attribute}");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn versions_are_switched_kept_and_removed() {
    let site = Site::new();
    for number in 1..=4 {
        fs::write(site.root().join("etc/number"), number.to_string()).unwrap();
        site.export(None, &number.to_string());
    }
    let shelf = Shelf::open(&site.shelf()).unwrap();
    assert_eq!(shelf.current().as_deref(), Some("4"));
    assert_eq!(shelf.rollback(None).unwrap(), "3");
    assert_eq!(shelf.rollback(Some("1")).unwrap(), "1");
    let current = fs::read_to_string(site.shelf().join("current/root/etc/number")).unwrap();
    assert_eq!(current, "1");
    let error = Report::from(shelf.rollback(None).unwrap_err());
    assert_eq!(
        error.message,
        format!(
            "`{}` has no version before the current one",
            site.shelf().display()
        )
    );
    assert_eq!(error.cause.as_deref(), Some("there is 1, 2, 3, 4"));
    let error = shelf.rollback(Some("9")).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("`{}` has no version `9`", site.shelf().display())
    );

    // The current one stays, however old.
    let pruned = shelf.prune(&[], 2, &Sources::default()).unwrap();
    assert_eq!(pruned.removed, ["2"]);
    assert_eq!(site.names(), ["1", "3", "4"]);
    let named = |name: &str| shelf.prune(&[name.to_owned()], 0, &Sources::default());
    let error = Report::from(named("1").unwrap_err());
    assert_eq!(error.code, "export::in_use");
    assert_eq!(error.cause.as_deref(), Some("it is the current version"));
    fs::write(
        site.shelf().join("3/in-use.rack12"),
        "rack 12, until Friday\n",
    )
    .unwrap();
    let error = Report::from(named("3").unwrap_err());
    assert_eq!(
        error.message,
        format!(
            "the version `{}` is in use and stays",
            site.shelf().join("3").display()
        )
    );
    assert_eq!(
        error.cause.as_deref(),
        Some("the file `in-use.rack12` beside it says: rack 12, until Friday")
    );
    assert_eq!(named("4").unwrap().removed, ["4"]);

    // A number is never given twice; what the recipe keeps, not counting what is in use.
    let five = site.export(Some(1), "5");
    assert_eq!(five, site.shelf().join("5"));
    assert_eq!(site.names(), ["3", "5"]);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_version_is_never_changed() {
    let site = Site::new();
    let path = site.export_as(nfs(None, Some("autumn")), "1").unwrap();
    assert_eq!(path, site.shelf().join("autumn"));
    fs::write(site.root().join("etc/new"), "").unwrap();
    let error = site.export_as(nfs(None, Some("autumn")), "2").unwrap_err();
    assert_eq!(error.code, "export::version_taken");
    assert!(!path.join("root/etc/new").exists());
    // Nor is a folder of versions replaced by an export of another form, or the reverse.
    let error = site.export_as(Format::Dir, "3").unwrap_err();
    assert_eq!(error.code, "export::other_form");
    assert_eq!(
        error.message,
        format!(
            "`{}` is an export of another form and stays as it is",
            site.shelf().display()
        )
    );
    fs::rename(site.shelf(), site.dir.path().join("away")).unwrap();
    site.export_as(Format::Dir, "3").unwrap();
    let error = site.export_as(nfs(None, None), "4").unwrap_err();
    assert_eq!(error.code, "export::other_form");
    let error = Report::from(Shelf::open(&site.shelf()).unwrap_err());
    assert_eq!(error.code, "export::no_versions");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_the_kernel_server_says_counts() {
    let site = Site::new();
    for number in ["1", "2", "3"] {
        fs::write(site.root().join("etc/number"), number).unwrap();
        site.export(None, number);
    }
    let fake = tempfile::tempdir().unwrap();
    let sources = Sources {
        proc: fake.path().to_owned(),
        rmtab: fake.path().join("rmtab"),
    };
    let used = || {
        let paths = ["1", "2", "3"].map(|name| site.shelf().join(name));
        let in_use = InUse::look(&paths.each_ref().map(PathBuf::as_path), &sources);
        paths.map(|path| in_use.by(&path))
    };
    assert_eq!(used(), [None, None, None]);
    let number = fs::metadata(site.shelf().join("2/root/etc/number")).unwrap();
    let (major, minor) = (
        rustix::fs::major(number.dev()),
        rustix::fs::minor(number.dev()),
    );
    let client = fake.path().join("fs/nfsd/clients/7");
    fs::create_dir_all(&client).unwrap();
    fs::write(
        client.join("info"),
        r#"clientid: 0x1
address: "192.0.2.7:800"
"#,
    )
    .unwrap();
    // As Linux 6.1 writes it.
    let state = format!(
        "- 0x01: {{ type: open, access: r-, deny: --, superblock: \"{major:02x}:{minor:02x}:{}\", filename: \"number\", owner: \"open id:\\x00\" }}\n",
        number.ino()
    );
    fs::write(client.join("states"), state).unwrap();
    let open = "192.0.2.7:800 holds files of it open over NFS".to_owned();
    assert_eq!(used(), [None, Some(open), None]);
    fs::remove_dir_all(client).unwrap();
    let path = fs::canonicalize(site.shelf().join("3/root")).unwrap();
    fs::write(
        &sources.rmtab,
        format!("2001:db8::9:{}:0x00000001\n", path.display()),
    )
    .unwrap();
    let mounted = format!(
        "2001:db8::9 has mounted it over NFS ({})",
        sources.rmtab.display()
    );
    assert_eq!(used(), [None, None, Some(mounted)]);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn processes_and_mounts_of_this_host_count() {
    let site = Site::new();
    for number in ["1", "2", "3"] {
        fs::write(site.root().join("etc/number"), number).unwrap();
        site.export(None, number);
    }
    let shelf = Shelf::open(&site.shelf()).unwrap();
    let mut child = Command::new("sleep")
        .arg("60")
        .current_dir(site.shelf().join("1/root/etc"))
        .spawn()
        .unwrap();
    let at = site.dir.path().join("at");
    fs::create_dir(&at).unwrap();
    duct::cmd!("mount", "--bind", site.shelf().join("2/root"), &at)
        .run()
        .unwrap();
    let pruned = shelf.prune(&[], 1, &Sources::default());
    duct::cmd!("umount", &at).run().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let mut kept = pruned.unwrap().kept;
    kept.sort();
    assert_eq!(
        kept[0],
        (
            "1".to_owned(),
            format!("the process {} (sleep) has files of it open", child.id())
        )
    );
    assert_eq!(kept[1].0, "2");
    assert!(kept[1].1.starts_with("it is mounted at "), "{}", kept[1].1);
    assert_eq!(
        shelf.prune(&[], 1, &Sources::default()).unwrap().removed,
        ["1", "2"]
    );
}

/// A server that opens files by handle may know them by another path.
#[test]
#[ignore = "run with tests/run tiny"]
fn files_that_are_open_by_another_path_count() {
    let site = Site::new();
    site.export(None, "1");
    site.export(None, "2");
    let file = fs::File::open(site.shelf().join("1/root/etc")).unwrap();
    let at = site.shelf().parent().unwrap().join("elsewhere");
    fs::create_dir(&at).unwrap();
    duct::cmd!("mount", "--bind", site.shelf(), &at)
        .run()
        .unwrap();
    let mut server = Command::new("sleep")
        .arg("600")
        .stdin(file)
        .spawn()
        .unwrap();
    let shelf = Shelf::open(&at).unwrap();
    let refused = shelf.prune(&["1".to_owned()], 0, &Sources::default());
    server.kill().unwrap();
    server.wait().unwrap();
    let free = shelf.prune(&["1".to_owned()], 0, &Sources::default());
    // A program that another test starts at this moment may hold it for an instant.
    duct::cmd!("umount", "--lazy", &at).run().unwrap();
    let report = Report::from(refused.unwrap_err());
    assert_eq!(report.code, "export::in_use");
    assert!(
        report
            .cause
            .clone()
            .unwrap()
            .contains("(sleep) has files of it open")
    );
    assert_eq!(free.unwrap().removed, ["1"]);
}

/// nfs-ganesha on the loopback, with the export's own block.
struct Ganesha {
    child: Child,
    port: u16,
    _work: tempfile::TempDir,
}

impl Ganesha {
    fn new(block: &str) -> Ganesha {
        for _ in 0..3 {
            let port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
            let work = tempfile::tempdir().unwrap();
            fs::create_dir(work.path().join("recovery")).unwrap();
            let at = work.path().display();
            let text = text!(
                r#"NFS_CORE_PARAM { Protocols = 4; NFS_Port = {port}; Bind_addr = 127.0.0.1; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }
NFSv4 { Graceless = true; RecoveryRoot = "{at}/recovery"; Only_Numeric_Owners = true; Delegations = false; }
NFS_KRB5 { Active_krb5 = false; }
{block}"#,
                port,
                at,
                block
            );
            fs::write(work.path().join("conf"), text).unwrap();
            let child = Command::new("ganesha.nfsd")
                .args(["-F", "-f"])
                .arg(work.path().join("conf"))
                .arg("-L")
                .arg(work.path().join("log"))
                .arg("-p")
                .arg(work.path().join("pid"))
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let ganesha = Ganesha {
                child,
                port,
                _work: work,
            };
            // Somebody else may have got the port meanwhile: another is tried then.
            let until = Instant::now() + Duration::from_secs(20);
            while Instant::now() < until {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return ganesha;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("nfs-ganesha does not listen");
    }

    /// A client in user space.
    fn cat(&self, path: &Path) -> Command {
        let mut command = Command::new("nfs-cat");
        command.arg(format!(
            "nfs://127.0.0.1{}?version=4&nfsport={}",
            path.display(),
            self.port
        ));
        command.stderr(Stdio::null());
        command
    }
}

impl Drop for Ganesha {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const FILES: usize = 5;

fn stamp(site: &Site, number: usize) {
    for file in 0..FILES {
        fs::write(
            site.root().join(format!("etc/stamp{file}")),
            number.to_string(),
        )
        .unwrap();
    }
    fs::write(site.root().join("kernel"), number.to_string()).unwrap();
}

#[test]
#[ignore = "run with tests/run tiny"]
fn nobody_sees_a_mixed_tree_while_versions_are_switched() {
    let site = Site::new();
    stamp(&site, 1);
    let first = site.export(None, "1");
    let ganesha = Ganesha::new(&fs::read_to_string(first.join("ganesha.conf")).unwrap());
    let done = AtomicBool::new(false);
    let begun = AtomicUsize::new(0);
    let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
    // A node: gets the boot text of what is current, then reads what that names, over NFS.
    let node = || {
        let mut boots = 0;
        while !done.load(Ordering::Relaxed) {
            begun.fetch_add(1, Ordering::Relaxed);
            let cmdline = fs::read_to_string(site.shelf().join("current/cmdline")).unwrap();
            let root = cmdline.split(':').nth(2).unwrap().to_owned();
            let read = |path: PathBuf| {
                let output = ganesha.cat(&path).output().unwrap();
                assert!(
                    output.status.success(),
                    "{}: {}",
                    path.display(),
                    output.status
                );
                String::from_utf8(output.stdout).unwrap()
            };
            let root = PathBuf::from(root);
            let version = root.ancestors().nth(2).unwrap();
            let mut stamps = vec![read(version.join("vmlinuz"))];
            stamps.extend((0..FILES).map(|file| read(root.join(format!("etc/stamp{file}")))));
            stamps.dedup();
            assert_eq!(stamps.len(), 1, "a mixed tree: {stamps:?}");
            assert_eq!(
                version.file_name().unwrap().to_str(),
                Some(stamps[0].as_str())
            );
            seen.lock().unwrap().insert(stamps.remove(0));
            boots += 1;
        }
        boots
    };
    std::thread::scope(|scope| {
        let nodes: Vec<_> = (0..12).map(|_| scope.spawn(node)).collect();
        let shelf = Shelf::open(&site.shelf()).unwrap();
        // As many boots have begun since as there are clients.
        let some_boot = || {
            let before = begun.load(Ordering::Relaxed);
            wait_for("clients to boot", || {
                begun.load(Ordering::Relaxed) >= before + 12
            });
        };
        for number in 2..=9 {
            stamp(&site, number);
            site.export(None, &number.to_string());
            some_boot();
            shelf.rollback(None).unwrap();
            some_boot();
            shelf.rollback(Some(&number.to_string())).unwrap();
            shelf.prune(&[], 6, &Sources::default()).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for node in nodes {
            // Each of them has booted while versions came and went.
            let boots = node.join().unwrap();
            assert!(boots >= 2, "a client booted {boots} times only");
        }
    });
    let seen = seen.into_inner().unwrap();
    assert!(seen.len() >= 4, "the clients saw {seen:?} only");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_version_that_a_client_reads_stays() {
    let site = Site::new();
    fs::write(site.root().join("etc/large"), vec![b'x'; 64 << 20]).unwrap();
    let first = site.export(None, "1");
    let ganesha = Ganesha::new(&fs::read_to_string(first.join("ganesha.conf")).unwrap());
    fs::remove_file(site.root().join("etc/large")).unwrap();
    site.export(None, "2");
    // It has read the beginning, and nobody takes the rest from it.
    let mut client = ganesha
        .cat(&first.join("root/etc/large"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 4096];
    client
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut start)
        .unwrap();
    let shelf = Shelf::open(&site.shelf()).unwrap();
    let refused = shelf.prune(&["1".to_owned()], 0, &Sources::default());
    client.kill().unwrap();
    client.wait().unwrap();
    let report = Report::from(refused.unwrap_err());
    assert_eq!(report.code, "export::in_use");
    let cause = report.cause.clone().unwrap();
    assert!(cause.contains("ganesha"), "{cause}");
    assert!(first.join("root/etc/large").exists());
    drop(ganesha);
    assert_eq!(
        shelf
            .prune(&["1".to_owned()], 0, &Sources::default())
            .unwrap()
            .removed,
        ["1"]
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_command_line_looks_after_them() {
    let project = Project::new();
    for number in ["1", "2", "3"] {
        let recipe = text!(
            r#"let root = bootstrap(#{ distro: "tiny" });
root.write_file("/etc/n", "{number}");
root.export(#{ format: "nfs", name: "nodes" });
"#,
            number
        );
        project.recipe(&recipe).build().success();
    }
    let run = |words: &[&str]| {
        let mut command = crate::support::rootwright();
        command
            .current_dir(project.path())
            .arg("export")
            .args(words);
        command.output().unwrap()
    };
    let rolled = run(&["rollback", "nodes"]);
    assert_eq!(
        crate::support::stderr(&rolled),
        "nodes: 2 is the current version\n"
    );
    let pruned = run(&["prune", "nodes", "--keep", "1"]);
    assert_eq!(
        crate::support::stderr(&pruned),
        "nodes: removed version 1\n"
    );
    let listed = run(&["ls", "nodes"]);
    assert_eq!(
        crate::support::stdout(&listed),
        "VERSION           KERNEL  PACKAGES  IN USE\n2        current  -       1         -\n3                 -       1         -\n"
    );
    let listed = run(&["ls"]);
    assert_eq!(
        crate::support::stdout(&listed),
        "NAME   FORMAT  KERNEL  VERSIONS\nnodes  nfs     -       2 versions\n"
    );
    let refused = run(&["prune", "nodes", "2"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        crate::support::stderr(&refused).contains("it is the current version"),
        "{}",
        crate::support::stderr(&refused)
    );
    assert_eq!(run(&["prune", "nodes"]).status.code(), Some(2));
}
