//! What is expected of an export that nodes boot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A node that is booted from an export once this is written, and has to come up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectBoot {
    /// The name of an export of this plan.
    pub export: String,
    /// How the node gets there.
    pub via: Via,
    /// Commands for a shell in the node, each of which has to end with 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// In MiB; what the transport asks for where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    pub processors: u32,
    /// Seconds until the node must have answered.
    pub timeout: u64,
    /// The programs of the host that it takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<String>,
}

/// How a node that is booted to be looked at gets its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// QEMU loads kernel and initramfs, and the root comes as the export is for.
    Direct,
    /// From the firmware on: iPXE, the export's boot script, and then as the export is for.
    Pxe,
}

impl ExpectBoot {
    /// Seconds that an emulated node has by default.
    pub const TIMEOUT: u64 = 600;
    /// Of two that QEMU 7.2 emulates on a busy host, one was seen to stand still, in a loop of
    /// string instructions of Linux 6.1; and two take no less time.
    pub const PROCESSORS: u32 = 1;
}
