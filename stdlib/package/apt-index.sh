#!/bin/sh
# Gets the lists of packages for a root that mmdebstrap will make, and prints `SHA256 NAME` for each
# package that it will install. mmdebstrap finds the lists, and doesn't get them again.
#
# Arguments: ROOT ARCHITECTURE SOURCES OPTIONS PACKAGE...
#   SOURCES   in the format of deb822, as mmdebstrap gets them
#   OPTIONS   lines for apt.conf(5)
set -eu
root=$1 arch=$2 sources=$3 options=$4
shift 4
etc=$(mktemp -d)
trap 'rm -rf "$etc"' EXIT
mkdir -p "$etc/sources.list.d" "$etc/apt.conf.d" "$etc/preferences.d" "$root/var/lib/apt/lists/partial" "$root/var/cache/apt"
printf '%s\n' "$sources" >"$etc/sources.list.d/build.sources"
cat >"$etc/build.conf" <<CONF
Apt::Architecture "$arch";
Apt::Architectures "$arch";
Dir "$root";
Dir::Etc "$etc";
Dir::State::Status "/dev/null";
Acquire::ForceHash "SHA256";
$options
CONF
export APT_CONFIG="$etc/build.conf"
if ! apt-get --error-on=any update >/dev/null; then
    # Half of the lists would keep mmdebstrap from getting all of them.
    rm -rf "$root/var/lib/apt/lists" "$root/var/cache/apt"
    exit 1
fi
[ $# -gt 0 ] || exit 0
apt-get --yes --no-install-recommends --print-uris install -- "$@" |
    sed -n "s/^'[^']*' \([^ ]*\) [0-9]* SHA256:\([0-9a-f]\{64\}\)\$/\2 \1/p"
