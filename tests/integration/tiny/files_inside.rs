//! File operations stay inside of the root, and say what is wrong. Needs root privileges.

// Helpers outside of test functions unwrap too.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rootwright::diagnose::Report;
use rootwright::plan::digest::digest_tree;
use rootwright::plan::*;
use rootwright::run::files::{self, FetchLimits, FileContext};
use tempfile::TempDir;

use crate::support::mount::Mount;

/// Knows the secret `token`.
struct OneSecret;

impl Resolve for OneSecret {
    fn path(&self, _: &Part) -> Option<String> {
        None
    }

    fn secret(&self, name: &str) -> Option<&[u8]> {
        (name == "token").then_some(b"hunter2")
    }
}

struct Fixture {
    dir: TempDir,
    /// What is copied, by its digest.
    sources: RefCell<BTreeMap<String, PathBuf>>,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        for name in ["root/etc", "root/usr/lib", "store", "host"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        symlink("usr/lib", dir.path().join("root/lib")).unwrap();
        fs::write(
            dir.path().join("root/etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nwww-data:x:4033:4034::/:/bin/sh\n",
        )
        .unwrap();
        fs::write(
            dir.path().join("root/etc/group"),
            "root:x:0:\nadmins:x:4035:\n",
        )
        .unwrap();
        fs::write(dir.path().join("host/passwd"), "host\n").unwrap();
        Fixture {
            dir,
            sources: RefCell::default(),
        }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    fn host(&self) -> PathBuf {
        self.dir.path().join("host")
    }

    /// Where the store keeps a download.
    fn stored(&self, sha256: &str) -> PathBuf {
        self.dir.path().join("store/fetch/sha256").join(sha256)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::symlink_metadata(self.at(path)).unwrap().mode() & 0o7777
    }

    fn try_apply(&self, op: Op) -> Result<(), Report> {
        let source = |source: &Source| match source {
            Source::File(digest) => self.sources.borrow().get(digest).cloned(),
            Source::Download(sha256) => Some(self.stored(sha256)),
            Source::Keyring(_) => None,
        };
        let context = FileContext {
            values: &OneSecret,
            source: &source,
        };
        files::apply(&self.root(), &op, &context).map_err(Report::from)
    }

    fn copy(&self, source: &Path, path: &str, attributes: Attributes) -> Op {
        let digest = digest_tree(source).unwrap();
        let mut sources = self.sources.borrow_mut();
        sources.insert(digest.clone(), source.to_owned());
        Op::CopyIn(CopyIn {
            source: Source::File(digest),
            path: path.to_owned(),
            attributes,
        })
    }

    fn apply(&self, op: Op) {
        self.try_apply(op).unwrap();
    }

    fn fails(&self, op: Op) -> Report {
        let before = self.listing();
        let report = self.try_apply(op).unwrap_err();
        assert_eq!(
            self.listing(),
            before,
            "a failed operation leaves things behind"
        );
        report
    }

    /// Passing names, and files with their sizes.
    fn listing(&self) -> String {
        let find = "find . ( -name .rootwright* -o -type f ) -printf %p:%s/";
        let output = duct::cmd("find", find.split_whitespace().skip(1))
            .dir(self.root())
            .stdout_capture()
            .run()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn host_untouched(&self) {
        let names: Vec<_> = fs::read_dir(self.host()).unwrap().collect();
        assert_eq!(names.len(), 1);
        assert_eq!(
            fs::read_to_string(self.host().join("passwd")).unwrap(),
            "host\n"
        );
    }
}

fn write(path: &str, content: &str) -> Op {
    Op::WriteFile(WriteFile {
        path: path.to_owned(),
        content: Text::from(content),
        attributes: Attributes::default(),
    })
}

fn append(path: &str, content: &str) -> Op {
    Op::AppendFile(AppendFile {
        path: path.to_owned(),
        content: Text::from(content),
    })
}

fn edit(path: &str, edits: &[(&str, &str)]) -> Op {
    Op::EditFile(EditFile {
        path: path.to_owned(),
        edits: edits
            .iter()
            .map(|(pattern, replacement)| Edit {
                pattern: (*pattern).to_owned(),
                replacement: (*replacement).to_owned(),
            })
            .collect(),
    })
}

fn remove(path: &str, missing_ok: bool) -> Op {
    Op::RemovePath(RemovePath {
        path: path.to_owned(),
        missing_ok,
    })
}

fn rename(from: &str, to: &str) -> Op {
    Op::MovePath(MovePath {
        from: from.to_owned(),
        to: to.to_owned(),
        missing_ok: false,
    })
}

fn link(path: &str, target: &str) -> Op {
    Op::Symlink(Symlink {
        path: path.to_owned(),
        target: target.to_owned(),
    })
}

fn attributes(mode: Option<u32>, owner: Option<&str>, group: Option<&str>) -> Attributes {
    Attributes {
        mode,
        owner: owner.map(str::to_owned),
        group: group.map(str::to_owned),
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn nothing_leaves_the_root() {
    let f = Fixture::new();
    // All of these would reach the host's folder if they were followed outside.
    symlink(f.host(), f.at("absolute")).unwrap();
    symlink("../host", f.at("up")).unwrap();
    symlink("/../../../../../../host", f.at("far")).unwrap();
    symlink(f.host().join("passwd"), f.at("etc/leak")).unwrap();
    f.apply(write("/etc/leak", "in the root\n"));
    f.apply(write("/up/passwd", "in the root\n"));
    f.apply(write("/far/passwd", "in the root\n"));
    f.apply(append("/absolute/passwd", "in the root\n"));
    f.apply(write("/../../../../../..//etc/motd", "hello\n"));
    f.apply(remove("/up/*", false));
    f.apply(remove("/etc/leak", false));
    f.apply(f.copy(&f.host(), "/absolute", Attributes::default()));
    f.apply(Op::SetMode(SetMode {
        path: "/absolute".into(),
        mode: 0o700,
        recursive: true,
    }));
    f.host_untouched();
    assert_eq!(fs::metadata(f.host()).unwrap().mode() & 0o777, 0o755);
    assert_eq!(f.read("/etc/motd"), "hello\n");
    // The dangling links had their targets made, inside of the root.
    let inside = f.host().strip_prefix("/").unwrap().to_owned();
    assert_eq!(
        fs::read_to_string(f.root().join(inside).join("passwd")).unwrap(),
        "host\n"
    );
    assert!(f.at("host").is_dir());
    assert!(!f.at("etc/leak").is_symlink());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn writing_keeps_what_it_is_not_told() {
    let f = Fixture::new();
    f.apply(write("/opt/new/deep/file", "x"));
    assert_eq!(f.mode("/opt/new/deep/file"), 0o644);
    assert_eq!(f.mode("/opt/new/deep"), 0o755);
    let path = f.at("etc/kept");
    fs::write(&path, "old").unwrap();
    std::os::unix::fs::chown(&path, Some(7), Some(8)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    xattr::set(&path, "user.note", b"kept").unwrap();
    duct::cmd!("setfacl", "-m", "u:12:rw", &path).run().unwrap();
    let acl = || duct::cmd!("getfacl", "-pn", &path).read().unwrap();
    let before = acl();
    f.apply(append("/etc/kept", "+"));
    f.apply(edit("/etc/kept", &[("^old", "new")]));
    assert_eq!(f.read("/etc/kept"), "new+");
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (7, 8));
    assert_eq!(xattr::get(&path, "user.note").unwrap().unwrap(), b"kept");
    assert_eq!(acl(), before);
    f.apply(Op::WriteFile(WriteFile {
        path: "/etc/kept".into(),
        content: Text::from("told"),
        attributes: attributes(Some(0o4750), Some("www-data"), Some("admins")),
    }));
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (4033, 4035));
    assert_eq!(metadata.mode() & 0o7777, 0o4750);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn secrets_are_written_and_never_said() {
    let f = Fixture::new();
    let secret = |name: &str| {
        Op::WriteFile(WriteFile {
            path: "/etc/token".into(),
            content: Text::from("token=").concat(Text::secret(name)),
            attributes: attributes(Some(0o600), None, None),
        })
    };
    f.apply(secret("token"));
    assert_eq!(f.read("/etc/token"), "token=hunter2");
    assert_eq!(f.fails(secret("other")).code, "files::secret");
    // The file is closed to others, so its lines are not offered as near misses.
    let report = f.fails(edit("/etc/token", &[("^token=hunter3$", "x")]));
    assert_eq!(report.code, "files::no_match");
    assert!(!serde_json::to_string(&report).unwrap().contains("hunter2"));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn edits_match_lines_or_say_what_is_near() {
    let f = Fixture::new();
    f.apply(write(
        "/etc/sshd",
        "#PermitRootLogin yes\nPort 22\nPort 22\n",
    ));
    f.apply(edit(
        "/etc/sshd",
        &[
            ("^#?(PermitRootLogin) .*$", "$1 no"),
            ("^Port 22$", "Port 2222"),
        ],
    ));
    assert_eq!(
        f.read("/etc/sshd"),
        "PermitRootLogin no\nPort 2222\nPort 2222\n"
    );
    let report = f.fails(edit("/etc/sshd", &[("^PermitRootLogins no$", "x")]));
    assert_eq!(
        report.message,
        "the pattern `^PermitRootLogins no$` matches nothing in `/etc/sshd`"
    );
    assert_eq!(report.help, ["the nearest line is 1: `PermitRootLogin no`"]);
    let report = f.fails(edit("/etc/none", &[("x", "y")]));
    assert_eq!(report.code, "files::missing");
    assert_eq!(
        f.fails(edit("/etc/sshd", &[("(", "y")])).code,
        "files::pattern"
    );
}

/// An image's file of 3 GiB that takes no space on disk is not read into memory.
#[test]
#[ignore = "run with tests/run tiny"]
fn files_without_bounds_are_refused() {
    let f = Fixture::new();
    let huge = |path: &str| {
        let file = fs::File::create(f.at(path)).unwrap();
        file.set_len(3 << 30).unwrap();
    };
    huge("etc/passwd");
    huge("etc/huge");
    let owner = Op::SetOwner(SetOwner {
        path: "/etc".into(),
        owner: "www-data".to_owned(),
        group: None,
        recursive: false,
    });
    for op in [owner, edit("/etc/huge", &[("a", "b")])] {
        let report = f.fails(op);
        assert_eq!(
            report.cause.as_deref(),
            Some("it has more than 64 MiB"),
            "{report:?}"
        );
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn accounts_are_those_of_the_root() {
    let f = Fixture::new();
    let owner = |owner: &str| {
        Op::SetOwner(SetOwner {
            path: "/etc".into(),
            owner: owner.to_owned(),
            group: Some("admins".into()),
            recursive: true,
        })
    };
    symlink("/etc/passwd", f.at("etc/l")).unwrap();
    f.apply(owner("www-data"));
    let metadata = fs::symlink_metadata(f.at("etc/l")).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (4033, 4035));
    // The host has this user, the root has not.
    let report = f.fails(owner("daemon"));
    assert_eq!(report.message, "the root has no user `daemon`");
    let report = f.fails(owner("www-dat"));
    assert_eq!(report.help, ["did you mean `www-data`?"]);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn trees_are_merged() {
    let f = Fixture::new();
    let tree = f.dir.path().join("tree");
    fs::create_dir_all(tree.join("lib/sub")).unwrap();
    fs::create_dir_all(tree.join("etc")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"-odd\nname \xff");
    fs::write(tree.join("lib/sub").join(odd), "odd").unwrap();
    fs::write(tree.join("etc/run"), "#!").unwrap();
    fs::set_permissions(tree.join("etc/run"), fs::Permissions::from_mode(0o751)).unwrap();
    std::os::unix::fs::chown(tree.join("etc/run"), Some(55), Some(55)).unwrap();
    symlink("/dangling/on/purpose", tree.join("etc/link")).unwrap();
    fs::set_permissions(f.at("etc"), fs::Permissions::from_mode(0o711)).unwrap();
    f.apply(f.copy(&tree, "/", Attributes::default()));
    // The merged link `lib` is still a link, the copy is behind it.
    assert!(f.at("lib").is_symlink());
    assert_eq!(fs::read(f.at("usr/lib/sub").join(odd)).unwrap(), b"odd");
    assert_eq!(f.mode("/etc"), 0o711);
    assert_eq!(f.mode("/etc/run"), 0o751);
    assert_eq!(fs::metadata(f.at("etc/run")).unwrap().uid(), 0);
    assert_eq!(
        fs::read_link(f.at("etc/link")).unwrap(),
        Path::new("/dangling/on/purpose")
    );
    assert!(f.at("etc/passwd").exists());
    assert_eq!(f.listing().matches(".rootwright").count(), 0);
    // A whole tree that is new, with an owner and a mode.
    f.apply(f.copy(&tree, "/srv/new", attributes(Some(0o700), Some("7"), None)));
    assert_eq!(f.mode("/srv/new"), 0o700);
    assert_eq!(fs::metadata(f.at("srv/new/etc/run")).unwrap().uid(), 7);

    let op = f.copy(&tree, "/srv/later", Attributes::default());
    fs::write(tree.join("etc/run"), "changed").unwrap();
    let report = f.fails(op);
    assert_eq!(report.code, "files::changed");
    let report = f.fails(f.copy(&tree.join("etc/run"), "/etc", Attributes::default()));
    assert_eq!(report.message, "cannot copy to `/etc`: it is a directory");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn links_moves_and_removals_take_the_name_itself() {
    let f = Fixture::new();
    f.apply(write("/etc/target", "t"));
    f.apply(link("/etc/l", "target"));
    f.apply(link("/etc/l", "/etc/target"));
    assert_eq!(
        fs::read_link(f.at("etc/l")).unwrap(),
        Path::new("/etc/target")
    );
    assert_eq!(
        f.fails(link("/etc", "x")).message,
        "cannot link `/etc`: it is a directory"
    );
    f.apply(rename("/etc/l", "/opt/a/l"));
    assert!(f.at("opt/a/l").is_symlink());
    f.apply(remove("/opt/a/l", false));
    assert_eq!(f.read("/etc/target"), "t");
    assert_eq!(f.fails(remove("/opt/a/l", false)).code, "files::missing");
    f.apply(remove("/opt/a/l", true));
    assert_eq!(f.fails(rename("/none", "/x")).code, "files::missing");
    assert_eq!(f.fails(remove("/", true)).code, "files::kind");
    assert_eq!(f.fails(remove("/etc/..", true)).code, "files::kind");
    for name in ["a.deb", "b.deb", ".hidden.deb", "c.txt", "*.deb"] {
        f.apply(write(&format!("/var/cache/x/{name}"), "x"));
    }
    f.apply(remove("/var/c*/x/*.deb", false));
    let mut left: Vec<_> = fs::read_dir(f.at("var/cache/x"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, [".hidden.deb", "c.txt"]);
    f.apply(remove("/nowhere/*/x", false));
    f.apply(remove("/var", false));
    assert!(!f.at("var").exists());
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_cannot_be_is_said() {
    let f = Fixture::new();
    assert_eq!(
        f.fails(write("/etc", "x")).message,
        "cannot write `/etc`: it is a directory"
    );
    let report = f.fails(write("/etc/passwd/x", "x"));
    assert!(report.message.contains("/etc/passwd"), "{report:?}");
    assert_eq!(f.fails(write("etc/x", "x")).code, "files::path");
    symlink("loop", f.at("loop")).unwrap();
    let report = f.fails(write("/loop", "x"));
    assert_eq!(
        report.cause.clone().unwrap(),
        "its symbolic links lead in a circle, or too far"
    );
    assert!(
        f.fails(write("/loop/x", "x"))
            .cause
            .clone()
            .unwrap()
            .contains("circle")
    );
    let report = f.fails(Op::SetMode(SetMode {
        path: "/none".into(),
        mode: 0o600,
        recursive: false,
    }));
    assert_eq!(report.code, "files::missing");
    f.apply(Op::MakeDir(MakeDir {
        path: "/proc".into(),
        attributes: attributes(Some(0o555), None, None),
    }));
    assert_eq!(f.mode("/proc"), 0o555);
    // Magic links would lead out of the root.
    let _proc = Mount::new(f.at("proc"), "proc", "rw");
    let outside = f.dir.path().join("host/passwd");
    let through = format!("/proc/self/root{}", outside.display());
    for op in [
        write(&through, "x"),
        append(&through, "x"),
        remove(&through, true),
    ] {
        let report = f.try_apply(op).unwrap_err();
        assert_eq!(report.code, "files::io", "{report:?}");
    }
    f.host_untouched();
}

#[test]
#[ignore = "run with tests/run tiny"]
fn all_that_is_missing_is_named() {
    let f = Fixture::new();
    f.apply(write("/usr/sbin/rpcbind", "x"));
    symlink("/none", f.at("usr/sbin/dangling")).unwrap();
    let path = |any_of: &[&str], package: &str| RequiredPath {
        any_of: any_of.iter().map(|path| (*path).to_owned()).collect(),
        package: package.to_owned(),
        why: format!("the {package} part"),
    };
    let op = |paths| {
        Op::RequirePaths(RequirePaths {
            purpose: "an NFS root".into(),
            paths,
        })
    };
    f.apply(op(vec![path(&["/bin/none", "/usr/s*/rpc*"], "rpcbind")]));
    let report = f.fails(op(vec![
        path(&["/usr/sbin/rpcbind"], "rpcbind"),
        path(&["/usr/sbin/dangling"], "one"),
        path(&["/a", "/b*"], "two"),
    ]));
    assert_eq!(report.message, "the root lacks 2 files for an NFS root");
    assert_eq!(
        report.cause.clone().unwrap(),
        "`/usr/sbin/dangling`: the one part\n`/a` or `/b*`: the two part"
    );
    assert!(report.help[0].contains(r#"root.install(["one", "two"]);"#));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn fetches_are_verified_and_kept() {
    let f = Fixture::new();
    let source = f.dir.path().join("a [1]{x}.bin");
    fs::write(&source, "payload").unwrap();
    let sha256 = files::sha256(&source).unwrap();
    let url = format!(
        "file://{}",
        source.display().to_string().replace(' ', "%20")
    );
    let fetch = |sha256: &str, path: &str| -> Result<(), Report> {
        let file = Download {
            sha256: sha256.to_owned(),
            url: url.clone(),
            calls: Vec::new(),
        };
        files::download(&file, &f.stored(sha256), FetchLimits::default()).map_err(Report::from)?;
        f.try_apply(Op::CopyIn(CopyIn {
            source: Source::Download(sha256.to_owned()),
            path: path.to_owned(),
            attributes: attributes(Some(0o755), None, None),
        }))
    };
    let wrong = "0".repeat(64);
    let report = fetch(&wrong, "/opt/tool").unwrap_err();
    assert_eq!(report.code, "files::digest");
    let cause = report.cause.clone().unwrap();
    assert!(cause.contains(&wrong) && cause.contains(&sha256), "{cause}");
    fetch(&sha256, "/opt/tool").unwrap();
    assert_eq!(
        (f.read("/opt/tool").as_str(), f.mode("/opt/tool")),
        ("payload", 0o755)
    );
    let kept = f.dir.path().join("store/fetch/sha256");
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 1);
    // From now on the network is not needed; a stored file that went bad is not used.
    fs::remove_file(&source).unwrap();
    fetch(&sha256, "/opt/again").unwrap();
    assert_eq!(f.read("/opt/again"), "payload");
    fs::write(kept.join(&sha256), "rotten").unwrap();
    let report = fetch(&sha256, "/opt/third").unwrap_err();
    assert_eq!(report.code, "files::download");
    assert!(report.command.clone().unwrap().command.starts_with("curl "));
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_newest_kernel_has_modules() {
    let f = Fixture::new();
    assert_eq!(files::newest_kernel(&f.root()), None);
    for (version, file) in [
        ("6.1.0-9-amd64", "modules.dep"),
        ("6.1.0-42-amd64", "modules.dep"),
        ("6.1.0-50-amd64", "leftover"),
    ] {
        f.apply(write(&format!("/usr/lib/modules/{version}/{file}"), ""));
    }
    assert_eq!(files::newest_kernel(&f.root()).unwrap(), "6.1.0-42-amd64");
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_full_or_read_only_disk_loses_nothing() {
    let f = Fixture::new();
    let mount = Mount::new(f.root(), "tmpfs", "size=64k");
    f.apply(write("/etc/file", "old"));
    let big = "x".repeat(200_000);
    for op in [write("/etc/file", &big), append("/etc/file", &big)] {
        let report = f.fails(op);
        assert_eq!(report.cause.clone().unwrap(), "the disk is full");
        assert_eq!(f.read("/etc/file"), "old");
    }
    duct::cmd!("mount", "-o", "remount,ro", mount.path())
        .run()
        .unwrap();
    let report = f.fails(write("/etc/file", "new"));
    assert_eq!(
        report.cause.clone().unwrap(),
        "the file system is read-only"
    );
}

/// The root of a build is an overlay, which refuses to rename directories of its lower
/// layers.
#[test]
#[ignore = "run with tests/run tiny"]
fn directories_of_a_lower_layer_move() {
    let f = Fixture::new();
    let dir = f.dir.path().join("o");
    for name in ["lower/d/sub", "upper", "work"] {
        fs::create_dir_all(dir.join(name)).unwrap();
    }
    fs::write(dir.join("lower/d/sub/file"), "x").unwrap();
    fs::set_permissions(dir.join("lower/d"), fs::Permissions::from_mode(0o2750)).unwrap();
    let base = dir.display();
    let options =
        format!("redirect_dir=off,lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work");
    let _mount = Mount::new(f.root(), "overlay", &options);
    f.apply(rename("/d", "/new/place"));
    assert_eq!(f.read("/new/place/sub/file"), "x");
    assert_eq!(f.mode("/new/place"), 0o2750);
    assert!(!f.at("d").exists());
    f.apply(write("/new/place/sub/file", "y"));
    assert_eq!(
        fs::read_to_string(dir.join("lower/d/sub/file")).unwrap(),
        "x"
    );
}
