//! The servers that a node boots from, and what it is told of them.

use fs_err as fs;

use super::error::Error;
use super::job::{Boot, HOST, bootless, kernel};
use super::{http, nfs, node};
use crate::export::OpenedExport;
use crate::plan::{Transport, Via};

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
    pub fn start(boot: &Boot<'_>) -> Result<Servers, Error> {
        let (opened, transport) = (boot.opened, boot.opened.transport());
        let nfs = match transport {
            Some(Transport::Nfs) => {
                let program = boot.means.machines.nfs_server()?;
                Some(nfs::Nfs::serve(program, &opened.artifact, boot.folder)?)
            }
            _ => None,
        };
        let over_http = transport == Some(Transport::Http) || boot.wanted.via == Via::Pxe;
        let http = over_http.then(|| http::Http::serve(&opened.path));
        let http = http.transpose()?;
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
    pub fn cmdline(&self, opened: &OpenedExport) -> Result<String, Error> {
        let cmdline = match &self.nfs {
            // The port is one more option of the mount.
            Some(nfs) => {
                let options = format!("{HOST}:/:port={},", nfs.port);
                let cmdline = opened.cmdline_for(&format!("{HOST}:/"), "");
                cmdline.map(|line| line.replace(&format!("{HOST}:/:"), &options))
            }
            None => opened.cmdline_for("", &self.url()),
        };
        cmdline.ok_or_else(|| bootless(opened, "no initramfs was made for it"))
    }

    /// What the node loads.
    ///
    /// # Errors
    /// When the export lacks it.
    pub fn load(&self, boot: &Boot<'_>, cmdline: &str) -> Result<node::Load, Error> {
        let opened = boot.opened;
        if boot.wanted.via == Via::Direct {
            let none = || bootless(opened, "there is no initramfs beside it");
            return Ok(node::Load::Direct {
                kernel: kernel(opened)?,
                initramfs: opened.initramfs.clone().ok_or_else(none)?,
                cmdline: cmdline.to_owned(),
            });
        }
        let tftp = boot.folder.join("tftp");
        fs::create_dir_all(&tftp)?;
        fs::write(tftp.join(BOOT_SCRIPT), self.boot_script(opened, cmdline)?)?;
        Ok(node::Load::Firmware { tftp })
    }

    /// iPXE parts a line at blanks and leaves quotes and backslashes as they are (seen with
    /// 1.0.0+git-20190125): the command line goes in as it is.
    ///
    /// The export's own script, with this host's addresses and command line.
    fn boot_script(&self, opened: &OpenedExport, cmdline: &str) -> Result<String, Error> {
        let path = opened.path.join(BOOT_SCRIPT);
        let (of, name) = (|| opened.path.clone(), BOOT_SCRIPT);
        if !path.is_file() {
            return Err(Error::NoScript { path: of() });
        }
        let strange = || Error::Script { path: of(), name };
        let text = fs::read_to_string(&path)?;
        let kernel = |line: &str| {
            let url = line.strip_prefix("kernel ")?.split_whitespace().next()?;
            Some(url.strip_suffix("/vmlinuz")?.to_owned())
        };
        let url = text.lines().find_map(kernel).ok_or_else(strange)?;
        let own = opened.cmdline.as_deref();
        let own = own.filter(|own| text.contains(own)).ok_or_else(strange)?;
        Ok(text.replace(own, cmdline).replace(&url, &self.url()))
    }
}
