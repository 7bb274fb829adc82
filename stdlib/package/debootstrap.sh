# shellcheck shell=sh disable=SC2154  # set by who runs it
# debootstrap with its arguments for the root at $root. It makes device nodes, which only root of
# the host may: it finds those of the host, and that it is in a container. After devices.sh.
mkdir -p "$root/dev"
trap 'umount --recursive --lazy "$root/dev" 2>/dev/null || :' EXIT
mount_devices null zero full random urandom tty console
mkdir "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
container=lxc debootstrap "$@"
