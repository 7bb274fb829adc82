# shellcheck shell=sh disable=SC2154  # set by who runs it
# mount_devices DEVICE…: mounts a tmpfs with these devices of the host at $root/dev.
mount_devices() {
    mount -t tmpfs -o nosuid,mode=0755 tmpfs "$root/dev"
    for device; do
        if [ -e "/dev/$device" ]; then
            : >"$root/dev/$device"
            mount --bind "/dev/$device" "$root/dev/$device"
        fi
    done
    mkdir -m 1777 "$root/dev/shm"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s fd/0 "$root/dev/stdin"
    ln -s fd/1 "$root/dev/stdout"
    ln -s fd/2 "$root/dev/stderr"
}
