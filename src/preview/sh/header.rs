//! The top of the script: what it is, what it needs, and entering a namespace of its own.

use std::fmt::Write as _;

use super::super::shell_words::word;
use super::ops::comment;
use crate::plan::command::PASSED_ON;
use crate::plan::{NeedKind, Plan, secret_variable};

/// The comment above everything.
pub fn comments(plan: &Plan) -> String {
    let mut text = String::new();
    if !plan.recipe.title.is_empty() {
        let _ = writeln!(text, "{}\n", plan.recipe.title);
    }
    let _ = writeln!(
        text,
        "Made by rootwright {} from {}, and runs without rootwright:\n\n    \
         sudo bash SCRIPT [OUT_DIR]\n\n\
         The root is made in a scratch directory, step by step as the recipe says; the\n\
         exports appear in OUT_DIR (default: out), complete or not at all. All mounts are\n\
         in a namespace of this script and end with it. In the environment:\n\n    \
         WORK    where the scratch directory is made (default: OUT_DIR)\n    \
         KEEP    if not empty, the scratch directory is kept",
        plan.rootwright, plan.recipe.path
    );
    for name in plan.secrets().into_keys() {
        let _ = writeln!(text, "    {}    the secret `{name}`", secret_variable(name));
    }
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(text, "\n{title}:");
            for line in lines {
                let _ = writeln!(text, "    {}", line.replace('\n', " "));
            }
        }
    };
    section(
        "Options",
        plan.options
            .iter()
            .map(|option| {
                let given = if option.given { "given" } else { "default" };
                format!("{} = {} ({given})", option.name, option.value)
            })
            .collect(),
    );
    section(
        "Assumed",
        plan.assumptions
            .iter()
            .map(|a| format!("{} = {} ({})", a.what, a.value, a.from))
            .collect(),
    );
    section(
        "Captured",
        plan.captures
            .iter()
            .map(|c| format!("{} ({})", c.describe(), c.captured.origin()))
            .collect(),
    );
    section(
        "Inputs",
        plan.inputs
            .iter()
            .map(|input| format!("{} = {}", input.name, input.value))
            .collect(),
    );
    section(
        "Messages",
        plan.messages
            .iter()
            .map(|message| message.text.clone())
            .collect(),
    );
    format!(
        "#!/usr/bin/env bash\n#\n{}\n\
         # Quoted text is meant as it stands, and functions have optional arguments:\n\
         # shellcheck disable=SC2016,SC1003,SC1111,SC1112,SC2119,SC2120\n",
        comment(&text, "")
    )
}

/// Arguments and tools; all that is missing is said at once.
pub fn checks(plan: &Plan, tools: &[(String, String)]) -> String {
    let mut out = String::from(
        "set -euo pipefail\n\
         export LC_ALL=C.UTF-8 PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"\n\
         umask 022\n\n\
         if (($# > 1)) || [[ ${1-} == -* ]]; then\n    \
         printf 'usage: sudo bash %s [OUT_DIR]\\n' \"$0\" >&2\n    exit 2\nfi\n\n\
         missing=()\n\
         need() { # PROGRAM|PATH WHY\n    \
         if [[ $1 == */* ]]; then [[ -e $1 ]]; else command -v -- \"$1\" >/dev/null; fi ||\n        \
         missing+=(\"$1: $2\")\n}\n",
    );
    for (tool, why) in tools {
        let _ = writeln!(out, "need {} {}", word(tool), word(why));
    }
    for name in plan.secrets().into_keys() {
        let variable = secret_variable(name);
        let why = format!("in the environment: the secret {name}");
        let _ = writeln!(
            out,
            "[[ -n ${{{variable}+set}} ]] || missing+=({})",
            word(&format!("{variable}: {why}"))
        );
    }
    out.push_str(
        "((EUID == 0)) || missing+=('root privileges: run it with sudo')\n\
         if ((${#missing[@]} > 0)); then\n    \
         printf '%s: missing on this host:\\n' \"${0##*/}\" >&2\n    \
         printf '    %s\\n' \"${missing[@]}\" >&2\n    exit 1\nfi\n",
    );
    out
}

/// Enters the namespace and makes the scratch directory.
pub fn entrance(containers: bool) -> String {
    let mut out = String::from(
        "# In namespaces of its own: nothing that is mounted or started outlives the script.\n\
         if [[ ${ROOTWRIGHT_INSIDE-} != yes ]]; then\n    \
         ROOTWRIGHT_INSIDE=yes exec unshare --mount --pid --fork --kill-child --mount-proc -- \\\n        \
         bash -- \"$0\" \"$@\"\nfi\n\
         unset ROOTWRIGHT_INSIDE\n\
         exec </dev/null\n\n\
         # Commands see the same environment whoever runs the script; proxies are passed on.\n\
         passed=()\n\
         while IFS= read -r name; do\n    \
         case $name in\n        \
         PATH) ;;\n        \
         @passed@)\n            \
         passed+=(\"--setenv=$name\")\n            ;;\n        \
         *) export -n -- \"${name?}\" ;;\n    esac\n\
         done < <(compgen -e)\n\
         export HOME=/root USER=root LOGNAME=root SHELL=/bin/sh TERM=dumb\n\
         export LANG=C.UTF-8 LC_ALL=C.UTF-8\n",
    );
    let names: Vec<String> = PASSED_ON.chunks(6).map(|names| names.join(" | ")).collect();
    out = out.replace("@passed@", &names.join(" | \\\n            "));
    if containers {
        out.push_str(
            "\n# systemd-nspawn wants a tmpfs here.\n\
             mkdir -p /run/systemd/nspawn\n\
             mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn\n",
        );
    }
    out.push_str(
        "\nOUT=${1:-out}\nmkdir -p -- \"$OUT\"\nOUT=$(cd -- \"$OUT\" && pwd -P)\n\
         work=$(mktemp -d -- \"${WORK:-$OUT}/.rootwright.XXXXXX\")\n\
         work=$(cd -- \"$work\" && pwd -P)\n\
         current=\nstage=\n\
         trap on_exit EXIT\n\
         trap 'exit 130' INT\n\
         trap 'exit 143' TERM HUP\n",
    );
    out
}

/// The plan's needs as programs and paths, each with what it is for.
pub fn needs(plan: &Plan) -> Vec<(String, String)> {
    plan.needs
        .iter()
        .map(|need| {
            let mut why = need.why.clone();
            let packages: Vec<String> = need
                .packages
                .iter()
                .map(|(family, package)| format!("{package} on {family}"))
                .collect();
            if !packages.is_empty() {
                why.push_str(&format!(" (package {})", packages.join(", ")));
            }
            let name = match need.kind {
                NeedKind::File if !need.name.contains('/') => format!("./{}", need.name),
                NeedKind::File | NeedKind::Tool => need.name.clone(),
            };
            (name, why)
        })
        .collect()
}
