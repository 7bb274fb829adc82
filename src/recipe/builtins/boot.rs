//! `expect_boot`: an export has to boot, or the build fails.

use std::collections::BTreeMap;

use rhai::Dynamic;
use serde::Deserialize;

use crate::plan::{ExpectBoot, Export, Op, RootId, Transport, Via};
use crate::recipe::args::{Call, Fields, Result};

pub static BUILTINS: &[super::Registered] = builtins![
    Everyone expect_boot(export, [spec]) => expect_boot,
];

/// What of the stdlib's `boot/machines.toml` says which programs a boot takes; the rest is
/// for whoever boots.
#[derive(Debug, Default, Deserialize)]
struct Programs {
    #[serde(default)]
    servers: BTreeMap<String, String>,
    #[serde(flatten)]
    machines: BTreeMap<String, toml::Value>,
}

const WAYS: &[&str] = &["nfs", "http", "pxe"];

fn expect_boot(call: &Call<'_>) -> Result<Dynamic> {
    let (root, export) = call.export(0)?;
    let fields = call.fields(1)?;
    bootable(call, &export)?;
    let expect = ExpectBoot {
        export: export.name.clone(),
        via: via(&fields, &export)?,
        commands: fields.strings("commands")?.unwrap_or_default(),
        memory: fields.number("memory", 64)?,
        processors: fields
            .number("processors", 1)?
            .map_or(ExpectBoot::PROCESSORS, |number| {
                u32::try_from(number).unwrap_or(u32::MAX)
            }),
        timeout: fields.number("timeout", 1)?.unwrap_or(ExpectBoot::TIMEOUT),
        programs: programs(call, root, &export),
    };
    fields.finish()?;
    let label = format!("boot {}", export.name);
    call.act(root, label, Op::ExpectBoot(expect))
}

/// Refuses what is no root for a node, or has nothing that gets a node to it.
fn bootable(call: &Call<'_>, export: &Export) -> Result<()> {
    let (name, format) = (&export.name, export.format.name());
    if !export.format.boots() {
        let message = format!("the export `{name}` has the format `{format}`, and boots no node");
        let report = call.refuse(0, "boots_nothing", message);
        return Err(report.help(
            "`nfs` and `dir` are served over NFS, `squashfs` and `erofs` over HTTP; `cpio` is a root in memory",
        ));
    }
    if export.cmdline.is_none() && export.cmdline_command.is_none() {
        let message = format!("the export `{name}` has no initramfs that gets at it");
        let transport = export.format.transport().map_or("nfs", Transport::name);
        let report = call.refuse(0, "boots_nothing", message);
        return Err(report.help(format!(
            "before the export: `root.dracut(#{{ transports: [\"{transport}\"], overlay: true }})`"
        )));
    }
    Ok(())
}

fn via(fields: &Fields<'_>, export: &Export) -> Result<Via> {
    let Some(given) = fields.text("via")? else {
        return Ok(Via::Direct);
    };
    let refuse = |message: String| fields.refuse("via", "boot_via", message);
    let own = export.format.transport().map(Transport::name);
    match given.as_str() {
        "pxe" if export.texts.iter().any(|text| text.name == "boot.ipxe") => Ok(Via::Pxe),
        "pxe" => {
            let message = format!(
                "an export in the format `{}` has no `boot.ipxe`",
                export.format.name()
            );
            let report = refuse(message);
            Err(report.help("the formats `nfs`, `squashfs`, `erofs` and `cpio` have one"))
        }
        way if Some(way) == own => Ok(Via::Direct),
        way if WAYS.contains(&way) => {
            let message = format!(
                "an export in the format `{}` cannot be booted over `{way}`",
                export.format.name()
            );
            let report = refuse(message);
            Err(match own {
                Some(own) => report.help(format!("leave `via` out, or say `{own}` or `pxe`")),
                None => report.help("leave `via` out, or say `pxe`"),
            })
        }
        other => {
            let report = refuse(format!("there is no way `{other}` to boot a node"));
            Err(report.help_near(
                other,
                WAYS,
                "`nfs`, `http`, or `pxe` for a boot from the firmware on",
            ))
        }
    }
}

/// The programs of the host that the boot takes, as far as the stdlib's table knows them.
fn programs(call: &Call<'_>, root: RootId, export: &Export) -> Vec<String> {
    let table = call.session.stdlib().text("boot/machines.toml");
    let table: Programs = table
        .and_then(|text| toml::from_str(&text).ok())
        .unwrap_or_default();
    let plan = call.plan();
    let machine = plan.root(root).and_then(|root| root.machine.as_ref());
    let machine = machine.and_then(|name| table.machines.get(name)?.get("program")?.as_str());
    let server = export.format.transport().map(Transport::name);
    let server = server.and_then(|name| table.servers.get(name));
    machine
        .map(str::to_owned)
        .into_iter()
        .chain(server.cloned())
        .collect()
}
