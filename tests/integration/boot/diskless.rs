//! docs/diskless.md, carried out: its commands, in order, as root of a machine whose `eth1`
//! leads to one node, and a node in QEMU that starts from its firmware. All of it in network,
//! mount and process namespaces of its own. Needs root privileges, a Debian mirror (the
//! host's own), /dev/net/tun, QEMU, dnsmasq, nfs-ganesha and the packages of the page.

use std::path::Path;
use std::process::Command;

use crate::support::{mounts_below, stderr, stdout};

/// Enters the namespaces, lays overlays over what the page's commands write to, and runs
/// them one by one: `$t/NN.sh`, said in `$t/NN.out`; the file `node` says before which of
/// them the node is switched on.
const STAGE: &str = r#"
set -euo pipefail
t=$1
if [ "$2" = outside ]; then
    # Builds go to the mirror; everything else sees the nodes' network only.
    touch "$t/hostnet"
    mount --bind /proc/self/ns/net "$t/hostnet"
    exec unshare --net bash "$t/stage.sh" "$t" inside
fi
cp /etc/resolv.conf "$t/resolv.conf"
mkdir "$t/over"
mount -t tmpfs tmpfs "$t/over"
for folder in etc root srv run var/lib var/log; do
    mkdir -p "$t/over/up/$folder" "$t/over/aside/$folder"
    mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$t/over/up/$folder,workdir=$t/over/aside/$folder" "/$folder"
done
# A container's own may be a mount of its own, which the overlay hides.
cmp -s "$t/resolv.conf" /etc/resolv.conf || cp --remove-destination "$t/resolv.conf" /etc/resolv.conf
rm -rf /root/.ssh /srv/rootwright
# The trees themselves are on the disk: NFS servers want file handles.
mkdir /srv/rootwright "$t/out"
mount --bind "$t/out" /srv/rootwright

ip link set lo up
ip link add eth1 type bridge
ip addr add 192.0.2.1/24 dev eth1
ip tuntap add tap0 mode tap
ip link set tap0 master eth1 up
ip link set eth1 up

mkdir "$t/bin" "$t/site"
# What is installed is the host's business (tests/run): here it is looked whether it could be.
printf '#!/bin/sh\nexec /usr/bin/apt-get --simulate "$@"\n' >"$t/bin/apt-get"
# The cloud kernel is a fifth of the other's size.
cat >"$t/bin/rootwright" <<END
#!/bin/sh
[ "\$1" != build ] || set -- "\$@" -o kernel=linux-image-cloud-amd64
exec nsenter --net="$t/hostnet" "$ROOTWRIGHT" "\$@"
END
chmod +x "$t/bin"/*
export PATH="$t/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root
cd "$t/site"
cp "$t/nodes.rhai" .
for block in "$t"/[0-9]*.sh; do
    if [ "$(basename "$block")" = "$(cat "$t/node")" ]; then
        qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 1024 -smp 2 -display none \
            -monitor none -serial "file:$t/console" -boot n \
            -netdev tap,id=n0,ifname=tap0,script=no,downscript=no \
            -device virtio-net-pci,netdev=n0,mac=52:54:00:12:34:56 2>"$t/qemu" &
        start=$SECONDS
        until (exec 3<>/dev/tcp/192.0.2.101/22) 2>/dev/null; do
            if ((SECONDS - start > 900)); then
                tail -n 40 "$t/console" "$t/qemu"
                exit 1
            fi
            sleep 1
        done
        echo "a node answers after $((SECONDS - start)) s"
    fi
    timeout 900 bash -euo pipefail "$block" >"${block%.sh}.out" 2>&1 </dev/null || {
        status=$?
        echo "$(basename "$block"): exit status $status"
        cat "$block" "${block%.sh}.out"
        exit 1
    }
done
"#;

/// The page's blocks of commands, with the place of the node's start among them.
fn blocks(page: &str) -> (Vec<&str>, usize) {
    let fenced = |text| -> Vec<&str> {
        let parts = str::split(text, "\n```sh\n").skip(1);
        parts
            .map(|part: &str| part.split("\n```").next().unwrap())
            .collect()
    };
    let (before, after) = page.split_once("<!-- a node is switched on -->").unwrap();
    let mut all = fenced(before);
    let node = all.len();
    all.extend(fenced(after));
    (all, node)
}

#[test]
#[ignore = "run with tests/run boot"]
fn the_page_is_carried_out_and_a_node_boots_from_its_firmware() {
    let base = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(base.join("docs/diskless.md")).unwrap();
    let folder = tempfile::Builder::new()
        .prefix("rootwright-diskless-")
        .tempdir_in("/var/tmp")
        .unwrap();
    let at = folder.path();
    let write = |name: &str, text: &str| std::fs::write(at.join(name), text).unwrap();
    let recipe = page.split("```rhai\n").nth(1).unwrap();
    write("nodes.rhai", recipe.split("```").next().unwrap());
    let (blocks, node) = blocks(&page);
    for (number, block) in blocks.iter().enumerate() {
        write(&format!("{number:02}.sh"), block);
    }
    write("node", &format!("{node:02}.sh"));
    write("stage.sh", STAGE);

    let output = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["--propagation", "private", "bash"])
        .arg(at.join("stage.sh"))
        .arg(at)
        .arg("outside")
        .env("ROOTWRIGHT", env!("CARGO_BIN_EXE_rootwright"))
        .env("ROOTWRIGHT_STORE", at.join("store"))
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert_eq!(mounts_below(at), Vec::<String>::new());

    // What the block that has this command in it said.
    let said = |command: &str| {
        let number = blocks.iter().position(|block| block.contains(command));
        let number = number.unwrap_or_else(|| panic!("the page has no `{command}`"));
        std::fs::read_to_string(at.join(format!("{number:02}.out"))).unwrap()
    };
    assert!(said("dnsmasq --test").contains("syntax check OK"));
    let node = said("findmnt -no FSTYPE /;");
    assert_eq!(node, "overlay\nnfs4\nThis machine has no disk.\n");
    let lint = said("rootwright lint");
    assert!(
        lint.contains("nodes: nothing wrong") || lint.contains(" note"),
        "{lint}"
    );
    let versions = said("export ls nodes");
    assert!(
        versions.contains("current") && versions.contains("ganesha"),
        "{versions}"
    );
    // The node stays on the first version; whoever starts now gets the second, then the first.
    let upgraded = said(r#"grep -o "nodes/[0-9]*/tree/root""#);
    assert_eq!(
        upgraded,
        "nodes/1/tree/root\nThis machine has no disk.\nnodes/2/tree/root\n"
    );
    let kept = said("export prune");
    assert!(
        kept.contains("ganesha") && at.join("out/nodes/1/root/etc").is_dir(),
        "{kept}"
    );
    let back = said("export rollback");
    assert!(back.ends_with("nodes/1/tree/root\n"), "{back}");
    assert!(at.join("out/nodes/2/root/etc").is_dir());
}
