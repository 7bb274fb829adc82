//! The servers that a node boots from, and what it is told of them.

use std::path::Path;

use fs_err as fs;

use super::{Error, Means, Wanted, bootless, http, kernel, nfs, node};
use crate::export::Opened;
use crate::plan::{Transport, Via};

/// This host, as a node with user networking sees it.
pub const HOST: &str = "10.0.2.2";

const BOOT_SCRIPT: &str = "boot.ipxe";

pub struct Servers {
    nfs: Option<nfs::Nfs>,
    pub http: Option<http::Http>,
}

impl Servers {
    /// Starts what the export asks for.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(
        opened: &Opened,
        wanted: &Wanted,
        means: &Means,
        folder: &Path,
    ) -> Result<Servers, Error> {
        let transport = opened.transport();
        let nfs = match transport {
            Some(Transport::Nfs) => {
                let program = means.machines.nfs_server()?;
                Some(nfs::Nfs::serve(program, &opened.artifact, folder)?)
            }
            _ => None,
        };
        let http = match transport == Some(Transport::Http) || wanted.via == Via::Pxe {
            true => Some(http::Http::serve(&opened.path)?),
            false => None,
        };
        Ok(Servers { nfs, http })
    }

    fn url(&self) -> String {
        let port = self.http.as_ref().map_or(0, |http| http.port);
        format!("http://{HOST}:{port}")
    }

    /// The export's command line, with this host's servers in it.
    ///
    /// # Errors
    /// [`Error::Bootless`] where there is none.
    pub fn cmdline(&self, opened: &Opened) -> Result<String, Error> {
        let cmdline = match &self.nfs {
            // The port is one more option of the mount.
            Some(nfs) => opened.cmdline_for(&format!("{HOST}:/"), "").map(|line| {
                line.replace(
                    &format!("{HOST}:/:"),
                    &format!("{HOST}:/:port={},", nfs.port),
                )
            }),
            None => opened.cmdline_for("", &self.url()),
        };
        cmdline.ok_or_else(|| bootless(opened, "no initramfs was made for it"))
    }

    /// What the node loads.
    ///
    /// # Errors
    /// When the export lacks it.
    pub fn load(
        &self,
        opened: &Opened,
        wanted: &Wanted,
        cmdline: &str,
        folder: &Path,
    ) -> Result<node::Load, Error> {
        if wanted.via == Via::Direct {
            let initramfs = opened.initramfs.clone();
            return Ok(node::Load::Direct {
                kernel: kernel(opened)?,
                initramfs: initramfs
                    .ok_or_else(|| bootless(opened, "there is no initramfs beside it"))?,
                cmdline: cmdline.to_owned(),
            });
        }
        let tftp = folder.join("tftp");
        fs::create_dir_all(&tftp)?;
        fs::write(tftp.join(BOOT_SCRIPT), self.boot_script(opened, cmdline)?)?;
        Ok(node::Load::Firmware { tftp })
    }

    /// iPXE parts a line at blanks and leaves quotes and backslashes as they are (seen with
    /// 1.0.0+git-20190125): the command line goes in as it is.
    ///
    /// The export's own script, with this host's addresses and command line.
    fn boot_script(&self, opened: &Opened, cmdline: &str) -> Result<String, Error> {
        let path = opened.path.join(BOOT_SCRIPT);
        if !path.is_file() {
            return Err(Error::NoScript {
                path: opened.path.clone(),
            });
        }
        let strange = || Error::Script {
            path: opened.path.clone(),
            name: BOOT_SCRIPT,
        };
        let text = fs::read_to_string(&path)?;
        let url = text
            .lines()
            .find_map(|line| {
                line.strip_prefix("kernel ")?
                    .split_whitespace()
                    .next()?
                    .strip_suffix("/vmlinuz")
            })
            .ok_or_else(strange)?
            .to_owned();
        let own = opened
            .cmdline
            .as_ref()
            .filter(|own| text.contains(own.as_str()));
        let text = text.replace(own.ok_or_else(strange)?, cmdline);
        Ok(text.replace(&url, &self.url()))
    }
}
