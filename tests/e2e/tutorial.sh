#!/usr/bin/env bash
# A new user's first hour, as docs/tutorial.md shows it: what this prints, after
# tests/integration/distro/tutorial.rs has taken out of it what differs between machines. Every command runs.
#
# Runs in an empty folder, with `rootwright` on the PATH, ROOTWRIGHT_STORE set, and a package
# mirror in MIRROR and SECURITY_MIRROR. Needs root privileges, for `build`.
set -euo pipefail

# Commits have the same names everywhere.
export GIT_AUTHOR_NAME=you GIT_AUTHOR_EMAIL=you@example.org GIT_COMMITTER_NAME=you GIT_COMMITTER_EMAIL=you@example.org
export GIT_AUTHOR_DATE='2026-01-01T12:00:00Z' GIT_COMMITTER_DATE='2026-01-01T12:00:00Z'
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null

say() { # prose, from standard input
    echo
    cat
    echo
}

run() { # STATUS COMMAND: shows a command and what it says, and holds it to its exit status
    local wanted=$1 status=0 said
    printf '$ %s\n' "$2"
    said=$(bash -o pipefail -c "$2" 2>&1) || status=$?
    [ -z "$said" ] || printf '%s\n' "$said"
    if [ "$status" -ne "$wanted" ]; then
        echo "tutorial.sh: \`$2\` ended with $status, and not with $wanted" >&2
        exit 1
    fi
}

show() { # [STATUS] COMMAND…: one block of commands; STATUS is of the last
    local wanted=0
    case $1 in [0-9]) wanted=$1; shift ;; esac
    echo '```console'
    while [ $# -gt 1 ]; do
        run 0 "$1"
        shift
    done
    run "$wanted" "$1"
    echo '```'
}

build() { # COMMAND…: the same for builds, which need a mirror that is there
    cp rootwright.toml ../shown.toml
    sed -i "s|^mirror = .*|mirror = \"$MIRROR\"|; s|^security_mirror = .*|security_mirror = \"$SECURITY_MIRROR\"|" rootwright.toml
    show "$@"
    mv ../shown.toml rootwright.toml
}

file() { # NAME LANGUAGE: makes a file of standard input, and shows it
    mkdir -p "$(dirname "$1")"
    cat >"$1"
    printf '```%s\n' "$2"
    cat "$1"
    echo '```'
}

cat <<'TEXT'
# Tutorial

From nothing to a Debian root that a team builds alike, with a library of somebody else's.
What stands here was run: `tests/e2e/tutorial.sh` makes this page, and a test holds it.

## A repository

TEXT

show 'rootwright new our-nodes'
cd our-nodes

say <<'TEXT'
It can be checked, tested and built as it is. None of these needs privileges or a network, and
all of them work from any folder of the repository:
TEXT

show 'rootwright list' 'rootwright check' 'cd recipes && rootwright test | sed "s/, in [0-9.]* s$//"'

say <<'TEXT'
The recipe is `recipes/node.rhai`. What it does is seen before anything is done:
TEXT

show 'rootwright show node' 'rootwright plan node -o release=bookworm | tail -n 14'

say <<'TEXT'
## What holds for every recipe

Where packages come from is the site's business, not a recipe's. It stands in `rootwright.toml`,
as does the release that we build unless somebody says otherwise:
TEXT

file rootwright.toml toml <<'TOML'
name = "our-nodes"

[distro.debian]
mirror = "http://mirror.example.org/debian"
security_mirror = "http://mirror.example.org/debian-security"

[options]
release = "bookworm"
TOML

say <<'TEXT'
The plan says which value comes from where:
TEXT

show 'rootwright plan node | head -n 12'

say <<'TEXT'
A key that means nothing is an error, and not silence:
TEXT

show 1 'sed -i s/options/optoins/ rootwright.toml; rootwright plan node'
sed -i s/optoins/options/ rootwright.toml

say <<'TEXT'
## A change, and a mistake

Nodes of ours have a name server of their own, and a user who looks after them:
TEXT

file recipes/node.rhai rhai,ignore <<'RHAI'
//! A node of ours.

import "base" as base;

let release = option("release", #{ default: "trixie", choices: ["bookworm", "trixie"], help: "Debian release" });

let root = bootstrap(#{ distro: "debian", relase: release });
base::motd(root, `Debian ${release}, made from the recipes of our-nodes.`);
root.write_file("/etc/resolv.conf", "nameserver 192.0.2.53\n");
root.nspawn_run(["useradd", "--create-home", "admin"]);
root.export(#{ format: "tar", name: `node-${release}` });
RHAI
echo
show 1 'rootwright check'

say <<'TEXT'
With that corrected, the recipe is right, and its test is not any more: it says which steps there
are.
TEXT

sed -i 's/relase:/release:/' recipes/node.rhai
show 1 'rootwright check' 'rootwright test 2>&1 | sed "s/, in [0-9.]* s$//"'

say <<'TEXT'
A test looks at the plan: which steps, which commands, what is in which file. Nothing of it runs.
TEXT

file tests/node_test.rhai rhai,ignore <<'RHAI'
fn test_every_release() {
    for row in each(#{ release: ["bookworm", "trixie"] }) {
        let plan = plan("recipes/node.rhai", row);
        assert_eq(plan.calls, ["bootstrap", "write_file", "write_file", "nspawn_run", "export"]);
        assert_contains(plan.files["/etc/motd"], row.release);
        assert_contains(plan.commands, "useradd --create-home admin");
    }
}

fn test_nobody_else_answers_for_names() {
    assert_eq(plan("recipes/node.rhai").files["/etc/resolv.conf"], "nameserver 192.0.2.53\n");
}
RHAI
echo
show 'rootwright test | sed "s/, in [0-9.]* s$//"'

say <<'TEXT'
## A build

This is what needs root privileges, the distro's own bootstrap tool, and a mirror, for which
`mirror.example.org` stands here:
TEXT

build 'rootwright build node' 'ls out/node-bookworm' 'tar -xOf out/node-bookworm/root.tar.zst ./etc/motd ./etc/resolv.conf'

say <<'TEXT'
Every step is a layer that is kept. A second build makes what has changed and nothing else:
TEXT

build 'sed -i "s/Debian ..release., made/& with care/" recipes/node.rhai' 'rootwright build node'

say <<'TEXT'
The repository belongs into version control, where its CI file checks and tests every change:
TEXT

show 'git init --quiet --initial-branch=main && git add . && git commit --quiet -m "Our nodes"' 'git ls-files'

say <<'TEXT'
## A library

A library is a git repository with modules in it. Here is one of a colleague's:
TEXT

mkdir ../time && cd ../time
file clock.rhai rhai,ignore <<'RHAI'
//! The clock of a node.

/// Takes the time from our servers, which want a key.
fn from_our_servers(root) {
    root.write_file("/etc/chrony/site.conf", "server 192.0.2.123 iburst key 1\n");
    root.write_file("/etc/chrony/chrony.keys", "1 SHA256 " + secret("time-key") + "\n", #{ mode: 0o640 });
}
RHAI
echo
show 'git init --quiet --initial-branch=main && git add . && git commit --quiet -m "The clock" && git tag v1'
cd ../our-nodes

say <<'TEXT'
It is added by its address, and pinned: to a commit, and to a digest of its files.
TEXT

show 'rootwright add ../time' 'tail -n 2 rootwright.toml' 'cat rootwright.lock'

say <<'TEXT'
The recipe imports it by name:
TEXT

sed -i 's/^import "base" as base;/&\nimport "@time\/clock" as clock;/; s/^root.nspawn_run/clock::from_our_servers(root);\n&/' recipes/node.rhai
show 1 'git diff --unified=0 recipes/node.rhai | grep "^[+-]"' 'rootwright plan node'

say <<'TEXT'
A library changes files and runs commands in roots. For more it has to be trusted, one thing at a
time, in `rootwright.toml`; and whoever reads the plan sees who makes use of it:
TEXT

show $'echo \'grants = ["secret:time-key"]\' >>rootwright.toml' 'rootwright plan node | sed -n "/^libraries/p; /^beyond/,/^$/p"'

say <<'TEXT'
The secret's value is in no plan, no log and no key; the build takes it from a file or from the
environment (`--secret time-key=FILE`). Nothing is fetched again: what was fetched is in the
store, and `rootwright vendor` puts copies into the repository, for where there is no git.

The colleague goes on, and nothing changes here before somebody says so:
TEXT

git add --all && git commit --quiet -m "The time is ours"
show 'cd ../time && sed -i s/192.0.2.123/192.0.2.124/ clock.rhai && git commit --quiet --all -m "The new server"' 'rootwright update'

say <<'TEXT'
What that means for a node is the difference of two plans, the committed one and the one now:
TEXT

show 1 'rootwright diff node --rev HEAD'

say <<'TEXT'
Whoever is content with it commits `rootwright.lock`.

## From here

- [guide.md](guide.md): the language, diskless nodes
- [repositories.md](repositories.md): `rootwright.toml`, libraries, what they may do
- [testing-recipes.md](testing-recipes.md): tests of recipes
- [reference.md](reference.md): every function
TEXT
