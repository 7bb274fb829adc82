//! The functions that a script defines before its steps, as far as it uses them.

use std::collections::BTreeSet;

pub struct Helper {
    pub name: &'static str,
    source: &'static str,
    /// The other helpers that it calls.
    uses: &'static [&'static str],
    /// Programs beyond those that every host has.
    tools: &'static [(&'static str, &'static str)],
}

macro_rules! helpers {
    ($($name:literal uses [$($uses:literal),*] tools [$($tool:literal : $why:literal),*];)*) => {
        /// In the order in which they are written.
        const HELPERS: &[Helper] = &[$(Helper {
            name: $name,
            source: include_str!(concat!("prelude/", $name, ".sh")),
            uses: &[$($uses),*],
            tools: &[$(($tool, $why)),*],
        }),*];
    };
}

helpers! {
    "base" uses [] tools [];
    "take" uses [] tools [];
    "on_host" uses [] tools [];
    "in_root_path" uses [] tools [];
    "in_root_parent" uses ["in_root_path"] tools [];
    "glob_in_root" uses ["in_root_path"] tools [];
    "cover" uses ["in_root_path"] tools [];
    "points" uses ["in_root_path"] tools [];
    "dns" uses ["in_root_path"] tools [];
    "boot_in_root" uses [] tools [];
    "boot" uses ["boot_in_root", "dns", "in_root_path"] tools [];
    "scanned" uses [] tools [];
    "allowed" uses [] tools [];
    "set_attributes" uses ["in_root_path"] tools [];
    "write_file" uses ["in_root_path", "set_attributes"] tools [];
    "append_file" uses ["in_root_path"] tools [];
    "edit_file" uses ["in_root_path"] tools ["perl": "edits files"];
    "copy_in" uses ["in_root_path", "in_root_parent", "set_attributes"] tools [];
    "make_dir" uses ["in_root_path", "set_attributes"] tools [];
    "make_link" uses ["in_root_parent"] tools [];
    "remove_path" uses ["glob_in_root", "in_root_parent"] tools [];
    "move_path" uses ["in_root_parent"] tools [];
    "set_mode" uses ["in_root_path"] tools [];
    "set_owner" uses ["in_root_path", "set_attributes"] tools [];
    "require" uses ["glob_in_root"] tools [];
    "keyring" uses [] tools ["gpg": "reads keys"];
    "fetch" uses ["write_file"] tools ["curl": "gets files from the network"];
    "newest_kernel" uses ["glob_in_root"] tools [];
    "export" uses [] tools [];
    "export_version" uses [] tools [];
    "export_texts" uses [] tools [];
    "export_first" uses ["glob_in_root", "newest_kernel"] tools [];
    "export_manifest" uses ["newest_kernel"] tools [];
}

/// The names of helpers that a script needs, those they call included, in order.
pub fn closure(used: &BTreeSet<&'static str>) -> Vec<&'static Helper> {
    let mut wanted = used.clone();
    loop {
        let more: Vec<&'static str> = HELPERS
            .iter()
            .filter(|helper| wanted.contains(helper.name))
            .flat_map(|helper| helper.uses.iter().copied())
            .filter(|name| !wanted.contains(name))
            .collect();
        if more.is_empty() {
            break;
        }
        wanted.extend(more);
    }
    HELPERS
        .iter()
        .filter(|helper| wanted.contains(helper.name))
        .collect()
}

impl Helper {
    pub fn source(&self) -> &'static str {
        self.source
    }

    pub fn tools(&self) -> &'static [(&'static str, &'static str)] {
        self.tools
    }
}
