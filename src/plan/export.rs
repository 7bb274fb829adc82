//! What an export is to be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Command, ServerText};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Export {
    /// The folder below the output folder.
    pub name: String,
    pub format: Format,
    /// Patterns, relative to the root, of what is left out; `var/cache/*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Where the kernel's image is: the first pattern that names a file. `{kver}` stands
    /// for the newest kernel version in the root.
    pub kernel: Vec<String>,
    /// Where the initramfs is, likewise.
    pub initramfs: Vec<String>,
    /// The kernel command line that fits the initramfs, with `SERVER:PATH` or `URL` left
    /// to fill in; absent where no initramfs was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmdline: Option<String>,
    /// A command in the root that prints this line, where it depends on what the root
    /// holds; then `cmdline` is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmdline_command: Option<Command>,
    /// A command in the root that prints a line `name<TAB>version<TAB>architecture` for
    /// every package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<Command>,
    #[serde(default, skip_serializing_if = "Times::is_kept")]
    pub times: Times,
    #[serde(default, skip_serializing_if = "Served::is_default")]
    pub served: Served,
    /// Files that go beside the artifact: for boot loaders and for servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<ServerText>,
}

/// How nodes reach an export.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Served {
    /// The server's name or address; `SERVER` is left to fill in where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The export's folder on the server; its own place where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The URL of the output folder; the top of the server's HTTP where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Served {
    pub fn is_default(&self) -> bool {
        *self == Served::default()
    }

    pub fn server(&self) -> &str {
        self.server.as_deref().unwrap_or("SERVER")
    }

    /// The URL of the output folder, without a slash at its end.
    pub fn base_url(&self) -> String {
        match &self.url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.server()),
        }
    }
}

/// The modification times in an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Times {
    /// As the root's files have them.
    #[default]
    Kept,
    /// Later ones become this one; seconds since 1970.
    Until { seconds: u64 },
    /// Later ones become the one that this command in the root prints.
    Newest { command: Command },
}

impl Times {
    pub fn is_kept(&self) -> bool {
        *self == Times::Kept
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Format {
    /// `NAME/tree/root/`, the tree itself; `NAME/root` is a link to it.
    Dir,
    /// `NAME/VERSION/tree/root/`, and the links `NAME/VERSION/root` and `NAME/current`.
    Nfs {
        /// How many versions stay, those in use not counted; all where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep: Option<u32>,
        /// The version's name; the next number where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        share: Share,
    },
    /// `NAME/root.tar`, with the compressor's suffix.
    Tar { compression: Compression },
    /// `NAME/root.squashfs`.
    Squashfs { compression: Compression },
    /// `NAME/root.erofs`.
    Erofs { compression: Compression },
    /// `NAME/root.cpio`, with the compressor's suffix: the root as an initramfs.
    Cpio { compression: Compression },
    /// `NAME/root.ext4`, a file system without a partition table.
    Ext4 {
        /// In bytes; as large as it has to be where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
    /// `NAME/image/`, an OCI image layout, or `NAME/image.tar`.
    Oci {
        archive: bool,
        layers: OciLayers,
        compression: Compression,
        /// As OCI names it: `amd64`.
        architecture: String,
        /// What a container starts; nothing where empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        command: Vec<String>,
    },
}

/// What of the version before a new one shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// Blocks where the file system can, else whole files as hard links.
    Links,
    /// Blocks where the file system can, else nothing.
    Blocks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OciLayers {
    One,
    /// A layer for every step of the recipe that changes the root.
    Steps,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Xz,
    Lz4,
    Lz4hc,
}

/// How the initramfs beside an export gets at the root.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Transport {
    Nfs,
    Http,
}

impl Transport {
    /// As recipes and command lines say it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Compression {
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Of a file's name: `.gz`.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
            Compression::Xz => ".xz",
            Compression::Lz4 | Compression::Lz4hc => ".lz4",
        }
    }

    /// The program that compresses a stream; the same bytes whatever the number of
    /// threads.
    pub fn argv(self) -> Option<&'static [&'static str]> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some(&["gzip", "-n"]),
            Compression::Zstd => Some(&["zstd", "-q", "-T0"]),
            // The kernel knows no other check than CRC32.
            Compression::Xz => Some(&["xz", "--check=crc32"]),
            // The kernel knows the older form only.
            Compression::Lz4 => Some(&["lz4", "-q", "-l"]),
            Compression::Lz4hc => Some(&["lz4", "-q", "-l", "-9"]),
        }
    }
}

/// The tree of an export, below its folder. `tree` is for root alone: the programs in `root` may
/// be set-uid.
pub const TREE: &str = "tree/root";

/// A link to it.
pub const TREE_LINK: &str = "root";

impl Format {
    /// As a recipe says it.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The artifact's name below the export's folder, or below its version's.
    pub fn artifact(&self) -> String {
        match self {
            Format::Dir | Format::Nfs { .. } => TREE.to_owned(),
            Format::Tar { compression } => format!("root.tar{}", compression.suffix()),
            Format::Squashfs { .. } => "root.squashfs".to_owned(),
            Format::Erofs { .. } => "root.erofs".to_owned(),
            Format::Cpio { compression } => format!("root.cpio{}", compression.suffix()),
            Format::Ext4 { .. } => "root.ext4".to_owned(),
            Format::Oci { archive: true, .. } => "image.tar".to_owned(),
            Format::Oci { archive: false, .. } => "image".to_owned(),
        }
    }

    /// Whether the artifact is a folder.
    pub fn is_folder(&self) -> bool {
        self.is_tree() || matches!(self, Format::Oci { archive: false, .. })
    }

    /// Whether the artifact is the tree itself.
    pub fn is_tree(&self) -> bool {
        matches!(self, Format::Dir | Format::Nfs { .. })
    }

    pub fn is_versioned(&self) -> bool {
        matches!(self, Format::Nfs { .. })
    }

    pub fn compression(&self) -> Option<Compression> {
        match self {
            Format::Tar { compression }
            | Format::Squashfs { compression }
            | Format::Erofs { compression }
            | Format::Cpio { compression }
            | Format::Oci { compression, .. } => Some(*compression),
            Format::Dir | Format::Nfs { .. } | Format::Ext4 { .. } => None,
        }
    }

    /// Whether a node can have it as its root, as it is.
    pub fn boots(&self) -> bool {
        match self {
            Format::Dir
            | Format::Nfs { .. }
            | Format::Squashfs { .. }
            | Format::Erofs { .. }
            | Format::Cpio { .. } => true,
            Format::Tar { .. } | Format::Ext4 { .. } | Format::Oci { .. } => false,
        }
    }

    /// How nodes that boot this get at it; a tar is unpacked on a server of NFS.
    pub fn transport(&self) -> Option<Transport> {
        match self {
            Format::Dir | Format::Nfs { .. } | Format::Tar { .. } => Some(Transport::Nfs),
            Format::Squashfs { .. } | Format::Erofs { .. } => Some(Transport::Http),
            Format::Cpio { .. } | Format::Ext4 { .. } | Format::Oci { .. } => None,
        }
    }

    /// The programs of the host that write it.
    pub fn tools(&self) -> Vec<&'static str> {
        let mut tools = vec!["tar"];
        match self {
            Format::Dir | Format::Nfs { .. } => tools.push("cp"),
            Format::Squashfs { .. } => tools.push("mksquashfs"),
            Format::Erofs { .. } => tools.push("mkfs.erofs"),
            Format::Cpio { .. } => tools.extend(["find", "sort", "cpio"]),
            Format::Ext4 { .. } => tools.extend(["mke2fs", "debugfs"]),
            Format::Tar { .. } | Format::Oci { .. } => {}
        }
        if let Format::Tar { compression }
        | Format::Cpio { compression }
        | Format::Oci { compression, .. } = self
            && let Some([program, ..]) = compression.argv()
        {
            tools.push(program);
        }
        tools
    }
}
