# shellcheck shell=sh disable=SC2154  # set by who runs it
# debootstrap with its arguments for the root at $root. It makes device nodes, which only root of
# the host may: it finds those of the host, and that it is in a container.
mkdir -p "$root/dev"
trap 'umount --recursive --lazy "$root/dev" 2>/dev/null || :' EXIT
mount -t tmpfs -o nosuid,mode=0755 tmpfs "$root/dev"
for device in null zero full random urandom tty console; do
    [ -e "/dev/$device" ] || continue
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for stream in stdin:0 stdout:1 stderr:2; do
    ln -s "/proc/self/fd/${stream#*:}" "$root/dev/${stream%:*}"
done
container=lxc debootstrap "$@"
