//! Format `oci`: an image layout (OCI image specification 1.1), as a folder or in a tar.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::oci_steps::LayerTar;
use super::tools::ToolPaths;
use super::{Error, companions, oci_steps, tools};
use crate::export::ExportJob;
use crate::plan::tool::{ToolPart, oci_archive, tar};
use crate::plan::{Compression, Export, Format, OciLayers};
use crate::run::files;

const MEDIA: &str = "application/vnd.oci.image";

pub fn write(export: &Export, job: &ExportJob<'_>, to: &Path) -> Result<(), Error> {
    let Format::Oci {
        archive,
        layers,
        compression,
        architecture,
        command,
    } = &export.format
    else {
        return Ok(());
    };
    let failed = Error::io("write", to);
    let work = tempfile::TempDir::with_prefix_in("oci-", job.staging).map_err(failed)?;
    let layout = match archive {
        true => work.path().join("layout"),
        false => to.to_owned(),
    };
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(failed)?;
    let tars = match (layers, job.layers) {
        (OciLayers::Steps, [_, _, ..]) => oci_steps::write(export, job, work.path())?,
        _ => {
            let path = work.path().join("root.tar");
            let places = ToolPaths::of_root(export, job.root, &path);
            places.pack(&tar(export, Compression::None, ToolPart::Output))?;
            let label = "rootwright".to_owned();
            vec![LayerTar { path, label }]
        }
    };
    let mut described = Vec::new();
    let mut ids = Vec::new();
    let mut history = Vec::new();
    for tar in &tars {
        let digest = files::sha256(&tar.path).map_err(failed)?;
        ids.push(format!("sha256:{digest}"));
        history.push(json!({ "created_by": tar.label }));
        described.push(layer(&blobs, &tar.path, *compression)?);
        fs::remove_file(&tar.path).map_err(failed)?;
    }
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": ids },
        "history": history,
        "config": match command.as_slice() {
            [] => json!({}),
            command => json!({ "Cmd": command }),
        },
    });
    let config = document(&blobs, "config", &config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": format!("{MEDIA}.manifest.v1+json"),
        "config": config,
        "layers": described,
    });
    let mut manifest = document(&blobs, "manifest", &manifest)?;
    if let Some(manifest) = manifest.as_object_mut() {
        let platform = json!({ "architecture": architecture, "os": "linux" });
        manifest.insert("platform".to_owned(), platform);
        let name = json!({ "org.opencontainers.image.ref.name": "latest" });
        manifest.insert("annotations".to_owned(), name);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": format!("{MEDIA}.index.v1+json"),
        "manifests": [manifest],
    });
    companions::write_json(&layout.join("index.json"), &index)?;
    let version = json!({ "imageLayoutVersion": "1.0.0" });
    companions::write_json(&layout.join("oci-layout"), &version)?;
    if *archive {
        let places = ToolPaths {
            export,
            root: job.root,
            tree: &layout,
            output: to,
        };
        places.pack(&oci_archive(export))?;
    }
    Ok(())
}

/// Puts a layer among the blobs; gives its descriptor.
fn layer(blobs: &Path, tar: &Path, compression: Compression) -> Result<Value, Error> {
    let packed = blobs.join("layer");
    let failed = Error::io("write", &packed);
    let media = match compression.argv() {
        None => {
            // From the store to the output folder, which may be another file system.
            fs::copy(tar, &packed).map_err(failed)?;
            "layer.v1.tar".to_owned()
        }
        Some(program) => {
            let argv: Vec<String> = program.iter().map(|&word| word.to_owned()).collect();
            let run = tools::process(&argv)
                .stdin_file(fs::File::open(tar).map_err(failed)?)
                .stdout_file(tools::create(&packed)?);
            tools::run("pack a layer into", &packed, run)?;
            format!("layer.v1.tar+{}", compression.name())
        }
    };
    companions::readable(&packed)?;
    blob(&packed, &media)
}

/// Puts a document among the blobs; gives its descriptor.
fn document(blobs: &Path, kind: &str, value: &Value) -> Result<Value, Error> {
    let path = blobs.join(kind);
    companions::write_json(&path, value)?;
    blob(&path, &format!("{kind}.v1+json"))
}

/// Gives a new file among the blobs its name there, the digest; gives its descriptor.
fn blob(path: &Path, media: &str) -> Result<Value, Error> {
    let failed = Error::io("write", path);
    let digest = files::sha256(path).map_err(failed)?;
    let size = fs::metadata(path).map_err(failed)?.len();
    fs::rename(path, path.with_file_name(&digest)).map_err(failed)?;
    Ok(json!({
        "mediaType": format!("{MEDIA}.{media}"),
        "digest": format!("sha256:{digest}"),
        "size": size,
    }))
}
