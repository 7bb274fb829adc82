#!/bin/sh
# Sourced by dracut-pre-pivot. $NEWROOT is the mounted, read-only root.
# Kernel command line:
#   rootwright.overlay=0             no overlay: the root as it is
#   rootwright.overlay=size=SIZE     the tmpfs's size, as for mount (50%, 2g); default 50%
# After the boot:
#   /run/rootwright/lower            the root as served, read-only
#   /run/rootwright/upper            the tmpfs; rw/ in it holds all changes of this node

command -v getarg >/dev/null || . /lib/dracut-lib.sh

rootwright_overlay() {
    # shellcheck disable=SC3043  # every shell that dracut takes (bash, dash, busybox) has local
    local arg size dir
    arg=$(getarg rootwright.overlay=) || arg=
    case "$arg" in
        0 | no | off) return 0 ;;
        size=*) size=${arg#size=} ;;
        *) size=50% ;;
    esac

    # /run moves to the new root with everything mounted below it
    # (systemd's switch-root and util-linux's switch_root both do it).
    dir=/run/rootwright
    mkdir -p "$dir/lower" "$dir/upper" || die "rootwright: cannot make $dir"
    # systemd makes mounts shared, and a mount under a shared one cannot be moved: private first.
    mount --make-rprivate / 2>/dev/null
    mount --move "$NEWROOT" "$dir/lower" || die "rootwright: cannot move the root away from $NEWROOT"
    mount -t tmpfs -o "mode=0755,size=$size" rootwright-overlay "$dir/upper" \
        || die "rootwright: cannot mount a tmpfs of size $size (rootwright.overlay=size=…)"
    mkdir "$dir/upper/rw" "$dir/upper/work" || die "rootwright: cannot make the upper directory"
    mount -t overlay -o "lowerdir=$dir/lower,upperdir=$dir/upper/rw,workdir=$dir/upper/work" overlay "$NEWROOT" \
        || die "rootwright: cannot mount the overlay on $NEWROOT: does the initramfs have the kernel module overlay?"
}

rootwright_overlay
