//! A command in a root, the script of a package, and a command of the host, each hostile.

use std::fs::File;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::attempt::{Attack, COMMANDS, EVERYWHERE, Place, SECRET, Target};
use crate::support::project::Run;
use crate::support::serve::listen;
use crate::support::user::User;
use crate::support::{processes_with, read, run, stderr, stdout};

/// What a shell attempts, and where.
const ATTACKS: &[Attack] = &[
    Attack {
        name: "the-hosts-disk-by-a-device-node",
        places: EVERYWHERE,
        script: r#"
mkdir m
worked=1
for type in ext4 xfs btrfs; do
    rm -f disk
    mknod disk b $major $minor && head -c 1 disk >/dev/null && worked=0
    mount -o ro -t $type disk m && worked=0
done
exit $worked"#,
    },
    Attack {
        name: "the-hosts-memory-by-a-device-node",
        places: EVERYWHERE,
        script: "mknod mem c 1 1; head -c 1 mem",
    },
    Attack {
        name: "the-kernels-log-by-a-device-node",
        places: EVERYWHERE,
        script: "mknod kmsg c 1 11; echo attacked >kmsg",
    },
    Attack {
        name: "the-kernels-log",
        places: EVERYWHERE,
        script: "test -c /dev/kmsg; echo attacked >/dev/kmsg",
    },
    Attack {
        name: "a-mount-of-the-hosts-devices",
        places: EVERYWHERE,
        script: "mkdir m; mount -t devtmpfs devtmpfs m",
    },
    Attack {
        name: "core-pattern",
        places: EVERYWHERE,
        script: "echo core >/proc/sys/kernel/core_pattern",
    },
    Attack {
        name: "core-pattern-in-another-proc",
        places: EVERYWHERE,
        script: "mkdir m; mount -t proc proc m; echo core >m/sys/kernel/core_pattern",
    },
    Attack {
        name: "release-agent",
        places: EVERYWHERE,
        script: r#"
mkdir m
worked=1
for group in memory cpu devices pids freezer rdma misc none,name=systemd none,name=attack; do
    if mount -t cgroup -o $group cgroup m; then
        { cat m/release_agent >release; cat release >m/release_agent; } && worked=0
        umount m
    fi
done
for group in /sys/fs/cgroup/*/release_agent; do : >>"$group" && worked=0; done
exit $worked"#,
    },
    Attack {
        name: "the-hosts-control-groups",
        places: COMMANDS,
        script: r#"
mkdir m
worked=1
mount -t cgroup2 cgroup2 m && { : >>m/cgroup.subtree_control; } && worked=0
for group in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
    # systemd-nspawn gives a container a group of its own in these, and shows that alone.
    case $group in */systemd/* | */unified/*) continue ;; esac
    test ! -e "$group" || { { echo 0 >"$group" && echo "joined $group"; } && worked=0; }
done
exit $worked"#,
    },
    Attack {
        name: "settings-of-the-kernel",
        places: EVERYWHERE,
        script: r#"
worked=1
mkdir m
mount -t proc proc m || true
for folder in /proc/sys m/sys; do
    for name in kernel/modprobe kernel/panic kernel/sysrq kernel/randomize_va_space kernel/dmesg_restrict \
        vm/overcommit_memory vm/drop_caches fs/suid_dumpable fs/protected_symlinks fs/binfmt_misc/register; do
        { value=$(cat $folder/$name); echo "$value" >$folder/$name; } && worked=0
    done
done
exit $worked"#,
    },
    Attack {
        name: "settings-of-the-hosts-network",
        places: EVERYWHERE,
        script: "value=$(cat /proc/sys/net/ipv4/ip_forward); echo $value >/proc/sys/net/ipv4/ip_forward",
    },
    Attack {
        name: "files-of-sysfs",
        places: EVERYWHERE,
        script: r#"
worked=1
mkdir m
mount -t sysfs sysfs m || true
mount -o remount,rw,bind /sys || true
mount -o remount,rw /sys || true
for folder in /sys m; do
    for file in $folder/kernel/uevent_helper $folder/kernel/mm/transparent_hugepage/enabled $folder/power/state \
        $folder/power/resume $folder/block/*/uevent $folder/module/*/parameters/*; do
        { : >>"$file"; } && worked=0
    done
done
exit $worked"#,
    },
    Attack {
        name: "sysrq",
        places: EVERYWHERE,
        script: "echo h >/proc/sysrq-trigger",
    },
    Attack {
        name: "environments-of-all-processes",
        places: EVERYWHERE,
        script: r#"
cat /proc/1/environ >/dev/null || true
for file in /proc/[0-9]*/environ /proc/[0-9]*/task/*/environ; do
    grep -aqF "ROOTWRIGHT" "$file" && exit 0
done
exit 1"#,
    },
    Attack {
        name: "files-by-what-processes-have-open",
        places: EVERYWHERE,
        script: "attack leaked ${canaries%% *}",
    },
    Attack {
        name: "memory-of-the-first-process",
        places: COMMANDS,
        script: r#"
address=$(sed -n '/stack/s/-.*//p' /proc/1/maps)
dd if=/proc/1/mem bs=1 count=1 skip=$((0x$address))"#,
    },
    Attack {
        name: "keyrings",
        places: EVERYWHERE,
        script: "attack syscalls add_key keyctl request_key",
    },
    Attack {
        name: "modules-and-another-kernel",
        places: EVERYWHERE,
        script: "attack syscalls init_module finit_module delete_module kexec_load",
    },
    // An init ends its own PID namespace with it.
    Attack {
        name: "a-reboot",
        places: COMMANDS,
        script: "attack syscalls reboot",
    },
    Attack {
        name: "swap-and-accounting",
        places: EVERYWHERE,
        script: "attack syscalls swapon swapoff acct",
    },
    Attack {
        name: "the-clock",
        places: EVERYWHERE,
        script: "attack syscalls settimeofday clock_settime",
    },
    Attack {
        name: "parts-of-the-kernel-that-builds-do-not-need",
        places: EVERYWHERE,
        script: "attack syscalls syslog bpf perf_event_open userfaultfd io_uring_setup",
    },
    #[cfg(target_arch = "x86_64")]
    Attack {
        name: "ports-of-the-processor",
        places: EVERYWHERE,
        script: "attack syscalls iopl ioperm",
    },
    Attack {
        name: "files-by-their-handles",
        places: EVERYWHERE,
        script: "attack open-by-handle / /etc /proc /sys /dev/null . /etc/resolv.conf",
    },
    Attack {
        name: "tracing-the-build",
        places: EVERYWHERE,
        script: "attack attach",
    },
    Attack {
        name: "memory-of-other-processes",
        places: COMMANDS,
        script: "attack syscalls process_vm_readv",
    },
    Attack {
        name: "namespaces-of-the-first-process",
        places: EVERYWHERE,
        script: "attack join 1",
    },
    Attack {
        name: "mounts-in-a-namespace-inside",
        places: EVERYWHERE,
        script: r#"
case $place in
    command | boot) attack nested /bound /payload ;;
    script) attack nested /proc/sys ;;
    tool) attack nested /usr /etc /opt /var/lib ;;
esac"#,
    },
    Attack {
        name: "what-is-bound-read-only",
        places: &[Place::Command, Place::Boot],
        script: r#"
mount -o remount,rw,bind /bound || mount -o remount,rw /bound || true
echo attacked >/bound/kept && exit 0
umount -l /bound || true
echo attacked >/bound/kept"#,
    },
    Attack {
        name: "the-hosts-system",
        places: &[Place::Tool],
        script: r#"
worked=1
for folder in /usr /usr/local /etc /opt /var/lib /bin /lib; do
    mount -o remount,rw,bind $folder || mount -o remount,rw $folder || true
    touch $folder/attacked && worked=0
    umount -l $folder || true
    touch $folder/attacked && worked=0
done
exit $worked"#,
    },
    Attack {
        name: "secrets-of-the-host",
        places: EVERYWHERE,
        script: r#"
worked=1
for file in $canaries /root/.ssh/* /etc/ssh/*key; do
    cat "$file" && worked=0
done
exit $worked"#,
    },
    Attack {
        name: "the-shadow-file-of-the-host",
        places: &[Place::Tool],
        script: "cat /etc/shadow",
    },
    // It may make such paths of its own: the host's files say whether it worked.
    Attack {
        name: "files-of-the-host-by-their-paths",
        places: EVERYWHERE,
        script: r#"
for file in $canaries; do
    folder=${file%/*}
    mkdir -p $folder || true
    { echo attacked >>$file; } || true
    { echo attacked >$folder/new; } || true
    chmod 0777 $folder $file || true
    ln -sf /etc/passwd $folder/link || true
    mv $file $file.moved || true
    rm -rf $folder || true
done
exit 1"#,
    },
    Attack {
        name: "other-layers-in-the-store",
        places: EVERYWHERE,
        script: r#"
for layer in $layers/*/fs $(sed -n 's/.*lowerdir=\([^,]*\).*/\1/p' /proc/self/mountinfo | tr : ' '); do
    { echo attacked >>$layer/etc/passwd; } && exit 0
done
exit 1"#,
    },
    Attack {
        name: "the-program-itself",
        places: EVERYWHERE,
        script: r#"
worked=1
for program in /proc/1/exe $rootwright; do
    { : >>$program; } && worked=0
done
exit $worked"#,
    },
    Attack {
        name: "out-of-a-chroot",
        places: EVERYWHERE,
        script: "attack chroot ${canaries%% *}",
    },
    Attack {
        name: "limits-of-processes",
        places: EVERYWHERE,
        script: "attack limits",
    },
    Attack {
        name: "packets-and-addresses-of-the-hosts-network",
        places: EVERYWHERE,
        script: "attack network",
    },
    Attack {
        name: "marks-of-overlays",
        places: EVERYWHERE,
        script: "touch file; attack overlay-marks file",
    },
    // The name is that of its own namespace.
    Attack {
        name: "the-hosts-name",
        places: EVERYWHERE,
        script: "hostname attacked || true; echo attacked >/proc/sys/kernel/hostname || true; exit 1",
    },
    Attack {
        name: "shared-memory-of-the-host",
        places: EVERYWHERE,
        script: "test $(wc -l </proc/sysvipc/shm) -gt 1",
    },
    Attack {
        name: "the-terminal-of-the-build",
        places: COMMANDS,
        script: "attack type",
    },
    Attack {
        name: "a-mount-that-the-host-sees",
        places: EVERYWHERE,
        script: "mkdir m; mount -t tmpfs attack-tmpfs m || true; mount --make-rshared / || true; exit 1",
    },
    // That of a folder is 9, see `with_an_open_folder`.
    Attack {
        name: "descriptors-that-the-build-inherited",
        places: COMMANDS,
        script: "ls /proc/self/fd/9/",
    },
    Attack {
        name: ROOT_ON_THE_HOST,
        places: EVERYWHERE,
        script: "read -r inside outside count </proc/self/uid_map; test $outside -lt 65536",
    },
];

const ROOT_ON_THE_HOST: &str = "root-in-the-root-is-root-on-the-host";

/// What a root needs so that attacks in it have their tools.
const TOOLS: &str = r#"root.host_run(["sh", "-euc", "cd $0; for tool in $(busybox --list); do test -e bin/$tool || ln -s busybox bin/$tool; done", root.path]);
"#;

fn attacks(place: Place) -> Vec<&'static Attack> {
    let all = ATTACKS.iter();
    all.filter(|attack| attack.places.contains(&place))
        .collect()
}

/// Attempts everything in one place.
fn attempt(place: Place) {
    let mut target = Target::new();
    let attacks = attacks(place);
    let steps = target.steps(place, &attacks);
    let export = "root.export(#{ format: \"dir\", name: \"x\" });";
    target.project.tiny(format!("{TOOLS}{steps}{export}"));
    with_an_open_folder(target.build()).success();
    let root = target.project.out().join("x/root");
    target.all_were_refused(place, &attacks, &root);
    target.is_untouched(&root);
}

/// The same build, started by a shell that has the host's top folder open.
fn with_an_open_folder(build: Run) -> Run {
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", "exec 9</; exec \"$@\"", "sh"])
        .arg(build.get_program());
    build.instead(shell)
}

/// The same attempts in builds of an ordinary user.
#[test]
#[ignore = "run with tests/run attacks"]
fn builds_of_an_ordinary_user() {
    let (mut target, user) = (Target::new(), User::new());
    let secret = user.home().join("attacked/secret");
    std::fs::create_dir(secret.parent().unwrap()).unwrap();
    std::fs::write(&secret, SECRET).unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    user.own(&user.home());
    target.watch(secret);
    let own = target.project.path().join("own");
    std::fs::create_dir(&own).unwrap();
    user.own(&own);
    // The namespace's map says what it is of another namespace.
    let attacks = |place: Place| -> Vec<&Attack> {
        let all = attacks(place).into_iter();
        all.filter(|attack| attack.name != ROOT_ON_THE_HOST)
            .collect()
    };
    let steps: String = COMMANDS
        .iter()
        .map(|place| target.steps(*place, &attacks(*place)))
        .collect();
    let export = "root.export(#{ format: \"dir\", name: \"x\" });";
    target.project.tiny(format!("{TOOLS}{steps}{export}"));
    let store = user.home().join("store");
    let build = target.project.build_to("own/out");
    let build = build.args(["--store", store.to_str().unwrap()]);
    let build = build.env("ROOTWRIGHT_SECRET_UNUSED", SECRET);
    with_an_open_folder(user.runs(build)).success();
    let root = own.join("out/x/root");
    for place in COMMANDS {
        target.all_were_refused(*place, &attacks(*place), &root);
    }
    target.is_untouched(&root);
}

#[test]
#[ignore = "run with tests/run attacks"]
fn a_command_in_a_root() {
    attempt(Place::Command);
}

#[test]
#[ignore = "run with tests/run attacks"]
fn a_script_of_a_package_at_the_bootstrap() {
    attempt(Place::Script);
}

#[test]
#[ignore = "run with tests/run attacks"]
fn a_command_of_the_host() {
    attempt(Place::Tool);
}

fn named(name: &str) -> &'static Attack {
    ATTACKS.iter().find(|attack| attack.name == name).unwrap()
}

/// The build is started from a terminal, and its commands type into it.
#[test]
#[ignore = "run with tests/run attacks"]
fn typing_into_the_terminal() {
    let target = Target::new();
    let attack = named("the-terminal-of-the-build");
    let steps: String = COMMANDS
        .iter()
        .map(|place| target.steps(*place, &[attack]))
        .collect();
    let export = "root.export(#{ format: \"dir\", name: \"x\" });";
    target.project.tiny(format!("{TOOLS}{steps}{export}"));
    let build = target.build();
    let words = build.get_args().map(|word| word.to_string_lossy());
    let line: Vec<_> = std::iter::once(build.get_program().to_string_lossy())
        .chain(words)
        .collect();
    let line = line.join(" ");
    // The shell reads what was typed once the build has ended.
    let mut terminal = Command::new("script");
    terminal
        .args([
            "-qec",
            &format!("{line}; read -t 1 typed; test -z \"$typed\""),
            "/dev/null",
        ])
        .env("SHELL", "/bin/bash")
        .current_dir(target.project.path());
    run(&mut terminal);
    let root = target.project.out().join("x/root");
    for place in COMMANDS {
        target.all_were_refused(*place, &[attack], &root);
    }
}

/// The init of a root is hostile: it has more capabilities than a command.
#[test]
#[ignore = "run with tests/run attacks"]
fn the_init_of_a_booted_root() {
    let mut target = Target::new();
    let attacks = attacks(Place::Boot);
    let steps = target.steps(Place::Boot, &attacks);
    target.project.tiny(format!("{TOOLS}{steps}"));
    target.build().failure();
    let root = target.failed_root();
    target.all_were_refused(Place::Boot, &attacks, &root);
    target.is_untouched(&root);
}

/// A booted root shares a folder with the build, which reads there how the boot went.
#[test]
#[ignore = "run with tests/run attacks"]
fn what_a_booted_root_says_of_itself() {
    let names = "told status stage late console output run units telling machine-id boot.sh";
    for (attack, init) in [
        (
            "commands for the shell that waits",
            "for file in *.*; do echo 'touch {new}; echo more >>{canary}' >>$file; done; echo exited 0 >status",
        ),
        (
            "links to a file of the host, to be read",
            "for name in {names}; do rm -rf $name; ln -s {canary} $name; done",
        ),
        (
            "links to a file of the host, to be written",
            "rm -f stage late; ln -s {canary} stage; ln -s {canary} late; echo exited 0 >status",
        ),
        (
            "links to no file yet",
            "rm -f stage late; ln -s {new} stage; ln -s {new} late; echo exited 0 >status",
        ),
        (
            "pipes that nobody writes to",
            "for name in {names}; do rm -rf $name; mkfifo $name; done",
        ),
        (
            "folders",
            "for name in {names}; do rm -rf $name; mkdir -p $name/x; done",
        ),
        (
            "files that take no space, of 3 GiB",
            "for name in {names}; do rm -rf $name; truncate -s 3G $name; done",
        ),
    ] {
        let mut target = Target::new();
        let canary = target.canaries[0].clone();
        let new = canary.with_file_name("new");
        let (canary, new) = (canary.display(), new.display());
        let init = text!(init, names, canary, new);
        target.project.tiny(text!(
            r##"{TOOLS}root.write_file("/usr/lib/systemd/systemd", `#!/bin/sh
PATH=/bin
cd /run/rootwright || exit
{init}
echo attempted >/attempted
exit 0
`, #{ mode: 0o755 });
root.symlink("/sbin/init", "/usr/lib/systemd/systemd");
root.nspawn_boot("true", #{ timeout: 20 });
root.export(#{ format: "dir", name: "x" });
"##,
            TOOLS,
            init
        ));
        let start = Instant::now();
        let build = target.build();
        // A file of 3 GiB has no place in it.
        let limited = format!(
            "ulimit -v 3000000; exec timeout 120 {:?} \"$@\"",
            build.get_program()
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &limited, "sh"]).args(build.get_args());
        shell.current_dir(target.project.path());
        let output = shell.output().unwrap();
        let said = stderr(&output);
        // It may well say that all went well.
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{attack}: {said}"
        );
        assert!(start.elapsed() < Duration::from_secs(60), "{attack}");
        assert!(!said.contains(SECRET), "{attack}: {said}");
        let root = match output.status.success() {
            true => target.project.out().join("x/root"),
            false => target.failed_root(),
        };
        assert!(root.join("attempted").exists(), "{attack}: {said}");
        let logs = target.project.store().join("logs");
        let found = Command::new("grep")
            .args(["-rl", SECRET])
            .arg(logs)
            .output();
        assert_eq!(stdout(&found.unwrap()), "", "{attack}");
        target.is_untouched(&root);
    }
}

/// What it has ended is its own: the build reports that the step was killed.
#[test]
#[ignore = "run with tests/run attacks"]
fn killing_all_processes() {
    const KILL: Attack = Attack {
        name: "all-processes",
        places: EVERYWHERE,
        script: "attack kill-all \"$pids\"",
    };
    for place in COMMANDS {
        let mut target = Target::new();
        let steps = target.steps(*place, &[&KILL]);
        target.project.tiny(format!("{TOOLS}{steps}"));
        let said = target.build().failure().err();
        assert!(said.contains("x step 3 failed: "), "{place:?}: {said}");
        target.is_untouched(&target.project.out().join("x/root"));
    }
}

/// Without `network`, a command in a root does not reach the host's services.
#[test]
#[ignore = "run with tests/run attacks"]
fn services_of_the_host_without_a_network() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let port = listen(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let name = format!("attacked-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
    let socket = UnixListener::bind_addr(&address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let target = Target::new();
    let payload = target.project.beside().join("payload");
    let payload = payload.display();
    let attack = |network: bool, end: &str| {
        text!(
            r#"root.nspawn_run(`
/payload/attack tcp {port} >/attempts/tcp-{network} {end}
/payload/attack abstract-socket {name} >/attempts/socket-{network} {end}
`, #{ network: {network}, binds: [#{ host: "{payload}", path: "/payload", read_only: true }] });
"#,
            port,
            name,
            network,
            end,
            payload
        )
    };
    let refused = attack(false, "&& exit 9 || true");
    target.project.tiny(format!(
        "root.make_dir(\"/attempts\");\n{refused}root.export(#{{ format: \"dir\", name: \"x\" }});"
    ));
    target.build().success();
    let said = |name: &str| target.project.read(&format!("out/x/root/attempts/{name}"));
    assert!(said("tcp-false").starts_with("the host's loopback: "));
    assert!(said("socket-false").starts_with("an abstract socket: "));
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    assert!(socket.accept().is_err());
}

/// Runs a build on a host whose folders are covered by overlays, and lists what was written to
/// them, by whatever way: nothing of it has to be expected.
const WATCHED: &str = r#"
beside=$1
shift
mount --make-rprivate /
mkdir -p "$beside/over"
mount -t tmpfs tmpfs "$beside/over"
folders='/etc /usr /opt /srv /root /home /boot /var /tmp'
cover() {
    mkdir -p "$beside/over$1/up" "$beside/over$1/work"
    mount -t overlay -o "lowerdir=$1,upperdir=$beside/over$1/up,workdir=$beside/over$1/work" overlay "$1"
}
mount --rbind "$beside" /mnt
for folder in $folders; do cover $folder; done
mount --move /mnt "$beside"
# That these are seen is a part of the test.
touch /etc/watched /tmp/watched
"$@" >"$beside/said" 2>&1 || true
cd "$beside/over"
for folder in $folders; do find ".$folder/up" -mindepth 1 -printf "$folder/%P\n"; done
"#;

#[test]
#[ignore = "run with tests/run attacks"]
fn a_build_in_which_everything_is_hostile() {
    let mut target = Target::new();
    let commands: String = COMMANDS
        .iter()
        .map(|place| target.steps(*place, &attacks(*place)))
        .collect();
    let boot = target.steps(Place::Boot, &attacks(Place::Boot));
    let recipes = |target: &Target| {
        let mut found = crate::support::listing(target.project.path());
        found.retain(|name, _| !name.starts_with("store") && !name.starts_with("out"));
        found
    };
    for steps in [commands, boot] {
        target.project.tiny(format!(
            "{TOOLS}{steps}root.export(#{{ format: \"dir\", name: \"x\" }});"
        ));
        let before = recipes(&target);
        let build = target.build();
        let mut watched = Command::new("unshare");
        watched
            .args(["--mount", "sh", "-euc", WATCHED, "sh"])
            .arg(target.project.beside())
            .arg(build.get_program())
            .args(build.get_args())
            .current_dir(target.project.path())
            .env("ROOTWRIGHT_SECRET_UNUSED", SECRET);
        let written = stdout(&run(&mut watched));
        assert_eq!(written, "/etc/watched\n/tmp/watched\n");
        assert_eq!(recipes(&target), before);
        assert!(!read(target.project.beside().join("said")).contains(SECRET));
    }
    let root = target.project.out().join("x/root");
    for place in COMMANDS {
        target.all_were_refused(*place, &attacks(*place), &root);
    }
    target.all_were_refused(Place::Boot, &attacks(Place::Boot), &target.failed_root());
    target.is_untouched(&root);
}

/// What a command leaves running ends before its step does, and changes nothing after.
#[test]
#[ignore = "run with tests/run attacks"]
fn processes_that_outlive_their_step() {
    let word = format!("85{}", std::process::id());
    let target = Target::new();
    let late = text!(
        r#"trap "" TERM HUP INT; for n in 1 2; do setsid sh -c "trap '' TERM HUP INT; echo started >>$1/started; sleep {word}; echo late >$1/late" sh "$1" >/dev/null 2>&1 & done; sleep 0.2"#,
        word
    );
    target.project.tiny(text!(
        r#"{TOOLS}root.nspawn_run(script(`{late}`, #{ arguments: ["/"] }));
root.host_run(script(`{late}`, #{ arguments: [root.path] }));
root.export(#{ format: "dir", name: "x" });
"#,
        TOOLS,
        late
    ));
    let start = Instant::now();
    target.build().success();
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(
        target.project.read("out/x/root/started"),
        "started\n".repeat(4)
    );
    assert!(!target.project.out().join("x/root/late").exists());
    assert!(processes_with(&format!("sleep {word}")).is_empty());
}

/// A command puts a link to the host where the build puts the root back after it.
#[test]
#[ignore = "run with tests/run attacks"]
fn links_in_the_way_of_what_is_put_back() {
    for attack in [
        "rm -rf /etc; ln -s {host} /etc",
        "mv /etc /other; ln -s ../../../../../../../../..{host} /etc",
        "umount /etc/resolv.conf; rm -rf /etc; ln -s {host} /etc",
        "rm -f /etc/resolv.conf; ln -s {canary} /etc/resolv.conf",
        "umount -l /cache; rm -rf /cache; ln -s {host} /cache",
        "mv /data /moved; ln -s {host} /data",
        "umount -l /data/deep/bound; rm -rf /data; ln -s {host} /data",
        "rm -rf /cache/*; ln -s {canary} /cache/one.x; ln -s {host} /cache/two.x; mkfifo /cache/three.x",
        "truncate -s 3G /cache/one.x",
    ] {
        let mut target = Target::new();
        let canary = target.canaries[0].clone();
        let host = canary.parent().unwrap().display();
        let bound = target.project.beside().join("bound");
        let (canary, bound) = (canary.display(), bound.display());
        let attack = text!(attack, host, canary);
        target.project.tiny(text!(
            r#"{TOOLS}root.nspawn_run(`set +e; {attack}; echo attempted >/attempted`, #{ binds: [#{ host: "{bound}", path: "/data/deep/bound", read_only: true }], downloads: [#{ pool: "p", path: "/cache", suffix: ".x" }] });
root.write_file("/etc/new", "attacked\n");
root.write_file("/data/new", "attacked\n");
root.nspawn_run("true", #{ downloads: [#{ pool: "p", path: "/cache", suffix: ".x", checked: true }] });
root.export(#{ format: "dir", name: "x" });
"#,
            TOOLS,
            attack,
            bound
        ));
        let outcome = target.build().output();
        let root = match outcome.status() {
            Some(0) => target.project.out().join("x/root"),
            _ => target.failed_root(),
        };
        assert!(
            root.join("attempted").exists(),
            "{attack}: {}",
            outcome.err()
        );
        target.is_untouched(&root);
    }
}

/// Builds; the most memory that one process of the build had, in KiB.
fn with_peak_memory(target: &Target) -> (Output, u64) {
    let project = target.project.path();
    let mut build = target.build();
    let files = [project.join("stdout"), project.join("stderr")];
    build.stdout(File::create(&files[0]).unwrap());
    build.stderr(File::create(&files[1]).unwrap());
    let mut child = build.spawn().unwrap();
    let mut most = 0;
    let status = loop {
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let process = entry.path();
            let here = std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == project);
            let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
            let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok());
            if let Some(peak) = peak.filter(|_| here) {
                most = most.max(peak);
            }
        }
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(most > 1000);
    let [stdout, stderr] = files.map(|file| std::fs::read(file).unwrap());
    let output = Output {
        status,
        stdout,
        stderr,
    };
    (output, most)
}

/// Output without an end or a line break takes no memory, and no terminal obeys it.
#[test]
#[ignore = "run with tests/run attacks"]
fn output_that_is_huge_or_plays_with_the_terminal() {
    for (steps, status) in [
        (r"root.nspawn_run(`head -c 400M /dev/zero | tr '\0' x`);", 0),
        (
            r#"root.host_run(["sh", "-c", "head -c 400M /dev/zero | tr '\\0' x; exit 1"]);"#,
            1,
        ),
        ("root.nspawn_run(`yes | head -c 100M; exit 1`);", 1),
        (
            r##"log(root.capture(["sh", "-c", "head -c 400M /dev/zero | tr '\\0' x"], #{ preview: "x" }));"##,
            0,
        ),
        (
            r"root.nspawn_run(`printf '\033[2J\033]0;owned\007red\r\302\2332J\n'; exit 1`);",
            1,
        ),
        (
            r#"root.host_run(["sh", "-c", "printf '\\033[2J\\033]0;owned\\007' >&2; exit 1"]);"#,
            1,
        ),
    ] {
        let target = Target::new();
        target.project.tiny(format!("{TOOLS}{steps}\n"));
        let (output, memory) = with_peak_memory(&target);
        let said = format!("{}{}", stdout(&output), stderr(&output));
        let end = said
            .get(said.len().saturating_sub(3000)..)
            .unwrap_or_default();
        assert_eq!(output.status.code(), Some(status), "{steps}: {end}");
        assert!(said.len() < 4_000_000, "{steps}");
        assert!(memory < 300 << 10, "{steps}: {memory} KiB");
        let bad = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!said.contains(bad), "{steps}: {said:?}");
        // It was printed, if only in parts.
        assert_eq!(said.contains("it said:"), status == 1, "{steps}: {said:?}");
    }
}

/// A known gap: what a command writes to a folder of the host that the recipe binds writable
/// belongs to root on the host, and may be set-uid. That takes `--allow-host-run`, and hurts where
/// other users reach the folder.
#[test]
#[ignore = "run with tests/run attacks"]
fn known_gap_a_set_uid_program_in_a_writable_bind() {
    let target = Target::new();
    let shared = target.project.beside().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let at = shared.display();
    let step = text!(
        r#"root.nspawn_run("cat /bin/busybox >/shared/x; /bin/busybox chmod 4755 /shared/x", #{ binds: [#{ host: "{at}", path: "/shared" }] });
"#,
        at
    );
    target.project.tiny(step);
    let denied = target.project.command(&["build", "recipe.rhai"]).failure();
    denied.stderr_contains([
        "the recipe wants the host's",
        "commands in the root can change it",
    ]);
    assert!(!shared.join("x").exists());
    target.build().success();
    let program = shared.join("x").metadata().unwrap();
    assert_eq!((program.uid(), program.mode() & 0o7777), (0, 0o4755));
}
