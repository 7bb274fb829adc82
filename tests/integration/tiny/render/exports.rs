//! Scripts that write exports for real: the same artifacts as rootwright's own.

use std::path::Path;

use fs_err as fs;
use rootwright::export::{self, Manifest, OpenedExport};
use rootwright::export::{ExportJob, ExportRoot};
use rootwright::plan::*;
use rootwright::run::files;

use super::real::{Bench, busybox, said};
use crate::support::plans::{self, Builder, write};

const TIME: u64 = 1_700_000_000;

fn root() -> Builder {
    busybox().step(
        0,
        "files",
        "files",
        vec![
            write("/boot/vmlinuz", "kernel"),
            write("/boot/initrd", "initrd"),
            write("/cache/gone", "x"),
            write("/etc/one", "1\n"),
        ],
    )
}

fn spec(format: Format) -> Export {
    Export {
        exclude: plans::words(&["cache/*"]),
        kernel: plans::words(&["/boot/vmlinuz"]),
        initramfs: plans::words(&["/boot/initrd"]),
        cmdline_command: Some(plans::command(&[
            "echo",
            "root=live:URL/root.squashfs rd.live.image",
        ])),
        times: Times::Until { seconds: TIME },
        served: Served {
            server: Some("192.0.2.1".to_owned()),
            ..Served::default()
        },
        texts: vec![ServerText::parse(
            "boot.ipxe".to_owned(),
            "#!ipxe\n# @NAME@ $HOME `x` & \\ done @VERSION@\nkernel @URL@/vmlinuz @CMDLINE@\n# @DIR@ @BUNDLE@ @SERVER@ @OWN@\n",
            &[("OWN".to_owned(), "@DIR@".to_owned())].into(),
        )],
        ..plans::export("node", format)
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_script_writes_the_same_image() {
    for format in [
        Format::Squashfs {
            compression: Compression::Zstd,
        },
        Format::Erofs {
            compression: Compression::Lz4hc,
        },
        Format::Cpio {
            compression: Compression::Gzip,
        },
        Format::Tar {
            compression: Compression::Zstd,
        },
    ] {
        let bench = Bench::new();
        let dir = Export {
            name: "tree".to_owned(),
            exclude: Vec::new(),
            times: Times::Kept,
            ..spec(Format::Dir)
        };
        let plan = root()
            .step(
                0,
                "export",
                "export",
                vec![Op::Export(spec(format.clone()))],
            )
            .step(0, "export", "export", vec![Op::Export(dir)])
            .done();
        let output = bench.run(&plan, &[]);
        assert!(output.status.success(), "{}", said(&output));
        let out = bench.path("out");
        let ours = bench.path("ours");
        let staging = tempfile::tempdir().unwrap();
        let in_root = |command: &Command| Ok(command.words().pop().unwrap());
        let root = out.join("tree/root");
        let job = ExportJob {
            plan: &plan,
            root: ExportRoot::folder(&root),
            out: &ours,
            staging: staging.path(),
            in_root: &in_root,
            identity: &Key::of(&["a root"]),
            layers: &[],
        };
        export::write(&spec(format.clone()), &job).unwrap();
        let read =
            |dir: &Path, name: &str| fs::read_to_string(dir.join("node").join(name)).unwrap();
        let artifact = format.artifact();
        for name in [artifact.as_str(), "cmdline", "vmlinuz", "initramfs.img"] {
            let digest = |dir: &Path| files::sha256(&dir.join("node").join(name)).unwrap();
            assert_eq!(digest(&out), digest(&ours), "{format:?}: {name}");
        }
        let text = read(&ours, "boot.ipxe")
            .replace(&ours.display().to_string(), &out.display().to_string());
        assert_eq!(read(&out, "boot.ipxe"), text);
        let manifest: Manifest = serde_json::from_str(&read(&out, "manifest.json")).unwrap();
        assert!(manifest.files.contains_key(&artifact));
        assert_eq!(manifest.identity, None);
    }
}

#[test]
#[ignore = "run with tests/run tiny"]
fn a_script_adds_versions() {
    let bench = Bench::new();
    let nfs = |version: Option<&str>| {
        let export = Export {
            cmdline: Some("root=nfs4:SERVER:PATH:ro".to_owned()),
            cmdline_command: None,
            times: Times::Kept,
            ..spec(Format::Nfs {
                keep: None,
                version: version.map(str::to_owned),
                share: Share::Links,
            })
        };
        root()
            .step(0, "export", "export", vec![Op::Export(export)])
            .done()
    };
    for plan in [nfs(None), nfs(None), nfs(Some("autumn"))] {
        let output = bench.run(&plan, &[]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let shelf = bench.path("out").join("node");
    let opened = OpenedExport::open(&shelf).unwrap();
    assert_eq!(opened.path, fs::canonicalize(shelf.join("autumn")).unwrap());
    let at = fs::canonicalize(&shelf).unwrap();
    let expected = format!("root=nfs4:192.0.2.1:{}/2/tree/root:ro\n", at.display());
    assert_eq!(
        fs::read_to_string(shelf.join("2/cmdline")).unwrap(),
        expected
    );
    let versions = export::Shelf::open(&shelf).unwrap().versions().unwrap();
    let names: Vec<_> = versions
        .iter()
        .map(|version| version.name.as_str())
        .collect();
    assert_eq!(names, ["1", "2", "autumn"]);
    let output = bench.run(&nfs(Some("autumn")), &[]);
    assert!(
        said(&output).contains("autumn exists; it is not changed"),
        "{}",
        said(&output)
    );
}
