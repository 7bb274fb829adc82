#!/bin/sh
# Downloads keyring packages and unpacks them in the current folder: a `fetch` of a keyring
# (see docs/distros.md). Nothing that comes is trusted here: whoever called this takes keys
# by their fingerprints.
#
# Arguments, as many as there are places to look at, until one has given something:
#   host PACKAGE               the package manager of this host knows the package
#   archive URI SUITE PACKAGE  an archive has it in its component `main`
#   url URL                    a file of keys, or a package
set -eu
# 64 MiB, in blocks of 512 bytes: a server need not say how much it sends.
ulimit -f 131072

get() { # URL FILE
    curl --silent --show-error --fail --location --globoff --connect-timeout 10 --max-time 120 --output "$2" -- "$1"
}

unpack() { # PACKAGE
    mkdir -p unpacked
    if command -v dpkg-deb >/dev/null; then
        dpkg-deb --extract "$1" unpacked
    else
        # GNU tar finds out the compression of a file, not of a pipe.
        ar p "$1" "$(ar t "$1" | grep '^data\.tar')" >contents
        tar --extract --file contents --directory unpacked
        rm -f contents
    fi
}

from_host() { # PACKAGE
    command -v apt-get >/dev/null || {
        echo "this host has no apt-get" >&2
        return 1
    }
    # As root, apt downloads as a user who may not write here, unless told not to.
    apt-get -q -o APT::Sandbox::User=root download "$1" >/dev/null || return 1
    for file in "$1"_*.deb; do unpack "$file"; done
}

from_archive() { # URI SUITE PACKAGE
    uri=${1%/}
    for kind in binary-all binary-amd64 binary-arm64; do
        get "$uri/dists/$2/main/$kind/Packages.xz" Packages.xz 2>/dev/null || continue
        file=$(xz --decompress --stdout Packages.xz | awk -v package="$3" '
            $1 == "Package:" { on = ($2 == package) } on && $1 == "Filename:" { print $2; exit }')
        rm -f Packages.xz
        [ -n "$file" ] || continue
        get "$uri/$file" package.deb && unpack package.deb && return 0
    done
    echo "$uri has no package $3 in $2" >&2
    return 1
}

from_url() { # URL
    case $1 in
        *.deb) get "$1" package.deb && unpack package.deb ;;
        *) get "$1" keys.gpg ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
        host) if from_host "$2"; then exit 0; fi; shift 2 ;;
        archive) if from_archive "$2" "$3" "$4"; then exit 0; fi; shift 4 ;;
        url) if from_url "$2"; then exit 0; fi; shift 2 ;;
        *) echo "there is no place called $1" >&2; exit 2 ;;
    esac
done
exit 1
