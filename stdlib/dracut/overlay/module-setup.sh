#!/bin/sh
# dracut module: `/` becomes an overlay, the network root below, a tmpfs above.
# One module of our own, because every dracut version has another one (overlay-root, overlayfs,
# dmsquash-live's) with another switch; this one behaves alike on 057 to 112.

# called by dracut; 255: only where it is asked for (--add), never by itself
check() {
    return 255
}

depends() {
    # provides the hook machinery (die, getarg, …)
    echo base
}

installkernel() {
    # `=` fails quietly where overlay is built in. hostonly='' : also if dracut ran in host-only mode
    hostonly='' instmods overlay
}

install() {
    inst_multiple mount umount mkdir stat
    # pre-pivot runs when the root is mounted and checked, and right before switch_root. 10: before
    # hooks that write into the root, which then write to the overlay.
    # shellcheck disable=SC2154  # dracut sets moddir
    inst_hook pre-pivot 10 "$moddir/rootwright-overlay.sh"
    # dracut's nfs module gives /run/rpcbind to _rpc:root, and only systemd's modules bring that
    # group: without them the root's own rpcbind finds a folder that is not its, and does not start.
    # shellcheck disable=SC2154  # dracut sets initdir
    grep -qs '^root:' "$initdir/etc/group" || echo root:x:0: >>"$initdir/etc/group"
}
