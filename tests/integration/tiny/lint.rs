//! Every lint: a root that is broken in one way, and the one finding; the root that is not
//! broken, without any. Needs root privileges (device nodes, capabilities, nspawn), cpio and
//! the compressors.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::plan::lint::table;
use crate::support::{Project, rootwright, run, stderr, stdout};
use rootwright::lint::{self, Finding, Subject};
use rootwright::plan::{Allowed, Transport};

const KVER: &str = "6.1.0-test";

fn put(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn mode(root: &Path, path: &str, mode: u32) {
    std::fs::set_permissions(root.join(path), PermissionsExt::from_mode(mode)).unwrap();
}

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = std::fs::remove_file(&path);
    symlink(target, path).unwrap();
}

fn unit(root: &Path, unit: &str) {
    put(root, &format!("usr/lib/systemd/system/{unit}"), "[Unit]\n");
    link(
        root,
        &format!("etc/systemd/system/multi-user.target.wants/{unit}"),
        &format!("/usr/lib/systemd/system/{unit}"),
    );
}

fn sh(folder: &Path, script: &str) {
    run(Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder));
}

/// The kernel's image as far as its version is read.
fn image(version: &str) -> Vec<u8> {
    let mut image = vec![0; 0x1000];
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x20e..0x210].copy_from_slice(&0x400u16.to_le_bytes());
    image[0x600..0x600 + version.len()].copy_from_slice(version.as_bytes());
    image
}

/// What is in a good initramfs for both transports.
fn contents(folder: &Path) {
    let modules = format!("usr/lib/modules/{KVER}");
    for module in [
        "kernel/fs/nfs/nfs.ko",
        "kernel/fs/nfs/nfsv4.ko.xz",
        "kernel/fs/overlayfs/overlay.ko",
        "kernel/drivers/net/virtio_net.ko",
        "kernel/drivers/block/loop.ko",
    ] {
        put(folder, &format!("{modules}/{module}"), "\0license=GPL\0");
    }
    put(
        folder,
        &format!("{modules}/modules.builtin"),
        "kernel/fs/squashfs/squashfs.ko\n",
    );
    put(folder, "sbin/mount.nfs", "");
    put(folder, "usr/bin/curl", "");
    put(
        folder,
        "usr/lib/dracut/build-parameter.txt",
        "--force --no-hostonly --no-hostonly-cmdline",
    );
}

/// Packs a folder as an initramfs: microcode in front, the rest compressed.
fn pack(folder: &Path, to: &Path, compressor: &str) {
    let early = tempfile::tempdir().unwrap();
    put(early.path(), "kernel/x86/microcode/vendor.bin", "microcode");
    let pack = "find . -mindepth 1 | sort | cpio --quiet -o -H newc";
    sh(early.path(), &format!("{pack} >'{}'", to.display()));
    sh(
        folder,
        &format!("{pack} | {compressor} >>'{}'", to.display()),
    );
}

/// A root that no lint has anything to say of.
fn good(root: &Path) {
    for folder in ["proc", "sys", "dev", "run", "tmp", "usr/bin", "root"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    put(root, "etc/machine-id", "");
    put(root, "etc/hostname", "localhost\n");
    put(root, "etc/hosts", "127.0.0.1 localhost\n");
    put(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    put(root, "etc/shadow", "root:!:1::::::\n");
    mode(root, "etc/shadow", 0o640);
    put(
        root,
        "etc/fstab",
        "# nothing\ntmpfs /scratch tmpfs defaults 0 0\n",
    );
    link(root, "etc/resolv.conf", "/run/NetworkManager/resolv.conf");
    put(root, "usr/lib/systemd/systemd-journald", "");
    put(
        root,
        "etc/systemd/journald.conf.d/x.conf",
        "[Journal]\nStorage=volatile\nRuntimeMaxUse=64M\n",
    );
    put(root, &format!("boot/vmlinuz-{KVER}"), image(KVER));
    put(root, &format!("usr/lib/modules/{KVER}/modules.dep"), "");
    initramfs(root, "gzip", |_| {});
}

/// The root's initramfs, changed.
fn initramfs(root: &Path, compressor: &str, change: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    contents(folder.path());
    change(folder.path());
    let to = root.join(format!("boot/initrd.img-{KVER}"));
    pack(folder.path(), &to, compressor);
}

pub fn look_via(root: &Path, transports: &[Transport]) -> Vec<Finding> {
    let subject = Subject {
        root: root.to_owned(),
        transports: transports.to_vec(),
        ..Subject::default()
    };
    lint::check(&table(), &subject).unwrap()
}

fn look(root: &Path) -> Vec<Finding> {
    look_via(root, &[Transport::Nfs, Transport::Http])
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_good_root_has_no_findings() {
    let folder = tempfile::tempdir().unwrap();
    good(folder.path());
    assert_eq!(look(folder.path()), []);
}

type Break = fn(&Path);

/// A lint, what breaks the root, and the message and path of what is found.
const BROKEN: &[(&str, Break, &str, &str)] = &[
    (
        "machine-id",
        |root| put(root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        "`/etc/machine-id` holds the id of one machine",
        "/etc/machine-id",
    ),
    (
        "ssh-host-keys",
        |root| put(root, "etc/ssh/ssh_host_ed25519_key", "key"),
        "`/etc/ssh/ssh_host_ed25519_key` is a host key that all nodes share",
        "/etc/ssh/ssh_host_ed25519_key",
    ),
    (
        "ssh-host-keys",
        |root| put(root, "usr/sbin/sshd", ""),
        "no unit makes host keys at boot: sshd will not start",
        "/etc/systemd/system/*.service",
    ),
    (
        "random-seed",
        |root| put(root, "var/lib/systemd/random-seed", "seed"),
        "`/var/lib/systemd/random-seed` is a seed that all nodes share",
        "/var/lib/systemd/random-seed",
    ),
    (
        "hostname",
        |root| put(root, "etc/hostname", "builder\n"),
        "`/etc/hostname` names every node `builder`",
        "/etc/hostname",
    ),
    (
        "hostname",
        |root| {
            put(
                root,
                "etc/hosts",
                "127.0.0.1 localhost\n127.0.1.1 builder\n",
            )
        },
        "`/etc/hosts` names this machine `builder`",
        "/etc/hosts",
    ),
    (
        "client-ids",
        |root| put(root, "var/lib/NetworkManager/secret_key", "k"),
        "`/var/lib/NetworkManager/secret_key` is the identity or the lease of one machine",
        "/var/lib/NetworkManager/secret_key",
    ),
    (
        "resolv-conf",
        |root| {
            std::fs::remove_file(root.join("etc/resolv.conf")).unwrap();
            put(root, "etc/resolv.conf", "nameserver 192.0.2.53\n");
        },
        "`/etc/resolv.conf` is a plain file with the name server 192.0.2.53",
        "/etc/resolv.conf",
    ),
    (
        "boot-interface",
        |root| unit(root, "NetworkManager.service"),
        "NetworkManager is started, and nothing tells it to keep what the initramfs has set up",
        "/etc/NetworkManager/NetworkManager.conf",
    ),
    (
        "boot-interface",
        |root| unit(root, "systemd-networkd.service"),
        "systemd-networkd is started, and no network has `KeepConfiguration=` or `Unmanaged=`",
        "/etc/systemd/network/*.network",
    ),
    (
        "boot-interface",
        |root| put(root, "etc/network/interfaces", "auto lo\nauto eth0\n"),
        "`/etc/network/interfaces` sets `eth0` up again",
        "/etc/network/interfaces",
    ),
    (
        "fstab",
        |root| put(root, "etc/fstab", "UUID=12-34 / ext4 defaults 0 1\n"),
        "`/etc/fstab` mounts the disk `UUID=12-34`",
        "/etc/fstab",
    ),
    (
        "gpt-auto",
        |root| {
            put(
                root,
                "usr/lib/systemd/system-generators/systemd-gpt-auto-generator",
                "",
            )
        },
        "`/usr/lib/systemd/system-generators/systemd-gpt-auto-generator` may mount what it finds on a node's disks",
        "/usr/lib/systemd/system-generators/systemd-gpt-auto-generator",
    ),
    (
        "growfs",
        |root| unit(root, "systemd-growfs-root.service"),
        "`systemd-growfs-root.service` is started",
        "/etc/systemd/system/multi-user.target.wants/systemd-growfs-root.service",
    ),
    (
        "container-storage",
        |root| put(root, "usr/bin/podman", ""),
        "podman keeps containers in `/var/lib/containers`, on the node's overlay",
        "/etc/fstab",
    ),
    (
        "journald",
        |root| {
            put(
                root,
                "etc/systemd/journald.conf.d/x.conf",
                "[Journal]\nStorage=volatile\n",
            )
        },
        "nothing caps the journal (`RuntimeMaxUse=`)",
        "/etc/systemd/journald.conf.d/x.conf",
    ),
    (
        "journald",
        |root| {
            put(
                root,
                "etc/systemd/journald.conf.d/x.conf",
                "[Journal]\nRuntimeMaxUse=1M\n",
            )
        },
        "nothing keeps the journal in memory of its own (`Storage=volatile`)",
        "/etc/systemd/journald.conf.d/x.conf",
    ),
    (
        "timers",
        |root| {
            unit(root, "fstrim.timer");
            unit(root, "man-db.timer");
            link(root, "etc/systemd/system/man-db.timer", "/dev/null");
        },
        "`fstrim.timer` is started on every node",
        "/etc/systemd/system/multi-user.target.wants/fstrim.timer",
    ),
    (
        "passwords",
        |root| {
            put(root, "etc/shadow", "root:!:1::::::\nguest::1::::::\n");
        },
        "`guest` has an empty password in `/etc/shadow`",
        "/etc/shadow",
    ),
    (
        "passwords",
        |root| mode(root, "etc/shadow", 0o644),
        "`/etc/shadow` can be read by anyone",
        "/etc/shadow",
    ),
    (
        "private-keys",
        |root| {
            put(
                root,
                "etc/ssl/private/x.key",
                "-----BEGIN RSA PRIVATE KEY-----\n",
            )
        },
        "the private key `/etc/ssl/private/x.key` can be read by anyone",
        "/etc/ssl/private/x.key",
    ),
    (
        "private-keys",
        |root| {
            put(
                root,
                "root/.ssh/id",
                "-----BEGIN OPENSSH PRIVATE KEY-----\n",
            );
            mode(root, "root/.ssh/id", 0o600);
        },
        "root of any machine that may mount the export can read the private key `/root/.ssh/id`",
        "/root/.ssh/id",
    ),
    (
        "proxies",
        |root| {
            put(
                root,
                "etc/apt/apt.conf.d/01proxy",
                r#"Acquire::http::Proxy "http://u:secret@192.0.2.1:3142";
"#,
            )
        },
        "`/etc/apt/apt.conf.d/01proxy` names a proxy for packages",
        "/etc/apt/apt.conf.d/01proxy",
    ),
    (
        "proxies",
        |root| {
            put(
                root,
                "etc/environment",
                "http_proxy=http://192.0.2.1:3128\n",
            )
        },
        "`/etc/environment` names a proxy for every program",
        "/etc/environment",
    ),
    (
        "caches",
        |root| put(root, "var/cache/apt/archives/x_1_all.deb", ""),
        "`/var/cache/apt/archives/x_1_all.deb` is a downloaded package",
        "/var/cache/apt/archives/x_1_all.deb",
    ),
    (
        "build-leftovers",
        |root| put(root, "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n"),
        "`/usr/sbin/policy-rc.d` forbids that services start",
        "/usr/sbin/policy-rc.d",
    ),
    (
        "mount-points",
        |root| std::fs::remove_dir(root.join("proc")).unwrap(),
        "there is no directory `/proc`",
        "/proc",
    ),
    (
        "special-files",
        |root| {
            std::os::unix::net::UnixListener::bind(root.join("run/x.sock")).unwrap();
        },
        "`/run/x.sock` is a socket",
        "/run/x.sock",
    ),
    (
        "special-files",
        |root| sh(root, "mknod dev/null c 1 3; mknod root/disk b 7 0"),
        "`/root/disk` is a device node",
        "/root/disk",
    ),
    (
        "file-capabilities",
        |root| {
            std::fs::copy("/bin/true", root.join("usr/bin/ping")).unwrap();
            sh(root, "setcap cap_net_raw+ep usr/bin/ping");
        },
        "`/usr/bin/ping` has capabilities that nodes do not see",
        "/usr/bin/ping",
    ),
    (
        "kernel-versions",
        |root| {
            std::fs::rename(
                root.join(format!("usr/lib/modules/{KVER}")),
                root.join("usr/lib/modules/6.0.0-old"),
            )
            .unwrap();
        },
        "the kernel `/boot/vmlinuz-6.1.0-test` has no modules in `/usr/lib/modules/6.1.0-test`",
        "/boot/vmlinuz-6.1.0-test",
    ),
    (
        "kernel-versions",
        |root| {
            initramfs(root, "gzip", |folder| {
                let modules = folder.join("usr/lib/modules");
                std::fs::rename(modules.join(KVER), modules.join("5.9.0-other")).unwrap();
            });
        },
        "the initramfs `/boot/initrd.img-6.1.0-test` is for 5.9.0-other, which is not the version of a kernel with modules here",
        "/boot/initrd.img-6.1.0-test",
    ),
    (
        "initramfs",
        |root| std::fs::remove_file(root.join(format!("boot/initrd.img-{KVER}"))).unwrap(),
        "the newest kernel, `/boot/vmlinuz-6.1.0-test`, has no initramfs",
        "/boot/vmlinuz-6.1.0-test",
    ),
    (
        "initramfs",
        |root| {
            put(
                root,
                &format!("boot/initrd.img-{KVER}"),
                "no archive at all",
            )
        },
        "the initramfs `/boot/initrd.img-6.1.0-test` cannot be read: at byte 0 begins something that is no archive",
        "/boot/initrd.img-6.1.0-test",
    ),
    (
        "initramfs-root",
        |root| {
            initramfs(root, "xz --check=crc32", |folder| {
                std::fs::remove_file(folder.join("sbin/mount.nfs")).unwrap();
            });
        },
        "the initramfs `/boot/initrd.img-6.1.0-test` has no `mount.nfs`, which mounts the root",
        "/boot/initrd.img-6.1.0-test",
    ),
    (
        "initramfs-root",
        |root| {
            initramfs(root, "zstd -q", |folder| {
                std::fs::remove_dir_all(
                    folder.join(format!("usr/lib/modules/{KVER}/kernel/fs/nfs")),
                )
                .unwrap();
            });
        },
        "the initramfs `/boot/initrd.img-6.1.0-test` has no driver for NFS",
        "/boot/initrd.img-6.1.0-test",
    ),
    (
        "initramfs-overlay",
        |root| {
            initramfs(root, "lz4 -q -l", |folder| {
                let module = format!("usr/lib/modules/{KVER}/kernel/fs/overlayfs/overlay.ko");
                std::fs::remove_file(folder.join(module)).unwrap();
            });
        },
        "the initramfs `/boot/initrd.img-6.1.0-test` has no driver for overlays",
        "/boot/initrd.img-6.1.0-test",
    ),
    (
        "initramfs-network",
        |root| {
            initramfs(root, "cat", |folder| {
                let module = format!("usr/lib/modules/{KVER}/kernel/drivers/net/virtio_net.ko");
                std::fs::remove_file(folder.join(module)).unwrap();
            });
        },
        "the initramfs `/boot/initrd.img-6.1.0-test` has none of the usual network drivers",
        "/boot/initrd.img-6.1.0-test",
    ),
    (
        "initramfs-firmware",
        |root| {
            put(root, "usr/lib/firmware/card/fw.bin", "");
            initramfs(root, "gzip", |folder| {
                let net = format!("usr/lib/modules/{KVER}/kernel/drivers/net/ethernet/card.ko");
                put(folder, &net, "\x7fELF\0firmware=card/fw.bin\0license=GPL\0");
            });
        },
        "the initramfs `/boot/initrd.img-6.1.0-test` lacks firmware, which the root has, for the drivers card",
        "/boot/initrd.img-6.1.0-test",
    ),
    (
        "initramfs-host",
        |root| {
            initramfs(root, "gzip", |folder| {
                put(folder, "etc/cmdline.d/95root.conf", " root=UUID=12-34 rw\n");
            });
        },
        "the initramfs has a command line of its own in `/boot/initrd.img-6.1.0-test: etc/cmdline.d/95root.conf`: root=UUID=12-34",
        "/boot/initrd.img-6.1.0-test: etc/cmdline.d/95root.conf",
    ),
    (
        "initramfs-host",
        |root| {
            initramfs(root, "gzip", |folder| {
                put(
                    folder,
                    "usr/lib/dracut/build-parameter.txt",
                    "--force --hostonly",
                );
            });
        },
        "the initramfs was asked for with `--hostonly`: `/boot/initrd.img-6.1.0-test: usr/lib/dracut/build-parameter.txt`",
        "/boot/initrd.img-6.1.0-test: usr/lib/dracut/build-parameter.txt",
    ),
    (
        "selinux",
        |root| put(root, "etc/selinux/config", "SELINUX=enforcing\n"),
        "`/etc/selinux/config` says enforcing, and NFS carries no labels",
        "/etc/selinux/config",
    ),
];

#[test]
#[ignore = "run with tests/run tiny"]
fn every_lint_finds_what_it_is_for() {
    for (name, damage, message, path) in BROKEN {
        let folder = tempfile::tempdir().unwrap();
        good(folder.path());
        damage(folder.path());
        let found = look_via(folder.path(), &[Transport::Nfs]);
        let found: Vec<&Finding> = found
            .iter()
            // Modules without a kernel are the other side of a kernel without modules.
            .filter(|finding| !finding.message.starts_with("the newest modules"))
            .filter(|finding| {
                *name != "kernel-versions" || !finding.message.contains("is for 6.1.0-test")
            })
            .collect();
        let [finding] = found.as_slice() else {
            panic!("{name}: {message}: {found:#?}");
        };
        assert_eq!(finding.lint, *name);
        assert_eq!(finding.message, *message);
        assert_eq!(finding.path, *path);
        let cure = table()
            .lints
            .iter()
            .find(|lint| lint.name == *name)
            .unwrap()
            .cure
            .clone();
        assert_eq!(finding.cure, format!("diskless::{cure}(root)"));
        assert!(finding.reason.ends_with('.'));
    }
    // None is left out.
    for lint in table().lints {
        let tested = BROKEN.iter().any(|(name, ..)| *name == lint.name);
        assert!(tested, "{} has no broken root", lint.name);
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn transports_and_the_command_line_decide_what_matters() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    good(root);
    put(
        root,
        "usr/lib/systemd/system-generators/systemd-gpt-auto-generator",
        "",
    );
    std::fs::copy("/bin/true", root.join("usr/bin/ping")).unwrap();
    sh(root, "setcap cap_net_raw+ep usr/bin/ping");
    let names = |transport: Transport, cmdline: &str| -> Vec<String> {
        let subject = Subject {
            root: root.to_owned(),
            transports: vec![transport],
            cmdline: Some(cmdline.to_owned()),
            ..Subject::default()
        };
        let found = lint::check(&table(), &subject).unwrap();
        found.into_iter().map(|finding| finding.lint).collect()
    };
    assert_eq!(
        names(Transport::Nfs, "ip=dhcp"),
        ["gpt-auto", "file-capabilities"]
    );
    assert_eq!(names(Transport::Http, "ip=dhcp"), ["gpt-auto"]);
    assert!(names(Transport::Http, "ip=dhcp systemd.gpt_auto=0").is_empty());
    initramfs(root, "gzip", |folder| {
        std::fs::remove_file(folder.join("usr/bin/curl")).unwrap();
    });
    assert_eq!(
        names(Transport::Http, "systemd.gpt_auto=no"),
        ["initramfs-root"]
    );
}

#[test]
#[ignore = "run with tests/run tiny"]
fn what_is_left_out_or_allowed_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    good(root);
    put(root, "var/lib/apt/lists/x_Packages", "");
    put(root, "etc/ssh/ssh_host_a_key", "");
    put(root, "etc/ssh/ssh_host_b_key", "");
    let subject = Subject {
        root: root.to_owned(),
        exclude: vec!["var/lib/apt/lists/*_*".to_owned()],
        allowed: vec![Allowed {
            lint: "ssh-host-keys".to_owned(),
            path: Some("/etc/ssh/*_a_key".to_owned()),
            reason: "one identity for all".to_owned(),
            calls: Vec::new(),
        }],
        ..Subject::default()
    };
    let found = lint::check(&table(), &subject).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|finding| (finding.path.as_str(), finding.allowed.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("/etc/ssh/ssh_host_a_key", Some("one identity for all")),
            ("/etc/ssh/ssh_host_b_key", None),
        ]
    );
}

/// Links of the root lead nowhere but into it: the host has a machine-id, the root has none.
#[test]
#[ignore = "run with tests/run tiny"]
fn no_path_leads_out_of_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    put(&outside, "ssh/ssh_host_rsa_key", "key");
    put(&outside, "shadow", "guest::1::::::\n");
    let root = folder.path().join("root");
    good(&root);
    link(&root, "etc/ssh", outside.join("ssh").to_str().unwrap());
    link(&root, "etc/shadow", "../../outside/shadow");
    link(&root, "etc/machine-id", "/proc/self/root/etc/hostname");
    link(&root, "var", outside.to_str().unwrap());
    assert_eq!(look(&root), []);
}

#[test]
#[ignore = "run with tests/run tiny"]
fn the_command_line_lists_skips_and_counts() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    good(root);
    put(root, "etc/hostname", "builder\n");
    let lint = |arguments: &[&str]| rootwright().arg("lint").args(arguments).output().unwrap();
    let root = root.to_str().unwrap();
    let warned = lint(&[root]);
    assert!(warned.status.success(), "{}", stderr(&warned));
    assert_eq!(
        stderr(&warned),
        format!(
            "  ! hostname: `/etc/hostname` names every node `builder`
  cause: A name in the root wins over the one that DHCP gives: all nodes have the same.
  help: `diskless::hostname(root)` or `diskless::prepare(root)`

{root}: 1 warning
"
        )
    );
    assert_eq!(lint(&[root, "--fatal-warnings"]).status.code(), Some(1));
    let skipped = lint(&[root, "--fatal-warnings", "--skip", "hostname"]);
    assert_eq!(stderr(&skipped), format!("{root}: nothing wrong\n"));
    let misspelt = lint(&[root, "--skip", "hostnam"]);
    assert_eq!(misspelt.status.code(), Some(1));
    assert_eq!(
        stderr(&misspelt),
        "  x there is no lint `hostnam`\n  help: did you mean `hostname`?\n"
    );
    let list = stdout(&lint(&["--list"]));
    assert_eq!(list.lines().count(), table().lints.len());
    assert!(list.contains("machine-id          error    Every node has the same id"));
    let json = rootwright()
        .args(["--error-format", "json", "lint", root])
        .output()
        .unwrap();
    let first: serde_json::Value =
        serde_json::from_str(stderr(&json).lines().next().unwrap()).unwrap();
    assert_eq!(first["code"], "lint::hostname");
    assert_eq!(first["severity"], "warning");
}

/// A tiny root that has everything wrong, for recipes.
const BROKEN_DISTRO: &str = r#"
fn services(root) { #{ init: "systemd", roles: #{} } }
fn bootstrap(root, spec) {
    fields("bootstrap", spec, #{});
    host_run(root, script(`
        cd "$1"
        mkdir -p bin etc/ssh etc/apt/apt.conf.d etc/systemd/system/x.wants sys run root usr/bin usr/lib/systemd/system var/lib/systemd
        cp "$(command -v busybox)" bin/busybox
        for tool in $(busybox --list); do [ $tool = busybox ] || ln -s busybox bin/$tool; done
        echo root::0:0:root:/root:/bin/sh >etc/passwd
        echo root::1:::::: >etc/shadow
        echo root:x:0: >etc/group
        echo ID=broken >usr/lib/os-release
        echo 0123456789abcdef0123456789abcdef >etc/machine-id
        echo key >etc/ssh/ssh_host_rsa_key
        echo builder >etc/hostname
        printf '127.0.0.1 localhost\n127.0.1.1 builder\n' >etc/hosts
        echo 'UUID=12-34 / ext4 x-systemd.growfs 0 1' >etc/fstab
        echo 'nameserver 192.0.2.1' >etc/resolv.conf
        echo 'Acquire::http::Proxy "http://192.0.2.1:3142";' >etc/apt/apt.conf.d/01proxy
        echo seed >var/lib/systemd/random-seed
        mkdir -p usr/sbin var/lib/apt/lists etc/selinux etc/network usr/lib/systemd/system-generators home/x
        printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d
        echo x >var/lib/apt/lists/x_Packages
        echo SELINUX=enforcing >etc/selinux/config
        printf 'auto lo\nallow-hotplug eth0\n' >etc/network/interfaces
        : >usr/lib/systemd/system-generators/systemd-gpt-auto-generator
        : >usr/lib/systemd/systemd-journald
        for unit in fstrim.timer e2scrub_all.timer NetworkManager.service systemd-networkd.service systemd-growfs-root.service; do
            echo '[Unit]' >usr/lib/systemd/system/$unit
            ln -s /usr/lib/systemd/system/$unit etc/systemd/system/x.wants/$unit
        done
        : >usr/bin/podman
        : >usr/sbin/sshd
        echo '-----BEGIN PRIVATE KEY-----' >home/x/key
        mknod run/disk b 7 0
        mkfifo home/x/pipe
        cp bin/busybox usr/bin/ping
        setcap cap_net_raw+ep usr/bin/ping
    `, #{ arguments: [root.path] }));
}
fn install(root, packages, opts) { }
fn boot_files(root) {
    #{ kernel: ["/boot/vmlinuz-{kver}"], initramfs: ["/boot/initrd-{kver}"], packages: ["echo", "busybox\t1.35\tall"] }
}
"#;

#[test]
#[ignore = "run with tests/run tiny"]
fn a_broken_root_is_found_out_and_prepare_cures_it() {
    let project = Project::new();
    project.write("distro/broken.rhai", BROKEN_DISTRO);
    let lint = |target: &str| {
        rootwright()
            .current_dir(project.path())
            .args([
                "--error-format",
                "short",
                "lint",
                target,
                "--allow-host-run",
                "--store",
                "store",
            ])
            .output()
            .unwrap()
    };
    let recipe = r#"//! x
let root = bootstrap(#{ distro: "broken" });
"#;
    let export = r#"root.export(#{ format: "dir", name: "x" });
"#;
    let not_built = {
        project.write("recipe.rhai", &format!("{recipe}{export}"));
        lint("recipe.rhai")
    };
    assert_eq!(not_built.status.code(), Some(1));
    assert_eq!(
        stderr(&not_built),
        "rootwright: the recipe's root is not in the store\n"
    );

    project
        .recipe(format!("{recipe}{export}"))
        .build()
        // For its device node.
        .arg("--unconfined")
        .success();
    let found = lint("recipe.rhai");
    assert_eq!(found.status.code(), Some(1));
    let text = stderr(&found);
    for lint in table().lints {
        let of_boot = lint.name.starts_with("initramfs") || lint.name == "client-ids";
        let named = text.contains(&format!("rootwright: {}: ", lint.name));
        assert!(named || of_boot, "{}: {text}", lint.name);
    }

    let cured = text!(
        r#"//! x
import "diskless" as diskless;
let root = bootstrap(#{ distro: "broken" });
diskless::prepare(root, #{ initramfs: false });
root.allow_lint("private-keys", "made for the test");
{export}"#,
        export
    );
    project.recipe(&cured).build().success();
    for target in ["recipe.rhai", "out/x", "out/x/root"] {
        let clean = lint(target);
        assert_eq!(clean.status.code(), Some(0), "{target}: {}", stderr(&clean));
        let text = stderr(&clean);
        let wrong: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("rootwright: "))
            .filter(|line| !line.contains("there is no kernel in the root"))
            .filter(|line| target != "out/x/root" || !line.contains("private-keys"))
            .collect();
        assert!(wrong.is_empty(), "{target}: {text}");
        let allowed = text.contains("allowed: private-keys: ");
        assert_eq!(allowed, target != "out/x/root", "{text}");
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_packed_export_is_unpacked_to_be_looked_at() {
    let project = Project::new();
    project.write("distro/broken.rhai", BROKEN_DISTRO);
    project
        .recipe(
            r#"//! x
let root = bootstrap(#{ distro: "broken" });
root.export(#{ format: "tar", name: "t" });
root.export(#{ format: "squashfs", name: "s" });
root.export(#{ format: "oci", name: "o" });
"#,
        )
        .build()
        // For its device node.
        .arg("--unconfined")
        .success();
    for (name, capabilities) in [("t", true), ("s", false)] {
        let output = rootwright()
            .args(["--error-format", "short", "lint"])
            .arg(project.out().join(name))
            .output()
            .unwrap();
        let text = stderr(&output);
        assert!(
            text.contains("machine-id: `/etc/machine-id`"),
            "{name}: {text}"
        );
        assert_eq!(
            text.contains("file-capabilities"),
            capabilities,
            "{name}: {text}"
        );
    }
    let path = project.out().join("o");
    let output = rootwright().arg("lint").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is of the format `oci`, which is not unpacked"));
    assert!(stderr(&output).contains("help: name the recipe: its root is looked at instead"));
}
