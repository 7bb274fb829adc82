#!/bin/sh
# Looks whether this host runs programs of another architecture. A check (see
# src/run/preflight/checks.rs): read-only, findings as JSON lines on standard output.
#
# Environment:
#   ARCH, HOST  architectures as the kernel names them
#   PACKAGES    the packages that bring an emulator, as JSON, by family of the host
set -eu

# What processors run by themselves. 64-bit ARM ones mostly, but not all.
case $HOST:$ARCH in
    x86_64:x86 | x86_64:i?86 | powerpc64:ppc | mips64el:mipsel | s390x:s390) exit 0 ;;
esac
# QEMU's name of an architecture, where it differs from the kernel's.
case $ARCH in
    x86 | i?86) emulator=qemu-i386 ;;
    powerpc64) emulator=qemu-ppc64le ;;
    *) emulator=qemu-$ARCH ;;
esac
help="install an emulator that registers itself with binfmt_misc"
cause=
# The kernel's list; where its usual place is not mounted, as in a namespace with a /proc of
# its own, the list is the same.
folder=/proc/sys/fs/binfmt_misc
if ! [ -e "$folder/status" ]; then
    mkdir binfmt
    if mount -t binfmt_misc none binfmt 2>/dev/null; then
        trap 'umount binfmt' EXIT
        folder=binfmt
    fi
fi
if ! [ -e "$folder/status" ]; then
    if [ "$(id -u)" != 0 ]; then
        printf '{"unknown":"binfmt_misc is not mounted, and only root can look otherwise"}\n'
        exit 0
    fi
    cause="the kernel has no binfmt_misc, so it starts programs of its own architecture only"
    help="load the kernel module binfmt_misc"
    PACKAGES={} # No package brings it.
elif ! grep -qx enabled "$folder/status"; then
    cause="binfmt_misc is switched off"
    help="switch it on: \`echo 1 >/proc/sys/fs/binfmt_misc/status\`"
    PACKAGES={}
else
    for entry in "$folder"/*; do
        interpreter=$(sed -n 's/^interpreter //p' "$entry" 2>/dev/null) || continue
        # Debian registers /usr/libexec/qemu-binfmt/aarch64-binfmt-P, a link to the emulator.
        case ${interpreter##*/} in
            "$emulator" | "$emulator-static" | "$emulator-binfmt" | "${emulator#qemu-}-binfmt-P") ;;
            *) continue ;;
        esac
        if ! grep -qx enabled "$entry"; then
            cause="\`${entry##*/}\` is registered with binfmt_misc, and switched off"
            continue
        fi
        # Without F, the kernel looks for the interpreter inside of the root.
        if ! grep -q '^flags:.*F' "$entry"; then
            cause="\`$interpreter\` is registered with binfmt_misc without the flag F: the kernel looks for it inside of the root"
            continue
        fi
        exit 0
    done
    [ -n "$cause" ] || cause="no interpreter for $ARCH is registered with binfmt_misc"
fi
printf '{"message":"this host cannot run programs for %s","cause":"%s","help":"%s, or build on a machine of that architecture","field":"arch","packages":%s}\n' "$ARCH" "$cause" "$help" "$PACKAGES"
