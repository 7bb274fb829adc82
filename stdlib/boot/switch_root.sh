#!/bin/sh
# Stands in front of switch_root(8) in the initramfs of a node that is booted to be looked at,
# where no systemd starts the check: ROOT INIT ARGUMENTS, as dracut calls it. The root's own
# shell starts what takes the check from the serial port, and becomes the root's init. Words
# between `@` are put in by rootwright.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
root=$1 init=$2
shift 2
case $(readlink "$root$init") in
    *systemd*) exec switch_root "$root" "$init" "$@" ;;
esac
# shellcheck disable=SC2016  # the root's shell expands it
exec switch_root "$root" /bin/sh -c '
    (
        exec 3<>@CHANNEL@
        stty raw -echo <&3
        echo @READY@ >&3
        sed /^@END@/q <&3 >/run/rootwright-check
        exec /bin/sh /run/rootwright-check @CHANNEL@
    ) </dev/null >/dev/null 2>&1 &
    exec "$0" "$@"' "$init" "$@"
