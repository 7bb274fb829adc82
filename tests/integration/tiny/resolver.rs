//! Name resolution in roots, on a host that has systemd-resolved; build.rs has one
//! without. Root privileges.

use crate::support::{Project, run};

/// A host with systemd-resolved: /etc/resolv.conf is a link to a file below /run, which the
/// build's own mounts are over. Made in a mount namespace, with an overlay over /etc.
#[test]
#[ignore = "run with tests/run tiny"]
fn a_host_with_systemd_resolved_lends_its_stub() {
    const HOST: &str = r#"
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work"
ln -s ../run/systemd/resolve/stub-resolv.conf "$1/upper/resolv.conf"
mount -t overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" none /etc
mount -t tmpfs none /run
mkdir -p /run/systemd/resolve
echo 'nameserver 127.0.0.53' >/run/systemd/resolve/stub-resolv.conf
status=0
"$2" build recipe.rhai --allow-host-run --store store || status=$?
test "$(readlink /etc/resolv.conf)" = ../run/systemd/resolve/stub-resolv.conf
test "$(cat /run/systemd/resolve/stub-resolv.conf)" = 'nameserver 127.0.0.53'
exit $status
"#;
    for (name, make, kept) in [
        ("a file", "echo own >etc/resolv.conf", "own"),
        ("missing", "true", "missing"),
        (
            "the same link, as an image of such a host has it",
            "ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf",
            "-> ../run/systemd/resolve/stub-resolv.conf",
        ),
        (
            "a link to a path that the host has",
            "ln -s /etc/resolv.conf etc/resolv.conf",
            "-> /etc/resolv.conf",
        ),
        ("a folder", "mkdir etc/resolv.conf", "folder"),
    ] {
        let project = Project::new();
        let folder = project.path().join("host");
        std::fs::create_dir(&folder).unwrap();
        project.write(
            "recipe.rhai",
            &text!(
                r#"let root = bootstrap(#{ distro: "tiny" });
root.host_run(["sh", "-euc", "cd $0; {make}", root.path]);
root.nspawn_run(["sh", "-euc", "cat /etc/resolv.conf >/var/seen"]);
root.export(#{ format: "dir", name: "x" });"#,
                make
            ),
        );
        run(std::process::Command::new("unshare")
            .args(["--mount", "sh", "-euc", HOST, "sh"])
            .arg(&folder)
            .arg(env!("CARGO_BIN_EXE_rootwright"))
            .current_dir(project.path()));
        let root = project.out().join("x/root");
        let seen = std::fs::read_to_string(root.join("var/seen")).unwrap();
        assert_eq!(seen, "nameserver 127.0.0.53\n", "{name}");
        let file = root.join("etc/resolv.conf");
        let found = match std::fs::symlink_metadata(&file) {
            Err(_) => "missing".to_owned(),
            Ok(metadata) if metadata.is_symlink() => {
                format!("-> {}", std::fs::read_link(&file).unwrap().display())
            }
            Ok(metadata) if metadata.is_dir() => "folder".to_owned(),
            Ok(_) => std::fs::read_to_string(&file).unwrap().trim().to_owned(),
        };
        assert_eq!(found, kept, "{name}");
    }
}
