#!/bin/sh
# Downloads a file of keys to the current folder, by its digest where there is one: a `fetch` of a
# keyring.
#
# Arguments: URL, SHA256 or nothing
set -eu
# 64 MiB, in blocks of 512 bytes: a server need not say how much it sends.
ulimit -f 131072
curl --silent --show-error --fail --location --globoff --connect-timeout 10 --max-time 120 --output keys.asc -- "$1"
if [ -n "$2" ] && ! printf '%s  keys.asc\n' "$2" | sha256sum --check --status; then
    echo "$1 has the digest $(sha256sum keys.asc | cut -d' ' -f1), and $2 was expected" >&2
    rm -f keys.asc
    exit 1
fi
